"""One page load in one viewport: from navigation to pixels and facts, keeping the best result so far."""

import asyncio
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from contracts.facts import Motion, PageFacts
from contracts.geometry import Box, Viewport
from contracts.outputs import MANY, MAX_CAPTURE_PX, Area, FactsOutput, Output, Probe, ScreenshotOutput
from contracts.render import (
    Section,
    Settle,
    Warning,  # noqa: A004  # the contract's word
)
from contracts.visit import FailIf, Prepare
from renderer import areas, conditions, errors, facts, preparing, sections, taking
from renderer.cdp import Message, ProtocolError
from renderer.headers import reported
from renderer.page import Page, Picture, Verdicts, Visit
from renderer.probing import motion, probes
from renderer.settle import Look, freeze, look, scroll_through, settle, visible_height
from renderer.stopwatch import Lap
from renderer.visiting import Guise
from runtime.errors import ServiceError

_ANSWER_S = 3.0
"""A main thread that says nothing for so long after the load was given up counts as busy for ever."""

_LAST_S = 1.0
"""What is kept of the budget for one last picture when a phase has used up the rest."""

_MOVED_PX = 2
_SETTLE_SHARE, _LAST_SETTLE_S = 0.4, 1.0


@dataclass(frozen=True)
class Plan:
    """What is wanted of one viewport. Without a settle rule, the load event is all that is waited for."""

    url: str
    viewport: Viewport
    outputs: tuple[Output, ...]
    settle: Settle | None
    watched: bool = True
    """Whether requests are followed one by one; a single picture says nothing of them."""
    device: str = ""
    guise: Guise | None = None
    prepare: Prepare = field(default_factory=Prepare)
    fail_if: FailIf = field(default_factory=FailIf)

    @property
    def shots(self) -> list[ScreenshotOutput]:
        """Return the wanted pictures."""
        return [output for output in self.outputs if isinstance(output, ScreenshotOutput)]

    @property
    def facts(self) -> list[FactsOutput]:
        """Return the wanted facts."""
        return [output for output in self.outputs if isinstance(output, FactsOutput)]

    @property
    def probes(self) -> frozenset[Probe]:
        """Return the wanted measurements beyond reading the page."""
        return frozenset(probe for output in self.facts for probe in output.probes)

    def of(self, *wanted: Area) -> list[ScreenshotOutput]:
        """Return the wanted pictures of these areas."""
        return [shot for shot in self.shots if shot.area in wanted]

    @property
    def whole(self) -> bool:
        """Whether anything below the first screen is wanted."""
        return self.pictured or taking.whole(self.outputs)

    @property
    def pictured(self) -> bool:
        """Whether facts are wanted, or pictures of anything below the first screen."""
        return bool(self.facts or self.beyond or self.of(Area.SECTIONS))

    @property
    def beyond(self) -> bool:
        """Whether a picture is wanted that is taken of the page and not of the screen."""
        return any(shot.area not in {Area.FIRST_SCREEN, Area.SECTIONS} for shot in self.shots)


@dataclass(frozen=True)
class Limits:
    """Moments on the event loop's clock: when a load is given up, and when the whole capture is."""

    load: float
    end: float


@dataclass(frozen=True)
class Shot:
    """A picture and the part of the page that it shows; width and height in its own pixels."""

    name: str
    output: ScreenshotOutput
    picture: Picture
    box: Box
    width: int
    height: int


