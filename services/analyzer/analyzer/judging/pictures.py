"""Pictures at exactly the size that the model sees, so that the provider never scales them behind our coordinates."""

import hashlib
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
from PIL import Image, UnidentifiedImageError

from analyzer.judging.prices import Model

log = structlog.get_logger(__name__)

PATCH_PX = 28
MAX_PICTURES = 20
"""With more pictures in a request the provider allows no side above 2,000 px."""
_MAX_TOTAL_BYTES = 20 * 1024 * 1024
"""The provider takes 32 MB a request; base64 adds a third."""
_QUALITY = 80
_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


@dataclass(frozen=True)
class Picture:
    """An encoded picture of one section; `width` and `height` are its pixels as sent, `sha256` is of its bytes."""

    section_id: str
    data: bytes
    media_type: str
    width: int
    height: int
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        """Hash it now, in the thread that made it."""
        # A cached property would keep one lock for all pictures on Python 3.11.
        object.__setattr__(self, "sha256", hashlib.sha256(self.data).hexdigest())


def tokens(width: int, height: int) -> int:
    """Return what a picture of this size costs: one token for each started 28 px patch."""
    return math.ceil(width / PATCH_PX) * math.ceil(height / PATCH_PX)


def fitted(width: int, height: int, model: Model) -> tuple[int, int]:
    """Return the largest size of the same shape that the model takes unscaled."""
    edge = min(1.0, model.max_edge_px / max(width, height))
    long = round(max(width, height) * edge)
    while True:
        scale = long / max(width, height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        if tokens(*size) <= model.max_image_tokens:
            return size
        long -= 1


def _fit(section_id: str, data: bytes, model: Model, widest: float) -> Picture:
    with Image.open(io.BytesIO(data), formats=list(_TYPES)) as image:
        scale = min(1.0, widest / image.width)
        size = fitted(max(1, round(image.width * scale)), max(1, round(image.height * scale)), model)
        if size == image.size:
            return Picture(section_id, data, _TYPES[str(image.format)], *size)
        scaled = io.BytesIO()
        image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(scaled, "JPEG", quality=_QUALITY)
        return Picture(section_id, scaled.getvalue(), "image/jpeg", *size)


def prepare(images: Mapping[str, bytes], model: Model, widths: Mapping[str, float] | None = None) -> dict[str, Picture]:
    """Size pictures for a model, in order, as many as one request holds; a broken picture is left out and logged.

    `widths` are the sections' own, in CSS pixels, by id: a phone's picture has four times the pixels, and says no more.
    """
    ready: dict[str, Picture] = {}
    room = _MAX_TOTAL_BYTES
    for section_id, data in list(images.items())[:MAX_PICTURES]:
        try:
            picture = _fit(section_id, data, model, (widths or {}).get(section_id, math.inf))
        except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as exc:
            log.warning("picture_unusable", section_id=section_id, reason=str(exc))
            continue
        room -= len(picture.data)
        if room < 0:
            log.warning("pictures_too_many", kept=len(ready), given=len(images))
            break
        ready[section_id] = picture
    return ready
