"""The score: 100 minus weight × severity × reach × grade of each finding, in all and by LIFT factor.

Only findings of rules count, so that the same page gets the same score with and without a model. Indicative rules weigh
nothing. Grade C counts half, and all of grade C together takes at most 40 points: its factor is lowered until it does.
"""

import math
from collections.abc import Mapping, Sequence

from analyzer.rules.policy import Policy
from contracts.result import Finding, Grade, LiftFactor, Reliability, Scores, ScoreStep, Severity

_SEVERITIES = list(Severity)
_FACTOR_DIGITS = 10_000


def _step(finding: Finding, policy: Policy, grade_factor: float) -> ScoreStep:
    weight = policy.rules[finding.rule_ids[0]].weight
    severity = policy.severity_factor[finding.severity]
    reach = policy.reach_factor[finding.viewport]
    return ScoreStep(
        finding_id=finding.id,
        factor=finding.lift_factor,
        points=0.0 - round(weight * severity * reach * grade_factor, 2),
        weight=weight,
        severity_factor=severity,
        reach_factor=reach,
        grade_factor=grade_factor,
    )


def _counts(finding: Finding, policy: Policy) -> bool:
    indicative = any(one.reliability is Reliability.INDICATIVE for one in finding.evidence)
    return bool(finding.rule_ids) and finding.source != "ai" and finding.rule_ids[0] in policy.rules and not indicative


def _factors(scored: Sequence[Finding], policy: Policy) -> tuple[Mapping[Grade, float], float]:
    """Return the grades' factors and by how much grade C would have gone too far."""
    steps = [_step(f, policy, policy.grade_factor[Grade.C]) for f in scored if f.evidence_grade is Grade.C]
    points = -sum(step.points for step in steps)
    most = policy.most_points_of_grade_c
    if points <= most:
        return policy.grade_factor, 0
    lowered = math.floor(policy.grade_factor[Grade.C] * most / points * _FACTOR_DIGITS) / _FACTOR_DIGITS
    return {**policy.grade_factor, Grade.C: lowered}, points - most


def _total(steps: Sequence[ScoreStep]) -> int:
    return max(0, round(100 + sum(step.points for step in steps)))


def score(findings: Sequence[Finding], judged: frozenset[LiftFactor], policy: Policy) -> Scores:
    """Compute the scores. `judged` are the factors for which a rule applied; the others have no score."""
    scored = [finding for finding in findings if _counts(finding, policy)]
    factors, excess = _factors(scored, policy)
    steps = [_step(finding, policy, factors[finding.evidence_grade]) for finding in scored]
    steps = sorted((step for step in steps if step.points), key=lambda step: (step.points, step.finding_id))
    by_factor = {name: _total([s for s in steps if s.factor is name]) for name in LiftFactor if name in judged}
    return Scores(overall=_total(steps), by_factor=by_factor, explanation=steps, note=_note(steps, excess))


def _note(steps: Sequence[ScoreStep], excess: float) -> str:
    notes = []
    if excess > 0:
        notes.append(
            f"Findings of grade C (convention) would have cost {excess:.1f} points more; together they may cost at "
            "most 40, "
            "so their factor was lowered."
        )
    beyond = -sum(step.points for step in steps) - 100
    if beyond > 0:
        notes.append(f"The deductions exceed 100 by {beyond:.1f}; the score stops at 0.")
    return " ".join(notes)


def ordered(findings: Sequence[Finding], scores: Scores) -> list[Finding]:
    """Sort by severity, then by points lost, then by title."""
    points = {step.finding_id: step.points for step in scores.explanation}
    return sorted(findings, key=lambda f: (_SEVERITIES.index(f.severity), points.get(f.id, 0), f.title, f.id))
