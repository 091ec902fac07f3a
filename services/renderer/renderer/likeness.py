"""Whether two pictures of the same part of a page show the same.

Under load Chromium now and then answers with a clip some of whose images are not drawn yet: seen once in a few hundred.
"""

import asyncio
import io
from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageChops, ImageStat

from renderer.view import Shot

_SHRINK: Final = 8
_FAR: Final = 12
"""Mean difference, of 255, in the worst channel: scaling and compression stay below 5, a lost photograph above 20."""


async def unlike(whole: Shot, parts: Sequence[Shot]) -> list[Shot]:
    """Return the parts that do not look like their place in `whole`; beside the event loop."""
    return await asyncio.to_thread(_unlike, whole, parts)


def _unlike(whole: Shot, parts: Sequence[Shot]) -> list[Shot]:
    page = _small(whole)
    across, down = page.width / whole.box.width, page.height / whole.box.height
    found = []
    for part in parts:
        small = _small(part)
        left, top = (part.box.x - whole.box.x) * across, (part.box.y - whole.box.y) * down
        place = (left, top, left + part.box.width * across, top + part.box.height * down)
        inside = left >= 0 and top >= 0 and place[2] <= page.width + 1 and place[3] <= page.height + 1
        if not inside or small.height < 2:  # noqa: PLR2004  # nothing to compare
            continue
        clipped = (place[0], place[1], min(place[2], page.width), min(place[3], page.height))
        there = page.resize(small.size, Image.Resampling.BOX, box=clipped)
        if max(ImageStat.Stat(ImageChops.difference(small, there)).mean) > _FAR:
            found.append(part)
    return found


def _small(shot: Shot) -> Image.Image:
    with Image.open(io.BytesIO(shot.picture.data), formats=["JPEG", "PNG", "WEBP"]) as opened:
        size = (max(1, opened.width // _SHRINK), max(1, opened.height // _SHRINK))
        opened.draft("RGB", size)
        return opened.convert("RGB").resize(size, Image.Resampling.BOX)
