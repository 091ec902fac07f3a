"""Numbered boxes on the picture of a page: where they go, so that every number can be read."""

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.geometry import Box, ViewportName

SPACE = {ViewportName.DESKTOP: 26 / 560, ViewportName.MOBILE: 28 / 260}
"""A number's diameter with its gap, as a share of the narrowest width at which the style sheet shows the picture."""

_STEPS = sorted(((x, y) for x in range(9) for y in range(7)), key=lambda step: step[0] + 1.3 * step[1])


@dataclass(frozen=True)
class Place:
    """A box on the page that belongs to a finding."""

    number: int
    box: Box


@dataclass(frozen=True)
class Mark:
    """A finding's box and its number, in percent of the picture. `pin_x`, `pin_y` is the number's centre."""

    id: str
    number: int
    left: float
    top: float
    width: float
    height: float
    pin_x: float
    pin_y: float


def marks(places: Iterable[Place], shown: Box, viewport: ViewportName) -> list[Mark]:
    """Place boxes and numbers on a picture that shows `shown`; boxes outside it are left out."""
    space = shown.width * SPACE[viewport]
    taken: list[tuple[float, float]] = []
    placed: list[Mark] = []
    for place in places:
        if not _visible(place.box, shown):
            continue
        pin = _pin(place.box, shown, space, taken)
        taken.append(pin)
        placed.append(_mark(place, pin, shown, f"{viewport}-{place.number}-{_nth(placed, place.number)}"))
    return placed


def _visible(box: Box, shown: Box) -> bool:
    across = box.x < shown.x + shown.width and box.x + box.width > shown.x
    return across and box.y < shown.y + shown.height and box.y + box.height > shown.y


def _nth(placed: list[Mark], number: int) -> int:
    return 1 + sum(1 for mark in placed if mark.number == number)


def _pin(box: Box, shown: Box, space: float, taken: list[tuple[float, float]]) -> tuple[float, float]:
    """Find the free place nearest to the box's upper left corner; in a hopeless crowd, take the corner."""
    corner = _within((box.x, box.y), shown, space)
    for right, down in _STEPS:
        spot = _within((corner[0] + right * space, corner[1] + down * space), shown, space)
        if all(abs(spot[0] - x) >= space * 0.99 or abs(spot[1] - y) >= space * 0.99 for x, y in taken):
            return spot
    return corner


def _within(spot: tuple[float, float], shown: Box, space: float) -> tuple[float, float]:
    half = space / 2
    x = min(max(spot[0], shown.x + half), shown.x + shown.width - half)
    y = min(max(spot[1], shown.y + half), shown.y + shown.height - half)
    return x, y


def _mark(place: Place, pin: tuple[float, float], shown: Box, name: str) -> Mark:
    left, top = max(place.box.x, shown.x), max(place.box.y, shown.y)
    right = min(place.box.x + place.box.width, shown.x + shown.width)
    bottom = min(place.box.y + place.box.height, shown.y + shown.height)
    return Mark(
        id=name,
        number=place.number,
        left=100 * (left - shown.x) / shown.width,
        top=100 * (top - shown.y) / shown.height,
        width=100 * (right - left) / shown.width,
        height=100 * (bottom - top) / shown.height,
        pin_x=100 * (pin[0] - shown.x) / shown.width,
        pin_y=100 * (pin[1] - shown.y) / shown.height,
    )


def style(mark: Mark) -> str:
    """Write the rules that put a mark in its place; a style attribute would need a weaker content policy."""
    box = (
        f"#box-{mark.id}{{left:{mark.left:.4f}%;top:{mark.top:.4f}%;width:{mark.width:.4f}%;height:{mark.height:.4f}%}}"
    )
    return f"{box}#pin-{mark.id}{{left:{mark.pin_x:.4f}%;top:{mark.pin_y:.4f}%}}"
