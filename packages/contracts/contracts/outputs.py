"""What can be had of a page load: pixels, facts, and the page as a document."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from contracts.geometry import Box, Viewport
from contracts.wire import PublicInput

MAX_CAPTURE_PX = 16_000
"""Taller captures can kill the browser: measured, see docs/adr/0006."""

_NAME = r"^[a-z0-9_]{1,40}(\.[a-z0-9_]{1,40})?$"


class Area(StrEnum):
    """What part of the page a screenshot shows."""

    FIRST_SCREEN = "first_screen"
    FULL_PAGE = "full_page"
    SECTIONS = "sections"
    TILES = "tiles"
    ELEMENT = "element"
    CLIP = "clip"


MANY = frozenset({Area.SECTIONS, Area.TILES})
"""Areas that give several artifacts, named `<name>.1`, `<name>.2`, …"""

MANY_AT_MOST = 40
"""Artifacts that one output of sections or tiles may give: 16,000 px in tiles of 400 px."""


class ImageFormat(StrEnum):
    """How pixels are encoded."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"


class Banners(StrEnum):
    """Whether consent banners and overlays are in the picture."""

    AS_SEEN = "as_seen"
    REMOVED = "removed"


class Tiles(PublicInput):
    """How the whole page is cut into pictures of equal height, in CSS pixels."""

    height: int = Field(900, ge=200, le=4_000)
    overlap: int = Field(0, ge=0, le=1_000, description="pixels that a tile shares with the one above it")

    @model_validator(mode="after")
    def _moves_on(self) -> "Tiles":
        if self.overlap * 2 > self.height:
            message = "overlap must be at most half of height"
            raise ValueError(message)
        return self


class ScreenshotOutput(PublicInput):
    """Pixels. `sections` and `tiles` give one artifact for each, named `<name>.1`, `<name>.2`, …"""

    kind: Literal["screenshot"] = "screenshot"
    name: str = Field("screenshot", pattern=_NAME)
    area: Area = Area.FIRST_SCREEN
    format: ImageFormat = ImageFormat.JPEG
    quality: int = Field(80, ge=1, le=100, description="ignored for png")
    viewport: Viewport = Viewport()
    device: str = Field("", max_length=40, description="name of a device preset; replaces viewport and user agent")
    selector: str = Field("", max_length=500, description="CSS selector of the element, for `element`")
    clip: Box | None = Field(None, description="the part of the page in CSS pixels, for `clip`")
    tiles: Tiles = Tiles()
    banners: Banners = Field(Banners.AS_SEEN, description="removed: consent declined and overlays dismissed before it")

    @model_validator(mode="after")
    def _complete(self) -> "ScreenshotOutput":
        if (self.area is Area.ELEMENT) != bool(self.selector):
            message = "selector goes with area `element`, and only with it"
            raise ValueError(message)
        if (self.area is Area.CLIP) != (self.clip is not None):
            message = "clip goes with area `clip`, and only with it"
            raise ValueError(message)
        return self


class Probe(StrEnum):
    """A measurement that costs time of its own, on top of reading the page."""

    AXE = "axe"
    CONTRAST = "contrast"
    MOTION = "motion"
    TARGETS = "targets"


class FactsOutput(PublicInput):
    """`PageFacts` as JSON."""

    kind: Literal["facts"] = "facts"
    name: str = Field("facts", pattern=_NAME)
    viewport: Viewport = Viewport()
    device: str = Field("", max_length=40, description="name of a device preset; replaces viewport and user agent")
    probes: list[Probe] = Field(
        default_factory=list,
        max_length=len(Probe),
        description="axe: run axe-core; contrast: sample pixels behind text on pictures; motion: two pictures some "
        "seconds apart where something seems to move; targets: ask where the main links lead and load og:image. "
        "An analysis has them all",
    )


class PdfOutput(PublicInput):
    """The page as it prints."""

    kind: Literal["pdf"] = "pdf"
    name: str = Field("pdf", pattern=_NAME)
    viewport: Viewport = Viewport()
    paper: Literal["a4", "letter"] = "a4"
    landscape: bool = False
    background: bool = Field(True, description="print background colours and pictures")


class DocumentKind(StrEnum):
    """The page as a document. `html` is the DOM after scripts ran; with the static tier, what the server sent."""

    HTML = "html"
    MARKDOWN = "markdown"
    TEXT = "text"
    LINKS = "links"
    METADATA = "metadata"


class DocumentOutput(PublicInput):
    """One of the forms of the page as a document; links and metadata are JSON, the rest is text in UTF-8."""

    kind: Literal["html", "markdown", "text", "links", "metadata"]
    name: str = Field("", pattern=r"^([a-z0-9_]{1,40}(\.[a-z0-9_]{1,40})?)?$", description="missing: the kind")
    viewport: Viewport = Viewport()

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: object) -> object:
        if isinstance(values, dict) and not values.get("name"):
            return {**values, "name": values.get("kind", "")}
        return values


Output = Annotated[ScreenshotOutput | FactsOutput | PdfOutput | DocumentOutput, Field(discriminator="kind")]

_JSON = "application/json"
_DOCUMENT_TYPES = {
    DocumentKind.HTML: "text/html",
    DocumentKind.MARKDOWN: "text/markdown",
    DocumentKind.TEXT: "text/plain",
    DocumentKind.LINKS: _JSON,
    DocumentKind.METADATA: _JSON,
}


def gives_many(output: Output) -> bool:
    """Whether an output's artifacts are numbered."""
    return isinstance(output, ScreenshotOutput) and output.area in MANY


def content_type(output: Output) -> str:
    """Return the type of an output's artifacts, without parameters."""
    if isinstance(output, ScreenshotOutput):
        return f"image/{output.format.value}"
    if isinstance(output, PdfOutput):
        return "application/pdf"
    return _JSON if isinstance(output, FactsOutput) else _DOCUMENT_TYPES[DocumentKind(output.kind)]
