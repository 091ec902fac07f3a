"""What a rule is and what it says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from analyzer.view import View
from contracts.facts import Element
from contracts.result import Grade, LiftFactor, Outcome, PageType, Reliability

ALL = tuple(PageType)
LANDING = (PageType.LANDING,)
PRODUCT = (PageType.PRODUCT,)
CHECKOUT = (PageType.CHECKOUT,)
OFFER = (PageType.LANDING, PageType.PRODUCT, PageType.PRICING)
FORMS = (PageType.LANDING, PageType.CHECKOUT, PageType.OTHER)
"""Where a form is the point: form pages of every kind are landing pages or none of the named types."""

PITCH = (PageType.LANDING, PageType.PRICING)
PRICED = (PageType.PRODUCT, PageType.PRICING)

_RANK = [Outcome.NOT_APPLICABLE, Outcome.PASS, Outcome.WARN, Outcome.FAIL]


class Scope(StrEnum):
    """Where a rule looks: in each viewport, on the phone alone, or once for the page (its best viewport counts)."""

    EACH = "each"
    MOBILE = "mobile"
    PAGE = "page"


@dataclass(frozen=True)
class Proof:
    """One element (or none) with what was measured on it against what it should be."""

    metric: str
    value: float | str | None = None
    threshold: float | str | None = None
    unit: str = ""
    element: Element | None = None
    text: str = ""


@dataclass(frozen=True)
class Verdict:
    """What a rule says. `variant` tells apart the problems that one rule can find; `subject` names the element."""

    outcome: Outcome
    value: float | str | None = None
    proofs: tuple[Proof, ...] = ()
    variant: str = ""
    subject: str = ""
    total: int = 0
    reliability: Reliability = Reliability.MEASURED
    detail: str = ""


Limits = Mapping[str, float]
Check = Callable[[View, Limits], list[Verdict]]


@dataclass(frozen=True)
class Rule:
    """A definition beside the function that applies it. Thresholds, weight and severities are in rules.toml."""

    id: str
    definition: str
    factor: LiftFactor
    category: str
    grade: Grade
    sources: tuple[str, ...]
    check: Check
    unit: str = ""
    types: tuple[PageType, ...] = ALL
    scope: Scope = Scope.EACH
    heuristics: tuple[str, ...] = ()
    indicative: bool = False
    """Whether a figure counts only where it was measured in a reserved slot."""


def rank(outcome: Outcome) -> int:
    """Order outcomes from not applicable to fail."""
    return _RANK.index(outcome)


def worst(verdicts: list[Verdict]) -> Verdict:
    """Return the verdict that decides; the first of equals."""
    return max(verdicts, key=lambda verdict: rank(verdict.outcome))


def skip(detail: str, reliability: Reliability = Reliability.MEASURED) -> list[Verdict]:
    """Say that the rule does not apply, and why."""
    return [Verdict(Outcome.NOT_APPLICABLE, detail=detail, reliability=reliability)]


def passed(value: float | str | None = None, *proofs: Proof, subject: str = "") -> list[Verdict]:
    """Say that all is well."""
    return [Verdict(Outcome.PASS, value, proofs, subject=subject)]


def above(value: float, limits: Limits) -> Outcome:
    """Judge a figure that should stay small: beyond `fail` fails, beyond `warn` warns."""
    if "fail" in limits and value > limits["fail"]:
        return Outcome.FAIL
    return Outcome.WARN if "warn" in limits and value > limits["warn"] else Outcome.PASS


def crossed(outcome: Outcome, limits: Limits) -> float:
    """Return the limit that the outcome was measured against."""
    first, second = ("fail", "warn") if outcome is Outcome.FAIL else ("warn", "fail")
    return limits[first] if first in limits else limits[second]
