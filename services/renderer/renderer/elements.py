"""One row of the element table, checked."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from contracts.facts import Element, FormField, LabelSource, Link, LinkKind, Picture, Style
from contracts.geometry import Box, Viewport
from renderer import raw
from renderer.raw import Json, Object

ELEMENT_CAP: Final = 2_000
_LANDMARKS: Final = frozenset({"header", "nav", "main", "footer", "aside", "form", "dialog", "consent", "search"})
_URL, _NAME, _TEXT, _SELECTOR = 2_000, 200, 400, 1_000
_WIDER: Final = 1.02
"""A layout this much wider than the viewport is one that the phone zooms out of."""


@dataclass(frozen=True)
class FirstScreen:
    """What the visitor sees before scrolling, in CSS pixels of the page's layout."""

    width: float
    height: float

    @classmethod
    def of(cls, viewport: Viewport, view: Object) -> Self:
        """Zoom out with a phone whose page is laid out wider than the screen (no viewport tag: 980 px)."""
        zoom = raw.number(view.get("width"), viewport.width, viewport.width * 10) / viewport.width
        zoom = zoom if viewport.mobile and zoom > _WIDER else 1.0
        return cls(viewport.width * zoom, viewport.height * zoom)

    def share(self, box: Box) -> float:
        """How much of the box lies within, 0 to 1."""
        width = min(box.x + box.width, self.width) - max(box.x, 0)
        height = min(box.y + box.height, self.height) - max(box.y, 0)
        area = box.width * box.height
        return round(min(1.0, width * height / area), 4) if width > 0 and height > 0 and area > 0 else 0.0


def element(row: Object, screen: FirstScreen, forms: Mapping[int, int]) -> Element | None:
    """Check a row; None without a number, a tag and a box. `forms` maps the page's form numbers to ours."""
    place, tag, box = raw.count(row.get("n")), raw.token(row.get("tag")), raw.box(row.get("box"))
    if not place or not tag or box is None:
        return None
    landmark = raw.token(row.get("landmark"))
    return Element(
        id=f"e{place}",
        tag=tag,
        role=raw.token(row.get("role")),
        name=raw.text(row.get("name"), _NAME),
        text=raw.text(row.get("text"), _TEXT),
        characters=raw.count(row.get("characters")),
        selector=raw.text(row.get("selector"), _SELECTOR),
        box=box,
        visible=row.get("visible") is True,
        covered=row.get("covered") is True,
        first_screen=screen.share(box),
        landmark=landmark if landmark in _LANDMARKS else "",
        heading_level=raw.count(row.get("heading_level"), 6),
        clickable=row.get("clickable") is True,
        inline=row.get("inline") is True,
        disabled=row.get("disabled") is True,
        lines=raw.count(row.get("lines"), 10_000),
        style=_style(row.get("style")),
        link=_link(row.get("link")),
        field=_field(row.get("field"), forms),
        picture=_picture(row.get("picture")),
    )


def _style(value: Json) -> Style | None:
    row = raw.child(value)
    if not row:
        return None
    contrast = raw.measured(row.get("contrast"))
    return Style(
        font_px=round(raw.number(row.get("font_px"), 0, 5_000), 2),
        font_weight=raw.count(row.get("font_weight"), 1_000),
        line_height_px=round(raw.number(row.get("line_height_px"), 0, 5_000), 2),
        color=raw.colour(row.get("color")),
        background=raw.colour(row.get("background")),
        background_is_image=row.get("background_is_image") is True,
        border_color=raw.colour(row.get("border_color")),
        border_px=round(raw.number(row.get("border_px"), 0, 5_000), 2),
        padding_px=round(raw.number(row.get("padding_px"), 0, 5_000), 2),
        filled=row.get("filled") is True,
        surround=raw.colour(row.get("surround")),
        position=raw.token(row.get("position")),
        contrast=None if contrast is None else _floored(contrast),
        text_align=raw.token(row.get("text_align")),
    )


def _floored(contrast: float) -> float:
    # Rounded up, 4.496 would pass a threshold of 4.5 that it fails.
    return math.floor(min(21.0, max(1.0, contrast)) * 100 + 1e-6) / 100


def _link(value: Json) -> Link | None:
    row = raw.child(value)
    kind = raw.token(row.get("kind"))
    if kind not in list(LinkKind):
        return None
    return Link(
        href=raw.text(row.get("href"), _URL),
        kind=LinkKind(kind),
        has_handler=row.get("has_handler") is True,
        target_exists=row.get("target_exists") is not False,
    )


def _field(value: Json, forms: Mapping[int, int]) -> FormField | None:
    row = raw.child(value)
    kind, source = raw.token(row.get("type")), raw.token(row.get("label_source"))
    if not kind:
        return None
    return FormField(
        type=kind,
        name=raw.text(row.get("name"), _NAME),
        label=raw.text(row.get("label"), _NAME),
        label_source=LabelSource(source) if source in list(LabelSource) else LabelSource.NONE,
        placeholder=raw.text(row.get("placeholder"), _NAME),
        beside=raw.text(row.get("beside"), _NAME),
        required=row.get("required") is True,
        autocomplete=raw.text(row.get("autocomplete"), 100),
        inputmode=raw.token(row.get("inputmode")),
        form=forms.get(int(raw.number(row.get("form"), -1)), -1),
    )


def _picture(value: Json) -> Picture | None:
    row = raw.child(value)
    if not row:
        return None
    size = raw.measured(row.get("transferred_bytes"), 1e12)
    return Picture(
        src=raw.text(row.get("src"), _URL),
        natural_width=raw.count(row.get("natural_width")),
        natural_height=raw.count(row.get("natural_height")),
        alt=raw.optional(row.get("alt"), _TEXT),
        complete=row.get("complete") is True,
        transferred_bytes=None if size is None else int(size),
        lazy=row.get("lazy") is True,
    )
