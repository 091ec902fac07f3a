"""The score as a sum that a reader can check."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from contracts.result import Finding, Scores, ScoreStep
from gateway.report import words

_CENT = Decimal("0.01")
FLOOR_NOTE = "A score never goes below 0."
LIMIT_NOTE = "Limit on how much conventions may cost."


@dataclass(frozen=True)
class Deduction:
    """One line of the sum. `number` is 0 where the finding is not in the report."""

    number: int
    title: str
    factor: str
    product: str
    points: str


@dataclass(frozen=True)
class Arithmetic:
    """100 minus deductions, corrected (by a floor or a limit) and rounded, is the score."""

    deductions: list[Deduction]
    deducted: str
    exact: str
    correction: str
    correction_note: str
    rounded: bool
    score: int


def arithmetic(scores: Scores, findings: list[Finding], numbers: Mapping[str, int]) -> Arithmetic:
    """Set out the sum: what is shown to two decimals adds up to two decimals."""
    titles = {f.id: f.title for f in findings}
    steps = sorted(scores.explanation, key=lambda step: numbers.get(step.finding_id, len(numbers) + 1))
    amounts = [_amount(step.points) for step in steps]
    exact = Decimal(100) + sum(amounts, Decimal(0))
    # Rounding differs by at most half a point; whatever is beyond that was a floor or a limit.
    correction = (
        Decimal(scores.overall) - exact if abs(Decimal(scores.overall) - exact) > Decimal("0.51") else Decimal(0)
    )
    return Arithmetic(
        deductions=[_deduction(step, amount, titles, numbers) for step, amount in zip(steps, amounts, strict=True)],
        deducted=_written(-sum(amounts, Decimal(0))),
        exact=_written(exact),
        correction=signed(correction) if correction else "",
        correction_note=_why(scores, correction),
        rounded=not correction and exact != scores.overall,
        score=scores.overall,
    )


def costs(scores: Scores) -> dict[str, float]:
    """Sum the points (0 or less) of each finding that costs any, by the finding's id."""
    cost: dict[str, float] = {}
    for step in scores.explanation:
        cost[step.finding_id] = cost.get(step.finding_id, 0.0) + step.points
    return cost


def signed(points: Decimal | float) -> str:
    """Write points with a true minus sign and as many decimals as they need."""
    amount = _amount(points)
    sign = "−" if amount < 0 else "+" if amount > 0 else ""  # noqa: RUF001  # a hyphen is not a minus
    return sign + _written(abs(amount))


def _amount(points: Decimal | float) -> Decimal:
    return Decimal(str(points)).quantize(_CENT, ROUND_HALF_UP)


def _written(amount: Decimal) -> str:
    text = f"{amount:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")  # noqa: RUF001  # a hyphen is not a minus


def _deduction(step: ScoreStep, amount: Decimal, titles: Mapping[str, str], numbers: Mapping[str, int]) -> Deduction:
    factors = [step.weight, step.severity_factor, step.reach_factor]
    product = " × ".join(f"{factor:g}" for factor in factors) + (
        f" × {step.grade_factor:g}" if step.grade_factor != 1 else ""
    )
    return Deduction(
        number=numbers.get(step.finding_id, 0),
        title=titles.get(step.finding_id, step.finding_id),
        factor=words.FACTORS[step.factor][0],
        product=product,
        points=signed(amount),
    )


def _why(scores: Scores, correction: Decimal) -> str:
    if not correction:
        return ""
    if scores.overall == 0:
        return FLOOR_NOTE
    return scores.note or LIMIT_NOTE
