"""WCAG contrast of `#rrggbb` colours, and the nearest colour that reaches a ratio."""

import re

_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_LINEAR_BELOW = 0.04045
_STEPS = 255
Rgb = tuple[int, int, int]


def parse(colour: str) -> Rgb | None:
    """Return red, green and blue of `#rrggbb`, or None when it is written otherwise."""
    if not _HEX.fullmatch(colour):
        return None
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _linear(channel: int) -> float:
    share = channel / 255
    return share / 12.92 if share <= _LINEAR_BELOW else float(((share + 0.055) / 1.055) ** 2.4)


def _luminance(colour: Rgb) -> float:
    red, green, blue = (_linear(channel) for channel in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _ratio(one: Rgb, other: Rgb) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def contrast(one: str, other: str) -> float | None:
    """Return the WCAG 2.2 contrast ratio, 1 to 21, or None when a colour is not `#rrggbb`."""
    first, second = parse(one), parse(other)
    return None if first is None or second is None else _ratio(first, second)


def _mixed(colour: Rgb, end: int, step: int) -> Rgb:
    red, green, blue = (round(channel + (end - channel) * step / _STEPS) for channel in colour)
    return red, green, blue


def _toward(colour: Rgb, end: int, against: Rgb, ratio: float) -> Rgb | None:
    mixes = (_mixed(colour, end, step) for step in range(_STEPS + 1))
    return next((mix for mix in mixes if _ratio(mix, against) >= ratio), None)


def nearest(colour: str, against: str, ratio: float) -> str | None:
    """Return the least darkened or lightened `colour` with `ratio` against `against`, or None when none reaches it."""
    first, second = parse(colour), parse(against)
    if first is None or second is None:
        return None
    mixes = [mix for end in (0, 255) if (mix := _toward(first, end, second, ratio)) is not None]
    if not mixes:
        return None
    best = min(mixes, key=lambda mix: distance(first, mix))
    return f"#{best[0]:02x}{best[1]:02x}{best[2]:02x}"


def distance(one: Rgb, other: Rgb) -> int:
    """Return how far two colours are apart: the sum of the channels' differences."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))
