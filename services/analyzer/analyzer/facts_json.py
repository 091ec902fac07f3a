"""Facts from JSON that came from a hostile page: validated whole, or refused."""

import json
import math

from contracts.facts import PageFacts


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def parse(content: bytes) -> PageFacts:
    """Validate facts. Raises ValueError, with a text for the log, on anything that is not `PageFacts`."""
    try:
        data = json.loads(content, parse_constant=_refuse, parse_float=_finite)
        return PageFacts.model_validate(data)
    except (RecursionError, OverflowError) as exc:
        raise ValueError(f"facts cannot be read: {type(exc).__name__}") from exc
