"""Measured values in front of a reader: numbers with units, a value on its scale, a pair of colours."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from contracts.geometry import ViewportName
from contracts.result import Evidence
from gateway.report import words

_PAIR = re.compile(r"#([0-9a-f]{6}|[0-9a-f]{3})\b[^#]{1,12}#([0-9a-f]{6}|[0-9a-f]{3})\b", re.IGNORECASE)
_HEADROOM = 1.25
_SECOND_MS = 1_000
_SUFFIXES = {"": "", "%": "%", "percent": "%", "share": "%", ":1": ":1", "ratio": ":1"}
_BYTES = {"bytes": 1, "byte": 1, "b": 1, "kb": 1_000, "mb": 1_000_000}
_LABELS = {"href": "Leads to", "h1": "Main headings", "lcp": "Largest content painted", "cls": "Layout shift"}
_COUNTED = frozenset({"actions", "amounts", "buttons", "characters", "fields", "headings", "images", "links", "words"})

Value = float | str


@dataclass(frozen=True)
class Scale:
    """Where value and threshold lie on a common scale, in percent of its length."""

    value: float
    threshold: float


@dataclass(frozen=True)
class Measure:
    """One thing that was measured, in words."""

    label: str
    value: str
    relation: str
    threshold: str
    where: str
    note: str
    scale: Scale | None


@dataclass(frozen=True)
class Swatch:
    """Text on a background, as `#rrggbb`, with their contrast ratio (WCAG 2.2, 1 to 21)."""

    text: str
    background: str
    ratio: float


def number(value: float) -> str:
    """Write a number with at most two decimals and commas between thousands."""
    if not math.isfinite(value):
        return "unknown"
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def quantity(value: Value, unit: str) -> str:
    """Write a value with its unit, in the size a reader would use."""
    if isinstance(value, str):
        return value
    name = unit.strip().lower()
    if name in _BYTES:
        return _data(value * _BYTES[name])
    if name == "ms" and abs(value) >= _SECOND_MS:
        return f"{number(value / _SECOND_MS)} s"
    if name == "share" and abs(value) <= 1:
        return f"{number(value * 100)}%"
    if value == 1 and name in _COUNTED:
        return f"1 {name.removesuffix('s')}"
    return number(value) + _SUFFIXES.get(name, f" {unit.strip()}")


def _data(size: float) -> str:
    for name, one in (("MB", 1_000_000), ("KB", 1_000)):
        if abs(size) >= one:
            return f"{number(round(size / one, 1))} {name}"
    return f"{number(size)} bytes"


def measures(evidence: Iterable[Evidence]) -> list[Measure]:
    """Describe what was measured; equal measurements of several elements or views become one."""
    measured = [e for e in evidence if e.value is not None]
    views: dict[tuple[object, ...], list[ViewportName]] = {}
    first: dict[tuple[object, ...], Evidence] = {}
    for e in measured:
        key = (e.metric, e.value, e.threshold, e.unit, e.reliability)
        first.setdefault(key, e)
        views.setdefault(key, []).append(e.viewport)
    return [_measure(e, views[key]) for key, e in first.items()]


def _measure(evidence: Evidence, seen_in: list[ViewportName]) -> Measure:
    value, threshold = evidence.value, evidence.threshold
    assert value is not None
    return Measure(
        label=_LABELS.get(evidence.metric) or words.humanized(evidence.metric) or "Measured",
        value=quantity(value, evidence.unit),
        relation=_relation(value, threshold),
        threshold="" if threshold is None else quantity(threshold, evidence.unit),
        where=" and ".join(words.VIEWPORTS[name].lower() for name in sorted(set(seen_in))),
        note=words.RELIABILITIES[evidence.reliability],
        scale=_scale(value, threshold),
    )


def _relation(value: Value, threshold: Value | None) -> str:
    if isinstance(value, str) or isinstance(threshold, str) or threshold is None:
        return "expected"
    if value == threshold:
        return "limit"
    return "at most" if value > threshold else "at least"


def _scale(value: Value, threshold: Value | None) -> Scale | None:
    if isinstance(value, str) or isinstance(threshold, str) or threshold is None:
        return None
    longest = max(value, threshold) * _HEADROOM
    if not (math.isfinite(longest) and longest > 0 and min(value, threshold) >= 0):
        return None
    return Scale(value=round(100 * value / longest, 2), threshold=round(100 * threshold / longest, 2))


def swatch(text: str) -> Swatch | None:
    """Find `#rrggbb on #rrggbb` in a text."""
    found = _PAIR.search(text)
    if found is None:
        return None
    front, back = (_rgb(digits) for digits in found.groups())
    return Swatch(text=_hex(front), background=_hex(back), ratio=_contrast(front, back))


def _rgb(digits: str) -> tuple[int, int, int]:
    full = digits if len(digits) == 6 else "".join(2 * d for d in digits)  # noqa: PLR2004  # rrggbb
    return int(full[0:2], 16), int(full[2:4], 16), int(full[4:6], 16)


def _hex(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _contrast(front: tuple[int, int, int], back: tuple[int, int, int]) -> float:
    """Compute the contrast ratio as WCAG 2.2 defines it, cut (not rounded) to two decimals."""
    light, dark = sorted((_luminance(front), _luminance(back)), reverse=True)
    return math.floor((light + 0.05) / (dark + 0.05) * 100) / 100


def _luminance(rgb: tuple[int, int, int]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb)]  # noqa: PLR2004  # sRGB, as WCAG 2.2 defines relative luminance
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