@dataclass
class View:
    """What was had of one viewport."""

    plan: Plan
    final_url: str = ""
    status: int = 0
    redirects: int = 0
    title: str = ""
    shots: list[Shot] = field(default_factory=list)
    facts: PageFacts | None = None
    papers: taking.Papers = field(default_factory=taking.Papers)
    documents: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Content type and bytes by name: made of the papers once the browser is free."""
    headers: dict[str, str] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)
    measured: bool = False
    """Whether the page was split: one without content has no sections."""
    warnings: list[Warning] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    settled_by: Literal["quiet", "cap", "load", "none"] = "none"
    hung: bool = False
    """True when the page stopped answering: its browser gets no further job."""
    chromium: str = ""

    def warn(self, *warnings: Warning) -> None:
        """Add what is not there yet."""
        self.warnings += [warning for warning in warnings if warning not in self.warnings]

    def missing(self) -> list[Warning]:
        """Return what was asked for and is not there."""
        names = {shot.name for shot in self.shots}
        lost = [Warning.FACTS_MISSING] if self.plan.facts and self.facts is None else []
        lost += [Warning.DOCUMENTS_MISSING] if taking.missing(self.plan.outputs, self.papers) else []
        wanted = {shot.name for shot in self.plan.shots if shot.area not in MANY}
        wanted |= {f"{shot.name}.1" for shot in self.plan.of(Area.TILES)}
        pictures = wanted <= names and (not self.plan.of(Area.SECTIONS) or self.measured)
        return lost if pictures else [*lost, Warning.PICTURES_MISSING]


class Capture:
    """The state of one view while it is being made."""

    def __init__(self, page: Page, plan: Plan, watch: Lap) -> None:
        """Nothing happens before `run`."""
        self._page = page
        self._plan = plan
        self._watch = watch
        self._end = 0.0
        self._loaded = False
        self._judged = plan.fail_if == FailIf()
        self._motion: Motion | None = None
        self.view = View(plan)

    async def run(self, agent: Message, verdicts: Verdicts, limits: Limits) -> View:
        """Do it all by `limits.end`. Raises `ServiceError` when not even a picture of the first screen could be had."""
        self._end = limits.end
        plan = self._plan
        observer = facts.OBSERVER if plan.facts else ""
        visit = Visit(plan.url, plan.viewport, agent, observer, plan.guise, plan.watched)
        try:
            async with asyncio.timeout_at(limits.end - _LAST_S):
                await self._load(visit, verdicts, limits.load)
                await self._prepare()
                await (self._plain() if self._plan.settle is None else self._whole(self._plan.settle))
        except TimeoutError:
            if not self._judged:
                raise errors.hung("the conditions of fail_if could not be checked") from None
            self.view.hung = True
            self.view.warn(Warning.NOT_SETTLED)
            await self._salvage()
        except ServiceError as exc:
            if exc.code not in errors.HUNG or not (self.view.shots or self.view.papers):
                raise
            self.view.hung = True
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
                    self._saw(await look(self._page))
        except TimeoutError as exc:
            await self._last_picture()
            raise errors.hung("no answer after the load was given up") from exc

    async def _prepare(self) -> None:
        """Do what the caller wants done first. Raises `ServiceError` for a status that must not be."""
        conditions.check_status(self._page, self._plan.fail_if)
        with self._watch.browser("settle"):
            self.view.warn(*await preparing.prepare(self._page, self._plan.prepare, self._end - _LAST_S))

    async def _judge(self) -> None:
        """Raise `ServiceError` (capture_refused) where this is not the page that is wanted."""
        with self._watch.browser("settle"):
            await conditions.check(self._page, self._plan.fail_if)
        self._judged = True

    async def _plain(self) -> None:
        """Take the pictures as soon as the page has loaded."""
        await self._judge()
        glance = asyncio.create_task(self._glance())
        try:
            await self._shoot_screen()
            if self._plan.beyond:
                with self._watch.browser("capture"):
                    seen = await look(self._page)
                await self._shoot_page(seen)
            with self._watch.browser("capture"):
                await asyncio.wait([glance], timeout=_LAST_S)
            if glance.done():
                glance.result()  # raises where what was photographed was a refusal of our own
        finally:
            glance.cancel()

    async def _glance(self) -> None:
        # Beside the picture, never before it: a title is not worth a round trip.
        try:
            seen = await look(self._page)
        except ServiceError:
            return
        self._saw(seen)

    async def _whole(self, rule: Settle) -> None:
        """First screen as the visitor meets it, then all of the page: facts and pictures of one moment."""
        loop = asyncio.get_running_loop()
        # What never settles may not take all that is left: there must be time to say so with facts and pictures.
        longest = min(rule.max_ms / 1000, self._share())
        until = loop.time() + longest
        await self._settle(rule, timedelta(seconds=longest))
        await self._judge()
        await self._shoot_screen()
        await self._watch_motion()
        if not self._plan.whole:
            with self._watch.browser("settle"):
                self._saw(await look(self._page))
            await self._take_papers()
            return
        if rule.scroll:
            with self._watch.browser("settle"):
                await self._page.reduce_motion()
                await scroll_through(self._page, self._plan.viewport.height, timedelta(seconds=60))
            await self._settle(rule, timedelta(seconds=max(min(_LAST_SETTLE_S, self._share()), until - loop.time())))
        await self._take_papers()
        if self._plan.pictured:
            with self._watch.browser("settle"):
                await freeze(self._page)
            await self._together()
        else:
            with self._watch.browser("settle"):
                self._saw(await look(self._page))
        await self._print()

    async def _watch_motion(self) -> None:
        """See whether the first screen moves by itself, before it is told not to."""
        if Probe.MOTION in self._plan.probes:
            with self._watch.browser("facts"):
                self._motion = await motion.run(self._page, self._plan.viewport, self._share() / 2)

    async def _probe(self, found: PageFacts) -> PageFacts:
        with self._watch.browser("facts"):
            found = await probes.run(self._page, found, self._plan.probes, self._share())
        return found.model_copy(update={"motion": self._motion})

    async def _take_papers(self) -> None:
        with self._watch.browser("facts"):
            await taking.take_source(self._page, self._plan.outputs, self.view.papers)
        if (source := self.view.papers.source) and source.truncated:
            self.view.warn(Warning.TRUNCATED)

    async def _print(self) -> None:
        """Print last: it lays the page out anew. What cannot be printed costs nothing else."""
        try:
            with self._watch.browser("capture"):
                await taking.take_prints(self._page, self._plan.outputs, self.view.papers)
        except ServiceError as exc:
            if not (self.view.shots or self.view.facts or self.view.papers):
                raise
            self.view.hung |= exc.code in errors.HUNG

    def _share(self) -> float:
        """Return the seconds that a wait for the page to settle may take now."""
        return _SETTLE_SHARE * max(0.0, self._end - _LAST_S - asyncio.get_running_loop().time())

    async def _settle(self, rule: Settle, longest: timedelta) -> None:
        with self._watch.browser("settle"):
            settled = await settle(self._page, rule, longest, loaded=self._loaded)
        self.view.settled_by = settled.by
        passing = {Warning.NOT_SETTLED, Warning.FONTS_PENDING, Warning.IMAGES_PENDING}
        self.view.warnings = [warning for warning in self.view.warnings if warning not in passing]
        self.view.warn(*settled.warnings)
        self.view.pending = settled.pending

    async def _together(self) -> None:
        """Take facts and pictures; once more if the page moved meanwhile."""
        for last in (False, True):
            self.view.shots = [shot for shot in self.view.shots if shot.output.area is Area.FIRST_SCREEN]
            before = await self._measure()
            await self._shoot_page(before)
            with self._watch.browser("facts"):
                after = await look(self._page)
            if abs(after.height - before.height) <= _MOVED_PX:
                return
            if last:
                self.view.warn(Warning.LAYOUT_MOVED)

    async def _measure(self) -> Look:
        raw = ""
        wants_sections = bool(self._plan.of(Area.SECTIONS))
        with self._watch.browser("facts"):
            if self._plan.facts or wants_sections:
                try:
                    raw = await self._page.evaluate(facts.SCRIPT)
                except ProtocolError:
                    self.view.warn(Warning.FACTS_MISSING)
            seen = await look(self._page)
        self._saw(seen)
        self.view.measured = bool(raw)
        if raw:
            viewport = self._plan.viewport
            if self._plan.facts:
                found = facts.parse(raw, viewport, self._page.network.facts(self._page.url))
                self.view.facts = await self._probe(found)
            self.view.sections = sections.split(raw, viewport) if wants_sections else []
        return seen

    def _saw(self, seen: Look) -> None:
        self.view.title = seen.title
        self._page.answered(seen.status)
        if seen.empty:
            self.view.warn(Warning.PAGE_EMPTY)

    async def _shoot_screen(self) -> None:
        viewport = self._plan.viewport
        box = Box(x=0, y=0, width=viewport.width, height=viewport.height)
        await self._shoot([(shot.name, shot, box, None, 1.0) for shot in self._plan.of(Area.FIRST_SCREEN)])

    async def _shoot_page(self, seen: Look) -> None:
        """Take the full page and all sections."""
        if seen.height > MAX_CAPTURE_PX and (self._plan.facts or self._plan.of(Area.FULL_PAGE, Area.SECTIONS)):
            self.view.warn(Warning.TRUNCATED)
        width = self._plan.viewport.width
        density = self._plan.viewport.device_scale_factor
        page = Box(x=0, y=0, width=width, height=max(visible_height(seen.height), 1))
        scale = min(1.0, MAX_CAPTURE_PX / (page.height * density))
        wanted = [(shot.name, shot, page, page, scale) for shot in self._plan.of(Area.FULL_PAGE)]
        for shot in self._plan.of(Area.SECTIONS):
            boxes = [_clamped(section.box) for section in self.view.sections]
            wanted += [(f"{shot.name}.{n}", shot, box, box, 1.0) for n, box in enumerate(boxes, 1) if box.height >= 1]
        await self._shoot(wanted)
        await self._shoot_areas(seen)
        self._name_sections()

    async def _shoot_areas(self, seen: Look) -> None:
        """Take the parts that the caller named."""
        density = self._plan.viewport.device_scale_factor
        for shot in self._plan.of(Area.TILES):
            boxes = areas.tiles(shot.tiles, self._plan.viewport.width, seen.height)
            if not areas.covers(boxes, seen.height):
                self.view.warn(Warning.TRUNCATED)
            await self._shoot(
                [(f"{shot.name}.{n}", shot, box, box, areas.scale(box, density)) for n, box in enumerate(boxes, 1)]
            )
        for shot in self._plan.of(Area.CLIP):
            box = areas.clip(shot, self._plan.viewport, seen.height)
            await self._shoot([(shot.name, shot, box, box, areas.scale(box, density))])
        for shot in self._plan.of(Area.ELEMENT):
            async with areas.element(self._page, shot) as box:
                await self._shoot([(shot.name, shot, box, box, areas.scale(box, density))])

    def _name_sections(self) -> None:
        names = {shot.name for shot in self.view.shots}
        for output in self._plan.of(Area.SECTIONS)[:1]:
            self.view.sections = [
                section.model_copy(update={"artifact": name if (name := f"{output.name}.{n}") in names else ""})
                for n, section in enumerate(self.view.sections, 1)
            ]

    async def _shoot(self, wanted: Iterable[tuple[str, ScreenshotOutput, Box, Box | None, float]]) -> None:
        with self._watch.browser("capture"):
            for name, output, box, clip, scale in wanted:
                await self._shoot_one(name, output, box, clip, scale)

    async def _shoot_one(self, name: str, output: ScreenshotOutput, box: Box, clip: Box | None, scale: float) -> None:
        picture = await self._page.shoot(output, clip, scale)
        factor = scale * self._plan.viewport.device_scale_factor
        width, height = round(box.width * factor), round(box.height * factor)
        self.view.shots.append(Shot(name, output, picture, box, width, height))

    async def _last_picture(self) -> None:
        """Take the first screen if it can be had at once."""
        if self.view.shots or not self._plan.of(Area.FIRST_SCREEN):
            return
        try:
            async with asyncio.timeout(_LAST_S / 2):
                await self._shoot_screen()
        except (TimeoutError, ServiceError):
            return

    async def _last_papers(self) -> None:
        if self.view.papers.source is None:
            try:
                async with asyncio.timeout(_LAST_S / 2):
                    await self._take_papers()
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

    def _conclude(self) -> None:
        main = self._page.network.main
        self.view.final_url = self._page.url
        self.view.status, self.view.redirects = main.status, main.redirects
        self.view.headers = reported(main.headers)
        self.view.warn(*self.view.missing())


def _clamped(box: Box) -> Box:
    height = math.floor(min(box.y + box.height, MAX_CAPTURE_PX) - box.y)
    return box.model_copy(update={"height": max(0, height)})
