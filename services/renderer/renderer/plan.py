"""What is wanted of one viewport, and in which order it is had."""

from dataclasses import dataclass, field

from contracts.geometry import Viewport
from contracts.outputs import Area, Banners, FactsOutput, Output, Probe, ScreenshotOutput
from contracts.render import Settle
from contracts.visit import FailIf, Prepare
from renderer.visiting import Guise


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
    def pictured(self) -> bool:
        """Whether facts or pictures are wanted."""
        return bool(self.shots or self.facts)

    @property
    def clears(self) -> bool:
        """Whether banners are to be removed at some time."""
        return any(shot.banners is Banners.REMOVED for shot in self.shots)

    def stages(self) -> "list[Stage]":
        """Return what is had with the banners as seen, and then what is had without them."""
        kinds = [Banners.AS_SEEN, Banners.REMOVED] if self.clears else [Banners.AS_SEEN]
        shots = {kind: tuple(shot for shot in self.shots if shot.banners is kind) for kind in kinds}
        # Facts lie over the last pictures of the whole page, so that boxes and pixels agree.
        last = kinds[-1]
        return [Stage(kind, shots[kind], facts=bool(self.facts) and kind is last, last=kind is last) for kind in kinds]


@dataclass(frozen=True)
class Stage:
    """Pictures of one state of the page; `last` when nothing needs the page to move any more after it."""

    banners: Banners
    shots: tuple[ScreenshotOutput, ...]
    facts: bool
    last: bool

    def of(self, *wanted: Area) -> list[ScreenshotOutput]:
        """Return the wanted pictures of these areas."""
        return [shot for shot in self.shots if shot.area in wanted]

    @property
    def whole(self) -> bool:
        """Whether anything below the first screen is wanted."""
        return self.facts or any(shot.area is not Area.FIRST_SCREEN for shot in self.shots)


@dataclass(frozen=True)
class Limits:
    """Moments on the event loop's clock: when a load is given up, and when the whole capture is."""

    load: float
    end: float
