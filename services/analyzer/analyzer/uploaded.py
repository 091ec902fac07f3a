"""A customer's picture of a page: cut into parts that a model can see, measured by nothing.

Every rule needs the page itself (elements, styles, requests), so each is `not_applicable`. Pixels are CSS pixels here:
whoever sends a picture of a screen with a ratio of 2 gets boxes in the picture's own pixels.
"""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from analyzer.measured import Measured
from analyzer.rules.registry import RULES
from analyzer.rules.rule import Scope
from contracts.errors import ErrorCode
from contracts.geometry import Box, ViewportName
from contracts.render import Artifact
from contracts.result import Outcome, ResultSection, RuleResult
from runtime.errors import ServiceError

NEEDS_PAGE = "Needs the page itself; only a picture was given"
_FORMATS = ("JPEG", "PNG", "WEBP")
_QUALITY = 85
_LEAST_PX, _MOST_PX = 200, 30_000
"""Below the first the model sees nothing (its documentation), above the second no screenshot is whole."""
_MOST_PIXELS = 60_000_000
_SHAPE = 1900 / 1440
"""Height to width of the tallest part: the same as that of a rendered page's sections."""
_OVERLAP_PX = 80
"""So much of a part is in the one before, so that nothing is only ever seen cut in two."""
_MOST_PARTS = 12


@dataclass(frozen=True)
class Cut:
    """A picture in parts. `images` are JPEG by section id; `rules` have all the same verdict."""

    measured: Measured
    images: Mapping[str, bytes]
    viewport: ViewportName


def cut(content: bytes, artifact: Artifact, asset_key: str) -> Cut:
    """Cut a picture into sections. CPU-bound: run it in a thread. Raises `ServiceError` (invalid request)."""
    viewport = ViewportName.MOBILE if artifact.viewport.mobile else ViewportName.DESKTOP
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            _check(image)
            picture = image.convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as exc:
        detail = "The upload is not a JPEG, PNG or WebP picture that can be read."
        raise ServiceError(ErrorCode.INVALID_REQUEST, detail, reason=repr(exc)) from exc
    sections: list[ResultSection] = []
    images: dict[str, bytes] = {}
    for number, (top, bottom) in enumerate(bands(*picture.size), 1):
        name = f"part-{number}"
        box = Box(x=0, y=top, width=picture.width, height=bottom - top)
        kind = "hero" if number == 1 else "other"
        sections.append(ResultSection(id=name, type=kind, viewport=viewport, box=box, asset_key=asset_key))
        images[name] = _jpeg(picture.crop((0, top, picture.width, bottom)))
    return Cut(_measured(sections, viewport), images, viewport)


def bands(width: int, height: int) -> list[tuple[int, int]]:
    """Return top and bottom of each part, alike in height; what lies beyond the twelfth is left out."""
    tallest = max(_OVERLAP_PX * 2, round(width * _SHAPE))
    if height <= tallest:
        return [(0, height)]
    count = math.ceil((height - _OVERLAP_PX) / (tallest - _OVERLAP_PX))
    step = (height - _OVERLAP_PX) / count
    edges = [(round(number * step), min(height, round((number + 1) * step) + _OVERLAP_PX)) for number in range(count)]
    return edges[:_MOST_PARTS]


def _check(image: Image.Image) -> None:
    width, height = image.size
    if min(width, height) < _LEAST_PX or max(width, height) > _MOST_PX or width * height > _MOST_PIXELS:
        detail = (
            f"The picture is {width} × {height} px; each side must have {_LEAST_PX} to {_MOST_PX} px, "
            f"and both together at most {_MOST_PIXELS // 1_000_000} million."
        )
        raise ServiceError(ErrorCode.INVALID_REQUEST, detail)


def _jpeg(picture: Image.Image) -> bytes:
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=_QUALITY)
    return data.getvalue()


def _measured(sections: list[ResultSection], viewport: ViewportName) -> Measured:
    rules = tuple(
        RuleResult(id=rule.id, viewport=viewport, outcome=Outcome.NOT_APPLICABLE, unit=rule.unit, detail=NEEDS_PAGE)
        for rule in RULES
        if rule.scope is not Scope.MOBILE or viewport is ViewportName.MOBILE
    )
    return Measured({}, tuple(sections), (), rules, (), frozenset())
