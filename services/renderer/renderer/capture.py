"""One page load in one viewport: from navigation to pixels and facts, keeping the best result so far."""

import asyncio

from contracts.outputs import Area
from contracts.render import (
    Warning,  # noqa: A004  # the contract's word
)
from contracts.visit import FailIf
from renderer import completeness, conditions, errors, facts, preparing
from renderer.camera import Camera
from renderer.cdp import Message
from renderer.headers import reported
from renderer.look import look
from renderer.page import Page, Verdicts, Visit
from renderer.plan import Limits, Plan, Stage
from renderer.scroll import unroll
from renderer.stages import Stages
from renderer.stopwatch import Lap
from renderer.view import Take, View
from runtime.errors import ServiceError

_ANSWER_S = 3.0
"""A main thread that says nothing for so long after the load was given up counts as busy for ever."""

_LAST_S = 1.0
"""What is kept of the budget for one last picture when a phase has used up the rest."""


class Capture:
    """The state of one view while it is being made."""

    def __init__(self, page: Page, plan: Plan, watch: Lap) -> None:
        """Nothing happens before `run`."""
        self._page = page
        self._plan = plan
        self._watch = watch
        self._loaded = False
        self._judged = plan.fail_if == FailIf()
        self.view = View(plan)
        self._camera = Camera(page, plan.viewport, watch)
        self._stages = Stages(page, self.view, self._camera, watch)

    async def run(self, agent: Message, verdicts: Verdicts, limits: Limits) -> View:
        """Do it all by `limits.end`. Raises `ServiceError` when not even a picture of the first screen could be had."""
        end = limits.end - _LAST_S
        plan = self._plan
        observer = facts.OBSERVER if plan.facts else ""
        visit = Visit(plan.url, plan.viewport, agent, observer, plan.guise, plan.watched)
        try:
            async with asyncio.timeout_at(end):
                await self._load(visit, verdicts, limits.load)
                await self._prepare(end)
                if plan.settle is None:
                    await self._plain()
                else:
                    await self._stages.settle(plan.settle, end, loaded=self._loaded)
                    await self._judge()
                    await self._stages.run(plan.settle)
        except TimeoutError:
            if not self._judged:
                raise errors.hung("the conditions of fail_if could not be checked") from None
            self._lost(Warning.NOT_SETTLED)
            await self._salvage()
        except ServiceError as exc:
            self._lost()
            if exc.code not in errors.HUNG or not (self.view.shots or self.view.facts or self.view.papers):
                raise
        self._conclude()
        return self.view

    async def _load(self, visit: Visit, verdicts: Verdicts, until: float) -> None:
        try:
            async with asyncio.timeout_at(until):
                with self._watch.browser("goto"):
                    await self._page.navigate(visit, verdicts)
                    await self._page.loaded()
            self.view.settled_by, self._loaded = "load", True
        except TimeoutError:
            if not self._page.committed:
                raise errors.timeout() from None
            self.view.warn(Warning.LOAD_TIMEOUT)
            self.view.pending = self._page.network.pending()
            await self._revive()

    async def _revive(self) -> None:
        """Make an unfinished page paintable. Raises `ServiceError` (page_hung) when its main thread never answers."""
        try:
            async with asyncio.timeout(_ANSWER_S):
                with self._watch.browser("goto"):
                    # A style sheet that never comes blocks all painting until its load is given up.
                    await self._page.stop_loading()
                    self.view.saw(await look(self._page))
        except TimeoutError as exc:
            await self._last_picture()
            raise errors.hung("no answer after the load was given up") from exc

    async def _prepare(self, end: float) -> None:
        """Do what the caller wants done first. Raises `ServiceError` for a status that must not be."""
        conditions.check_status(self._page, self._plan.fail_if)
        with self._watch.browser("settle"):
            self.view.warn(*await preparing.prepare(self._page, self._plan.prepare, end))

    async def _judge(self) -> None:
        """Raise `ServiceError` (capture_refused) where this is not the page that is wanted."""
        with self._watch.browser("settle"):
            await conditions.check(self._page, self._plan.fail_if)
        self._judged = True

    async def _plain(self) -> None:
        """Take the pictures as soon as the page has loaded."""
        await self._judge()
        [stage] = self._plan.stages()
        glance = asyncio.create_task(self._glance())
        try:
            await self._camera.shoot(self._camera.screens(stage.shots), self.view.screens)
            if stage.whole:
                await self._beyond(stage)
            with self._watch.browser("capture"):
                await asyncio.wait([glance], timeout=_LAST_S)
            if glance.done():
                glance.result()  # raises where what was photographed was a refusal of our own
        finally:
            glance.cancel()

    async def _beyond(self, stage: Stage) -> None:
        """Take what is not the first screen."""
        self.view.takes.append(take := Take())
        with self._watch.browser("capture"):
            await unroll(self._page)
            seen = await look(self._page)
        if stage.of(Area.FULL_PAGE, Area.TILES):
            self.view.fits(seen)
        frames = [*self._camera.pages(stage, seen.height), *self._camera.parts(stage, seen.height)]
        await self._camera.shoot(frames, take.shots)
        await self._camera.elements(stage, take.shots)

    async def _glance(self) -> None:
        # Beside the picture, never before it: neither a title nor a verdict is worth a round trip.
        try:
            seen = await look(self._page)
        except ServiceError:
            return
        self._page.answered(seen.status)
        self.view.saw(seen)
        self.view.completeness = completeness.glanced(self._plan.viewport, seen)

    async def _last_picture(self) -> None:
        """Take the first screen if it can be had at once."""
        if self.view.shots:
            return
        try:
            async with asyncio.timeout(_LAST_S / 2):
                await self._camera.shoot(self._camera.screens(self._plan.shots), self.view.screens)
        except (TimeoutError, ServiceError):
            return

    async def _last_papers(self) -> None:
        if self.view.papers.source is None:
            try:
                async with asyncio.timeout(_LAST_S / 2):
                    await self._stages.take_papers()
            except (TimeoutError, ServiceError):
                return

    async def _salvage(self) -> None:
        """The time is over: have at least a picture. Raises `ServiceError` when there is none."""
        if not self._page.committed:
            raise errors.timeout()
        await self._last_picture()
        await self._last_papers()
        if not self.view.shots and self.view.facts is None and not self.view.papers:
            raise errors.hung("nothing could be read within the budget")

    def _lost(self, *warnings: Warning) -> None:
        """Keep what is known of a page that answers no more."""
        self.view.hung = True
        self.view.warn(*warnings)
        self.view.pending = self.view.pending or self._page.network.pending()
        self._stages.keep_met()

    def _conclude(self) -> None:
        main = self._page.network.main
        self.view.final_url = self._page.url
        self.view.status, self.view.redirects = main.status, main.redirects
        self.view.headers = reported(main.headers)
        self.view.warn(*self.view.missing())
