"""What the pixels of a tall picture say about its rows: where nothing is drawn, and where all is of one colour."""

import asyncio
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageChops

from contracts.geometry import Box

Span = tuple[float, float]

SHRINK: Final = 4
"""Letters still show at a quarter of their size, and a JPEG is decoded at that size for a quarter of the time."""

_MAX_PIXELS: Final = 60_000_000
_BUSY: Final = 0.2
"""Mean step between neighbours, of 255, from which on something is drawn in a row; the noise of a JPEG stays below."""

_ONE_COLOUR: Final = 10
"""Largest difference between the pixels of a part that counts as one colour."""

_LEAST_PX: Final = 8


@dataclass(frozen=True)
class Rows:
    """Of one picture of the whole page, in CSS pixels: empty rows, and parts at least a screen high in one colour."""

    plain: tuple[Span, ...] = ()
    blank: tuple[Box, ...] = ()


async def read(data: bytes, page: Box, screen_px: int, *, shrink: int = SHRINK) -> Rows:
    """Read a picture that shows `page`; beside the event loop, for it takes tens of milliseconds."""
    return await asyncio.to_thread(_read, data, page, screen_px, shrink)


def _read(data: bytes, page: Box, screen_px: int, shrink: int) -> Rows:
    with Image.open(io.BytesIO(data), formats=["JPEG", "PNG", "WEBP"]) as opened:
        if opened.width * opened.height > _MAX_PIXELS:
            return Rows()
        opened.draft("RGB", (opened.width // shrink, opened.height // shrink))
        picture = opened.convert("RGB")
    # The same mean for the same drawing, whatever the format and the density.
    picture = picture.reduce(max(1, round(picture.width * SHRINK / page.width)))
    if picture.width < 2 or picture.height < 2:  # noqa: PLR2004  # no neighbours to compare
        return Rows()
    scale = page.height / picture.height
    return Rows(_plain(picture, scale), tuple(_blank(picture, page, screen_px / scale)))


def _plain(picture: Image.Image, scale: float) -> tuple[Span, ...]:
    grey = picture.convert("L")
    shifted = ImageChops.offset(grey, 1, 0)
    steps = ImageChops.difference(grey, shifted).crop((1, 0, grey.width, grey.height))
    # One row of eight bits would round the noise up to something: stretched first, averaged then.
    means = steps.point(lambda step: min(255, step * 16)).resize((1, steps.height), Image.Resampling.BOX).tobytes()
    spans, begun = [], None
    for y, mean in enumerate([*means, 255]):
        empty = mean < _BUSY * 16
        if empty and begun is None:
            begun = y
        elif not empty and begun is not None:
            spans.append((begun * scale, y * scale))
            begun = None
    return tuple(span for span in spans if span[1] - span[0] >= _LEAST_PX)


def _blank(picture: Image.Image, page: Box, screen: float) -> list[Box]:
    """Look through a window as high as the screen, a quarter of a screen further each time."""
    step, high = max(1, int(screen / 4)), int(screen)
    if high > picture.height or high < 1:
        return []
    scale = page.height / picture.height
    tops = [*range(0, picture.height - high, step), picture.height - high]
    found = [(top, top + high) for top in tops if _is_one_colour(picture.crop((0, top, picture.width, top + high)))]
    return [
        Box(x=page.x, y=page.y + top * scale, width=page.width, height=(bottom - top) * scale)
        for top, bottom in _joined(found)
    ]


def _is_one_colour(part: Image.Image) -> bool:
    return all(high - low <= _ONE_COLOUR for low, high in _extrema(part))


def _extrema(part: Image.Image) -> Sequence[tuple[int, int]]:
    return [channel.getextrema() for channel in part.split()]  # type: ignore[misc]  # of one channel: two numbers


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for top, bottom in spans:
        if joined and top <= joined[-1][1]:
            joined[-1] = (joined[-1][0], bottom)
        else:
            joined.append((top, bottom))
    return joined
