"""What was had of one viewport: the best of it, whenever the time is over."""

from dataclasses import dataclass, field
from typing import Literal

from contracts.facts import PageFacts
from contracts.geometry import Box
from contracts.outputs import MANY, MAX_CAPTURE_PX, Area, ScreenshotOutput
from contracts.render import (
    BannerAction,
    Completeness,
    Section,
    Warning,  # noqa: A004  # the contract's word
)
from renderer import taking
from renderer.look import Look
from renderer.page import Picture
from renderer.plan import Plan
from renderer.rows import Rows


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
class Take:
    """Facts and pictures of one moment."""

    shots: list[Shot] = field(default_factory=list)
    facts: PageFacts | None = None
    sections: list[Section] = field(default_factory=list)
    measured: bool = False
    """Whether the page was split: one without content has no sections."""
    rows: Rows = field(default_factory=Rows)
    """What the pixels of the whole page say."""

    def name_sections(self, output: str) -> None:
        """Tell each section the name of its picture."""
        names = {shot.name for shot in self.shots}
        self.sections = [
            section.model_copy(update={"artifact": name if (name := f"{output}.{number}") in names else ""})
            for number, section in enumerate(self.sections, 1)
        ]


@dataclass
class View:
    """What was had of one viewport."""

    plan: Plan
    final_url: str = ""
    status: int = 0
    redirects: int = 0
    title: str = ""
    screens: list[Shot] = field(default_factory=list)
    """First screens; the rest is in the takes."""
    takes: list[Take] = field(default_factory=list)
    papers: taking.Papers = field(default_factory=taking.Papers)
    documents: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Content type and bytes by name: made of the papers once the browser is free."""
    headers: dict[str, str] = field(default_factory=dict)
    warnings: list[Warning] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    completeness: Completeness | None = None
    banner_actions: list[BannerAction] = field(default_factory=list)
    settled_by: Literal["quiet", "cap", "load", "none"] = "none"
    hung: bool = False
    """True when the page stopped answering: its browser gets no further job."""
    chromium: str = ""

    @property
    def shots(self) -> tuple[Shot, ...]:
        """Return all pictures."""
        return (*self.screens, *(shot for take in self.takes for shot in take.shots))

    @property
    def facts(self) -> PageFacts | None:
        """Return the facts of the last take that has some."""
        return next((take.facts for take in reversed(self.takes) if take.facts is not None), None)

    @property
    def sections(self) -> list[Section]:
        """Return the sections of the last take that was split."""
        return next((take.sections for take in reversed(self.takes) if take.sections), [])

    def saw(self, seen: Look) -> None:
        """Note what a look at the document has told."""
        self.title = seen.title
        if seen.empty:
            self.warn(Warning.PAGE_EMPTY)

    def fits(self, seen: Look) -> None:
        """Note where pictures cannot show all of the page."""
        if seen.height > MAX_CAPTURE_PX:
            self.warn(Warning.TRUNCATED)

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
        measured = any(take.measured for take in self.takes)
        pictures = wanted <= names and (not self.plan.of(Area.SECTIONS) or measured)
        return lost if pictures else [*lost, Warning.PICTURES_MISSING]
