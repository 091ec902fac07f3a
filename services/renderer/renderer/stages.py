"""A page that has loaded, from its first screen as the visitor meets it to facts and pictures of all of it."""

import asyncio
from datetime import timedelta
from typing import Final

from contracts.facts import Motion, PageFacts
from contracts.outputs import Area, Banners, Probe
from contracts.render import Settle, Warning  # noqa: A004  # the contract's word
from renderer import banners, completeness, errors, facts, rows, sections, taking
from renderer.camera import Camera
from renderer.cdp import ProtocolError
from renderer.completeness import Lacks
from renderer.likeness import unlike
from renderer.look import Look, look
from renderer.page import Page
from renderer.plan import Stage
from renderer.probing import motion, probes
from renderer.rows import Rows
from renderer.scroll import BRISK, PATIENT, Pace, scroll_through, unroll
from renderer.settle import settle
from renderer.still import hold, quieten, release
from renderer.stopwatch import Lap
from renderer.view import Shot, Take, View
from runtime.errors import ServiceError

_SECOND_S: Final = 4.0
"""Least time left for which a second chance is begun: it scrolls slowly and takes all pictures again."""

_MOVED_PX: Final = 2
_SETTLE_SHARE, _LAST_SETTLE_S = 0.4, 1.0


class Stages:
    """What is done with one view after its load; the view has the best of it at any time."""

    def __init__(self, page: Page, view: View, camera: Camera, watch: Lap) -> None:
        """Nothing happens before `run`."""
        self._page = page
        self._plan = view.plan
        self._view = view
        self._camera = camera
        self._watch = watch
        self._end = self._until = 0.0
        self._loaded = False
        self._met: PageFacts | None = None
        self._motion: Motion | None = None
        self._consent_left = False

    async def settle(self, rule: Settle, end: float, *, loaded: bool) -> None:
        """Wait for the page to settle; `run` goes on from there, until `end` on the loop's clock."""
        self._end, self._loaded = end, loaded
        # What never settles may not take all that is left: there must be time to say so with facts and pictures.
        longest = min(rule.max_ms / 1000, self._share())
        self._until = _now() + longest
        await self._settle(rule, longest)

    async def run(self, rule: Settle) -> None:
        """Do it all; what takes too long is cut off by the caller."""
        if not self._plan.pictured:
            await self._read_only(rule)
            return
        for stage in self._plan.stages():
            if stage.banners is Banners.REMOVED:
                await self._clear(rule)
            await self._camera.shoot(self._camera.screens(stage.shots), self._view.screens)
            if stage.banners is Banners.AS_SEEN:
                await self._watch_motion()
            if stage.whole:
                await self._whole(stage, rule)
            elif stage.last and not self._view.takes:
                await self._screen_only(stage, rule)
        await self._probe()
        await self.take_papers()  # where no picture of the whole page was wanted
        await self._print()

    def keep_met(self) -> None:
        """Keep the facts from before the banners were removed, where there are no later ones."""
        if self._met and self._view.facts is None:
            self._view.takes.append(Take(facts=self._met))

    # --- documents ---

    async def take_papers(self) -> None:
        """Take the page's source, once."""
        if self._view.papers.source:
            return
        with self._watch.browser("facts"):
            await taking.take_source(self._page, self._plan.outputs, self._view.papers)
        if (source := self._view.papers.source) and source.truncated:
            self._view.warn(Warning.TRUNCATED)

    async def _print(self) -> None:
        """Print last: it lays the page out anew. What cannot be printed costs nothing else."""
        try:
            with self._watch.browser("capture"):
                await taking.take_prints(self._page, self._plan.outputs, self._view.papers)
        except ServiceError as exc:
            if not (self._view.shots or self._view.facts or self._view.papers):
                raise
            self._view.hung |= exc.code in errors.HUNG

    async def _read_only(self, rule: Settle) -> None:
        """Have the page as a document, without a picture of it."""
        if taking.whole(self._plan.outputs):
            await self._scroll(rule, BRISK)
        with self._watch.browser("settle"):
            self._view.saw(await look(self._page))
        await self.take_papers()
        await self._print()

    # --- the first screen alone ---

    async def _screen_only(self, stage: Stage, rule: Settle) -> None:
        shots = [shot for shot in self._view.screens if shot.output in stage.shots]
        begun = _now()
        was = await self._screen_lacks(shots)
        self._judge(*was, attempts=1)
        if not (was[0].curable or _weight(*was) > was[0].weight) or not self._has_time(begun, rule):
            return
        await self._settle(rule, min(rule.max_ms / 2000, self._share()))
        again: list[Shot] = []
        await self._camera.shoot(self._camera.screens(stage.shots), again)
        now = await self._screen_lacks(again)
        better = _weight(*now) < _weight(*was)
        if better:
            self._view.screens = [*(shot for shot in self._view.screens if shot not in shots), *again]
        self._judge(*(now if better else was), attempts=2)

    async def _screen_lacks(self, shots: list[Shot]) -> tuple[Lacks, Rows]:
        with self._watch.browser("settle"):
            self._view.saw(await look(self._page))
            lacks = await self._lacks(whole=False)
        seen = await rows.read(shots[0].picture.data, shots[0].box, self._plan.viewport.height) if shots else Rows()
        return lacks, seen

    # --- probes ---

    async def _watch_motion(self) -> None:
        """See whether the first screen moves by itself, before it is told not to."""
        if Probe.MOTION in self._plan.probes:
            with self._watch.browser("facts"):
                self._motion = await motion.run(self._page, self._plan.viewport, self._share() / 2)

    async def _probe(self) -> None:
        """Measure what costs time of its own, last: without it the facts are good all the same."""
        wanted = self._plan.probes
        for take in self._view.takes:
            if take.facts is None:
                continue
            take.facts = take.facts.model_copy(update={"motion": self._motion})
            with self._watch.browser("facts"):
                take.facts = await probes.run(self._page, take.facts, wanted & {Probe.CONTRAST}, self._share())
                await release(self._page)  # the others need timers
                take.facts = await probes.run(self._page, take.facts, wanted - {Probe.CONTRAST}, self._share())

    # --- banners ---

    async def _clear(self, rule: Settle) -> None:
        """Remove banners, once their facts are known as the visitor met them."""
        with self._watch.browser("settle"):
            layers = await banners.find(self._page)
        if not layers:
            return
        if self._plan.facts:
            self._met = await self._read_met()
        with self._watch.browser("settle"):
            done = await banners.clear(self._page, self._plan.viewport, layers)
        self._view.banner_actions += done.actions
        self._consent_left = done.consent_left
        await self._settle(rule, min(_LAST_SETTLE_S, self._share()))

    async def _read_met(self) -> PageFacts | None:
        if not (raw := await self._read()):
            return self._met
        return self._parsed(raw)

    # --- all of the page ---

    async def _whole(self, stage: Stage, rule: Settle) -> None:
        """Have all of the page; where something is missing that patience may bring, once more with patience."""
        begun = _now()
        lacks = await self._unfold(stage, rule, BRISK)
        if stage.last:
            await self.take_papers()  # before anything is held still for the pictures
        # A page that gets a second chance must be able to use it: its scripts are stopped for its last pictures only.
        again = lacks.curable and rule.scroll and self._has_time(begun, rule)
        self._view.takes.append(take := Take())
        take = await self._take(stage, take, steady=stage.last and not again)
        self._judge(lacks, take.rows, attempts=1)
        if again or (completeness.bare(take.rows.blank, lacks.content) and self._has_time(begun, rule)):
            await self._second(stage, rule, lacks, take)

    async def _second(self, stage: Stage, rule: Settle, was: Lacks, first: Take) -> None:
        """Give the page its second chance, and keep the better pictures."""
        with self._watch.browser("settle"):
            await release(self._page)
        now = await self._unfold(stage, rule, PATIENT)
        second = await self._take(stage, Take(), steady=stage.last)
        better = _weight(now, second.rows) < _weight(was, first.rows)
        if better:
            self._replace(first, second)
        self._judge(*((now, second.rows) if better else (was, first.rows)), attempts=2)

    def _has_time(self, begun: float, rule: Settle) -> bool:
        # What it took once it may take again, and more.
        enough = max(_SECOND_S, 2 * (_now() - begun))
        return rule.max_ms > 0 and self._end - _now() >= enough

    async def _unfold(self, stage: Stage, rule: Settle, pace: Pace) -> Lacks:
        """Have everything load and show itself; then say what is missing."""
        await self._scroll(rule, pace)
        if stage.banners is Banners.REMOVED:
            await self._clear(rule)  # some wait for the first scroll
        with self._watch.browser("settle"):
            await unroll(self._page)
            await quieten(self._page)
            return await self._lacks(whole=True)

    async def _scroll(self, rule: Settle, pace: Pace) -> None:
        if not rule.scroll:
            return
        with self._watch.browser("settle"):
            await self._page.reduce_motion()
            await scroll_through(self._page, self._plan.viewport.height, pace, timedelta(seconds=self._share()))
        least = _LAST_SETTLE_S if pace is BRISK else rule.max_ms / 2000
        await self._settle(rule, max(min(least, self._share()), self._until - _now()))

    async def _lacks(self, *, whole: bool) -> Lacks:
        try:
            return await completeness.read(self._page, whole=whole)
        except ProtocolError:
            return Lacks()

    def _share(self) -> float:
        """Return the seconds that a wait for the page to settle may take now."""
        return _SETTLE_SHARE * max(0.0, self._end - _now())

    async def _settle(self, rule: Settle, longest_s: float) -> None:
        with self._watch.browser("settle"):
            settled = await settle(self._page, rule, timedelta(seconds=longest_s), loaded=self._loaded)
        self._view.settled_by = settled.by
        passing = {Warning.NOT_SETTLED, Warning.FONTS_PENDING, Warning.IMAGES_PENDING}
        self._view.warnings = [warning for warning in self._view.warnings if warning not in passing]
        self._view.warn(*settled.warnings)
        self._view.pending = settled.pending

    def _judge(self, lacks: Lacks, seen: Rows, attempts: int) -> None:
        bands = completeness.bare(seen.blank, lacks.content)
        verdict = completeness.verdict(self._plan.viewport, lacks, bands, attempts)
        left = self._consent_left
        self._view.completeness = verdict.model_copy(
            update={"consent_left": left, "complete": verdict.complete and not left}
        )

    # --- facts and pictures of one moment ---

    async def _take(self, stage: Stage, take: Take, *, steady: bool) -> Take:
        """Take facts and pictures; once more if the page moved meanwhile."""
        if steady:
            with self._watch.browser("settle"):
                await hold(self._page)
        if await self._stood_still(stage, take):
            return take
        again = Take()
        if not await self._stood_still(stage, again):
            self._view.warn(Warning.LAYOUT_MOVED)
        self._replace(take, again)
        return again

    async def _stood_still(self, stage: Stage, take: Take) -> bool:
        before = await self._shoot(stage, take)
        with self._watch.browser("facts"):
            after = await look(self._page)
        return abs(after.height - before.height) <= _MOVED_PX

    def _replace(self, old: Take, new: Take) -> None:
        self._view.takes = [new if take is old else take for take in self._view.takes]

    async def _shoot(self, stage: Stage, take: Take) -> Look:
        """Facts first, then the full page, whose pixels tell where to cut, then its sections."""
        raw, seen = await self._measure(stage, take)
        self._view.fits(seen)
        frames = [*self._camera.pages(stage, seen.height), *self._camera.parts(stage, seen.height)]
        await self._camera.shoot(frames, take.shots)
        await self._camera.elements(stage, take.shots)
        if take.shots or stage.of(Area.SECTIONS):
            take.rows = await self._camera.rows(take.shots, seen.height)
        if raw and stage.of(Area.SECTIONS):
            take.sections = sections.split(raw, self._plan.viewport, take.rows.plain)
            await self._shoot_sections(stage, take)
            take.name_sections(stage.of(Area.SECTIONS)[0].name)
        return seen

    async def _shoot_sections(self, stage: Stage, take: Take) -> None:
        whole = next((shot for shot in take.shots if shot.output.area is Area.FULL_PAGE), None)
        frames = self._camera.sections(stage, take.sections)
        await self._camera.shoot(frames, take.shots)
        if whole is None:
            return
        names = {frame.name for frame in frames}
        for shot in await unlike(whole, [shot for shot in take.shots if shot.name in names]):
            again: list[Shot] = []
            await self._camera.shoot([frame for frame in frames if frame.name == shot.name], again)
            take.shots[take.shots.index(shot)] = again[0]

    async def _measure(self, stage: Stage, take: Take) -> tuple[str, Look]:
        raw = await self._read() if stage.facts or stage.of(Area.SECTIONS) else ""
        with self._watch.browser("facts"):
            seen = await look(self._page)
        self._view.saw(seen)
        take.measured = bool(raw)
        if raw and stage.facts:
            take.facts = self._parsed(raw)
        return raw, seen

    async def _read(self) -> str:
        with self._watch.browser("facts"):
            try:
                return await self._page.evaluate(facts.SCRIPT)
            except ProtocolError:
                self._view.warn(Warning.FACTS_MISSING)
                return ""

    def _parsed(self, raw: str) -> PageFacts:
        found = facts.parse(raw, self._plan.viewport, self._page.network.facts(self._page.url))
        return facts.as_met(found, self._met) if self._met else found


def _weight(lacks: Lacks, seen: Rows) -> int:
    return lacks.weight + len(completeness.bare(seen.blank, lacks.content))


def _now() -> float:
    return asyncio.get_running_loop().time()
