"""What the pictures of one viewport lack, by what the document says and by what the pixels show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contracts.geometry import Box, Viewport
from contracts.render import Completeness
from renderer import raw, scripts
from renderer.look import Look
from renderer.page import Page
from renderer.rows import Span

MAX_LISTED: Final = 20
_URL_CAP, _FAMILY_CAP, _SPAN_CAP = 500, 100, 1_000

_CONTENT_SHARE: Final = 0.2
"""Share of a band of one colour that must hold text or pictures, by the document, for the band to lack something."""

_WHOLE, _SCREEN = (
    scripts.joined("reading/dom.js", "reading/lacks.js", answer="lacks()").replace(
        '"use strict";', f'"use strict"; const WHOLE = {whole}, HEIGHT = 16000;', 1
    )
    for whole in ("true", "false")
)


@dataclass(frozen=True)
class Lacks:
    """What the document says is missing. `coming` may still arrive with patience; `lost` will not."""

    coming: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    fonts_coming: tuple[str, ...] = ()
    fonts_lost: tuple[str, ...] = ()
    unrevealed: tuple[Box, ...] = ()
    content: tuple[Span, ...] = ()

    @property
    def curable(self) -> bool:
        """Whether patience might help."""
        return bool(self.coming or self.fonts_coming or self.unrevealed)

    @property
    def weight(self) -> int:
        """How much is missing."""
        listed = (self.coming, self.lost, self.fonts_coming, self.fonts_lost, self.unrevealed)
        return sum(map(len, listed))


async def read(page: Page, *, whole: bool) -> Lacks:
    """Ask the document, for the whole page or for its first screen; take what is still loading from the network."""
    found = raw.load(await page.evaluate(_WHOLE if whole else _SCREEN))
    loading = [url for url in page.network.pending("Image") if whole or not url.startswith("data:")]
    pending = _urls(found.get("pending"))
    lost = [url for url in _urls(found.get("broken")) if url not in page.network.withheld]
    return Lacks(
        coming=tuple(dict.fromkeys([*pending, *loading])),
        lost=tuple(lost),
        fonts_coming=_names(found.get("fonts_waiting")),
        fonts_lost=_names(found.get("fonts_failed")),
        unrevealed=tuple(box for row in raw.items(found.get("unrevealed"), MAX_LISTED) if (box := raw.box(row))),
        content=tuple(_span(row) for row in raw.items(found.get("content"), _SPAN_CAP)),
    )


def glanced(viewport: Viewport, seen: Look) -> Completeness:
    """Judge by one look beside the picture: pictures only, for nothing else may be asked on that way."""
    images = list(dict.fromkeys([*seen.images, *seen.broken]))[:MAX_LISTED]
    return Completeness(viewport=viewport, complete=not images, images_pending=images)


def bare(blank: Sequence[Box], content: Sequence[Span]) -> list[Box]:
    """Return the bands of one colour in which the document has content: the others are honest empty space."""
    return [band for band in blank if _filled(band, content) >= _CONTENT_SHARE * band.height]


def verdict(viewport: Viewport, lacks: Lacks, bands: Sequence[Box], attempts: int) -> Completeness:
    """Put it together, but for banners."""
    images = [*lacks.coming, *lacks.lost][:MAX_LISTED]
    fonts = [*lacks.fonts_coming, *lacks.fonts_lost][:MAX_LISTED]
    return Completeness(
        viewport=viewport,
        complete=not (images or fonts or bands or lacks.unrevealed),
        attempts=attempts,
        images_pending=images,
        fonts_missing=fonts,
        blank_bands=list(bands)[:MAX_LISTED],
        unrevealed=list(lacks.unrevealed),
    )


def _filled(band: Box, content: Sequence[Span]) -> float:
    overlaps = (min(band.y + band.height, bottom) - max(band.y, top) for top, bottom in content)
    return sum(overlap for overlap in overlaps if overlap > 0)


def _urls(value: raw.Json) -> list[str]:
    return [url for item in raw.items(value, MAX_LISTED) if (url := raw.text(item, _URL_CAP))]


def _names(value: raw.Json) -> tuple[str, ...]:
    return tuple(name for item in raw.items(value, MAX_LISTED) if (name := raw.text(item, _FAMILY_CAP)))


def _span(row: raw.Json) -> Span:
    ends = raw.items(row, 2)
    top, bottom = (raw.number(end) for end in (*ends, 0, 0)[:2])
    return top, bottom
