"""Values out of a document that a page may have forged: a clean value or a default comes out, never an error."""

import json
import math
import re
from typing import Final, TypeAlias

from contracts.errors import ErrorCode
from contracts.geometry import Box
from runtime.errors import ServiceError

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
Object: TypeAlias = "dict[str, Json]"

MAX_CHARACTERS: Final = 16_000_000
"""Two thousand full rows, the text and the blocks stay below four million; our script never answers with more."""
FAR_PX: Final = 10_000_000.0
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_COLOUR: Final = re.compile(r"#[0-9a-f]{6}")


def load(raw: str) -> Object:
    """Parse the script's answer; ServiceError(PAGE_UNSTABLE) where there is none."""
    try:
        if len(raw) > MAX_CHARACTERS:
            raise ValueError("too long")  # noqa: TRY301  # one translation for all ways of being unreadable
        document = json.loads(raw)
    except (ValueError, TypeError, RecursionError) as exc:
        raise _unreadable(f"the page's facts are not JSON: {exc}") from exc
    if not isinstance(document, dict) or document.get("version") != 1:
        raise _unreadable("the page's facts are not a document of version 1")
    return document


def _unreadable(reason: str) -> ServiceError:
    return ServiceError(
        ErrorCode.PAGE_UNSTABLE, "The page could not be read; it may have been replaced meanwhile.", reason=reason[:300]
    )


def text(value: Json, cap: int) -> str:
    """One line without control, zero-width and direction characters, at most `cap` characters long."""
    if not isinstance(value, str):
        return ""
    return " ".join(_INVISIBLE.sub("", value[: cap * 4]).split())[:cap]


def prose(value: Json, cap: int) -> str:
    """The same as `text`, with its line breaks."""
    if not isinstance(value, str):
        return ""
    lines = (" ".join(line.split()) for line in _INVISIBLE.sub("", value[: cap * 2]).split("\n"))
    return "\n".join(line for line in lines if line)[:cap]


def optional(value: Json, cap: int) -> str | None:
    """Text, or None where the page has none at all."""
    return text(value, cap) if isinstance(value, str) else None


def token(value: Json, cap: int = 40) -> str:
    """Return a lower-case word of letters, digits and hyphens, or nothing."""
    word = text(value, cap).lower()
    return word if re.fullmatch(r"[\w:-]*", word) else ""


def number(value: Json, low: float = -FAR_PX, high: float = FAR_PX) -> float:
    """Return a finite number between `low` and `high`; 0 (or the nearer limit) for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return min(max(0.0, low), high)
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    return min(max(found, low), high) if math.isfinite(found) else min(max(0.0, low), high)


def count(value: Json, high: float = FAR_PX) -> int:
    """Return a whole number that is not negative."""
    return int(number(value, 0, high))


def measured(value: Json, high: float = FAR_PX) -> float | None:
    """Return a number that is not negative, or None where nothing was measured."""
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return round(number(value, 0, high), 4) if known else None


def colour(value: Json) -> str:
    """Return `#rrggbb` or nothing."""
    return value if isinstance(value, str) and _COLOUR.fullmatch(value) else ""


def child(value: Json) -> Object:
    """Return an object; an empty one where there is none."""
    return value if isinstance(value, dict) else {}


def rows(value: Json, cap: int) -> list[Object]:
    """Return the objects of a list, at most `cap` of them."""
    return [row for row in value[:cap] if isinstance(row, dict)] if isinstance(value, list) else []


def items(value: Json, cap: int) -> "list[Json]":
    """Return a list, at most `cap` entries of it."""
    return value[:cap] if isinstance(value, list) else []


def box(value: Json) -> Box | None:
    """Read `[x, y, width, height]`; None unless these are four numbers."""
    sides = items(value, 5)
    if len(sides) != 4 or any(isinstance(side, bool) or not isinstance(side, int | float) for side in sides):  # noqa: PLR2004  # a box has four numbers
        return None
    x, y = number(sides[0]), number(sides[1])
    width, height = number(sides[2], 0), number(sides[3], 0)
    return Box(x=round(x, 2), y=round(y, 2), width=round(width, 2), height=round(height, 2))
