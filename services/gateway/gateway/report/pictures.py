"""The page's pictures: decoded once, made smaller, cut to the element in question. Runs in the caller's thread.

A decoded full page takes three bytes for each pixel: 25 MB for a usual desktop page, 70 MB for one at the height limit.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from contracts.geometry import VIEWPORTS, Box, ViewportName
from contracts.result import Asset

_MAX_JPEG_PX = 65_500
_OUTLINE_PX = 4
_HALO_PX = 2


@dataclass(frozen=True)
class Picture:
    """A JPEG as a data: URI, with its size in pixels."""

    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Shot:
    """A decoded picture and the part of the page (CSS pixels) that it shows."""

    image: Image.Image
    box: Box

    @property
    def scale(self) -> float:
        """Picture pixels for one CSS pixel."""
        return self.image.width / self.box.width


@dataclass(frozen=True)
class Framing:
    """How much of the page a cutout shows around its elements (CSS pixels), and how wide it may become (pixels)."""

    least_width: float
    least_height: float
    margin: float
    tallest: float
    pixels: int


FRAMINGS = {
    ViewportName.DESKTOP: Framing(least_width=700, least_height=300, margin=70, tallest=800, pixels=760),
    ViewportName.MOBILE: Framing(least_width=390, least_height=230, margin=70, tallest=620, pixels=480),
}


def shot(assets: Sequence[Asset], kind: str, viewport: ViewportName, pictures: Mapping[str, bytes]) -> Shot | None:
    """Decode the picture of a kind and view. None where it was not taken, not handed over or cannot be read."""
    for asset in assets:
        if asset.kind == kind and asset.viewport is viewport and asset.key in pictures:
            image = _decoded(pictures[asset.key])
            if image is not None:
                return Shot(image, _shown(asset, image))
    return None


def _decoded(data: bytes) -> Image.Image | None:
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # what Pillow says of bytes it cannot read
        return None


def _shown(asset: Asset, image: Image.Image) -> Box:
    if asset.box is not None and asset.box.width > 0 and asset.box.height > 0:
        return asset.box
    width = VIEWPORTS[asset.viewport].width
    return Box(x=0, y=0, width=width, height=image.height * width / image.width)


def first_screen(full: Shot, viewport: ViewportName) -> Shot:
    """Cut the first screen off the top of the full page."""
    height = min(VIEWPORTS[viewport].height, full.box.height)
    image = full.image.crop((0, 0, full.image.width, max(1, round(height * full.scale))))
    return Shot(image, full.box.model_copy(update={"height": height}))


def picture(source: Shot, *, width: int, quality: int) -> Picture:
    """Encode a picture that is at most `width` pixels wide."""
    image = source.image
    ratio = min(1.0, width / image.width, _MAX_JPEG_PX / image.height)
    if ratio < 1:
        size = max(1, round(image.width * ratio)), max(1, round(image.height * ratio))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return _encoded(image, quality)


def _encoded(image: Image.Image, quality: int) -> Picture:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, optimize=False, progressive=False)
    uri = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return Picture(uri, image.width, image.height)


def cutout(source: Shot, boxes: Sequence[Box], viewport: ViewportName, colour: str) -> Picture | None:
    """Cut the surroundings of the first box out of the picture and outline every box that fits in as well.

    None where the first box lies outside the picture.
    """
    inside = [b for b in (_clipped(box, source.box) for box in boxes) if b is not None]
    if not inside or _clipped(boxes[0], source.box) is None:
        return None
    framing = FRAMINGS[viewport]
    region = _region(_together(inside, framing), source.box, framing)
    left, top = (region.x - source.box.x) * source.scale, (region.y - source.box.y) * source.scale
    right, bottom = left + region.width * source.scale, top + region.height * source.scale
    image = source.image.crop(
        (round(left), round(top), max(round(left) + 1, round(right)), max(round(top) + 1, round(bottom)))
    )
    if image.width > framing.pixels:
        height = max(1, round(image.height * framing.pixels / image.width))
        image = image.resize((framing.pixels, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    for box in inside:
        _outline(image, box, region, colour)
    return _encoded(image, 78)


def _clipped(box: Box, area: Box) -> Box | None:
    left, top = max(box.x, area.x), max(box.y, area.y)
    right, bottom = min(box.x + box.width, area.x + area.width), min(box.y + box.height, area.y + area.height)
    if not (right - left >= 1 and bottom - top >= 1):  # so that a NaN counts as outside
        return None
    return Box(x=left, y=top, width=right - left, height=bottom - top)


def _union(one: Box, other: Box) -> Box:
    left, top = min(one.x, other.x), min(one.y, other.y)
    right = max(one.x + one.width, other.x + other.width)
    bottom = max(one.y + one.height, other.y + other.height)
    return Box(x=left, y=top, width=right - left, height=bottom - top)


def _together(boxes: Sequence[Box], framing: Framing) -> Box:
    """Join the boxes after the first one as long as one cutout can show them all."""
    joined = boxes[0]
    for box in boxes[1:]:
        wider = _union(joined, box)
        if wider.height + 2 * framing.margin <= framing.tallest:
            joined = wider
    return joined


def _region(box: Box, area: Box, framing: Framing) -> Box:
    """Frame a box with some of its surroundings, inside the picture; of a very tall box, show the top."""
    width = min(area.width, max(framing.least_width, box.width + 2 * framing.margin))
    wanted = max(framing.least_height, width * 0.36, box.height + 2 * framing.margin)
    height = min(area.height, framing.tallest, wanted)
    middle = box.y + min(box.height, height - 2 * framing.margin) / 2
    x = min(max(area.x, box.x + box.width / 2 - width / 2), area.x + area.width - width)
    y = min(max(area.y, middle - height / 2), area.y + area.height - height)
    return Box(x=x, y=y, width=width, height=height)


def _outline(image: Image.Image, box: Box, region: Box, colour: str) -> None:
    scale = image.width / region.width
    left, top = (box.x - region.x) * scale - _OUTLINE_PX, (box.y - region.y) * scale - _OUTLINE_PX
    right, bottom = left + box.width * scale + 2 * _OUTLINE_PX, top + box.height * scale + 2 * _OUTLINE_PX
    edge = _OUTLINE_PX - 1
    frame = (
        min(max(left, edge), image.width - 2),
        min(max(top, edge), image.height - 2),
        max(min(right, image.width - edge - 1), edge + 1),
        max(min(bottom, image.height - edge - 1), edge + 1),
    )
    if frame[0] >= frame[2] or frame[1] >= frame[3]:
        return
    draw = ImageDraw.Draw(image)
    halo = (frame[0] - _HALO_PX, frame[1] - _HALO_PX, frame[2] + _HALO_PX, frame[3] + _HALO_PX)
    draw.rounded_rectangle(halo, radius=6, outline="#ffffff", width=_OUTLINE_PX + 2 * _HALO_PX)
    draw.rounded_rectangle(frame, radius=4, outline=colour, width=_OUTLINE_PX)
