"""Scores add up exactly, whatever the findings."""

import math

from hypothesis import given
from hypothesis import strategies as st

from analyzer import scoring
from analyzer.rules.policy import load
from analyzer.rules.registry import RULES
from contracts.geometry import ViewportName
from contracts.result import (
    Evidence,
    Finding,
    Grade,
    LiftFactor,
    Reach,
    Reliability,
    Severity,
    Suggestion,
)

POLICY = load()
ALL = frozenset(LiftFactor)


def finding(number: int, rule: str, severity: Severity, reach: Reach, grade: Grade, **more: object) -> Finding:
    base = Finding(
        id=f"f_{number}",
        fingerprint=str(number),
        rule_ids=[rule],
        category="c",
        lift_factor=LiftFactor.CLARITY,
        severity=severity,
        evidence_grade=grade,
        viewport=reach,
        title=str(number),
        description="d",
        suggestion=Suggestion(summary="s"),
    )
    return base.model_copy(update=more)


RULE_IDS = st.sampled_from([rule.id for rule in RULES])
ROWS = st.lists(
    st.tuples(RULE_IDS, st.sampled_from(Severity), st.sampled_from(Reach), st.sampled_from(Grade)), max_size=40
)


def made(rows: list[tuple[str, Severity, Reach, Grade]]) -> list[Finding]:
    return [finding(number, *row) for number, row in enumerate(rows)]


@given(ROWS)
def test_steps_add_up_to_the_score(rows: list[tuple[str, Severity, Reach, Grade]]) -> None:
    scores = scoring.score(made(rows), ALL, POLICY)
    total = sum(step.points for step in scores.explanation)
    assert scores.overall == max(0, round(100 + total))
    for step in scores.explanation:
        product = step.weight * step.severity_factor * step.reach_factor * step.grade_factor
        assert math.isclose(-step.points, round(product, 2), abs_tol=0.0001)


@given(ROWS)
def test_grade_c_alone_never_goes_below_sixty(rows: list[tuple[str, Severity, Reach, Grade]]) -> None:
    only_c = made([(rule, severity, reach, Grade.C) for rule, severity, reach, _ in rows])
    scores = scoring.score(only_c, ALL, POLICY)
    assert scores.overall >= 60
    lowered = any(step.grade_factor < 0.5 for step in scores.explanation)
    assert lowered == ("grade C" in scores.note)


@given(ROWS)
def test_more_findings_never_raise_the_score(rows: list[tuple[str, Severity, Reach, Grade]]) -> None:
    sound = made([(rule, severity, reach, Grade.A) for rule, severity, reach, _ in rows])
    scores = [scoring.score(sound[:count], ALL, POLICY).overall for count in range(len(sound) + 1)]
    assert scores == sorted(scores, reverse=True)


def test_figures_by_hand() -> None:
    rows = [
        finding(1, "cta.text_contrast", Severity.HIGH, Reach.BOTH, Grade.A),
        finding(2, "headline.length", Severity.LOW, Reach.MOBILE, Grade.C),
    ]
    scores = scoring.score(rows, ALL, POLICY)
    assert [step.points for step in scores.explanation] == [-9.8, -0.48]
    assert scores.overall == 90
    assert scores.by_factor[LiftFactor.CLARITY] == 90
    assert scores.by_factor[LiftFactor.ANXIETY] == 100


def test_factors_without_a_rule_have_no_score() -> None:
    assert set(scoring.score([], frozenset({LiftFactor.CLARITY}), POLICY).by_factor) == {LiftFactor.CLARITY}


def test_indicative_and_model_findings_do_not_count() -> None:
    shown = Evidence(kind="measurement", viewport=ViewportName.DESKTOP, reliability=Reliability.INDICATIVE)
    rows = [
        finding(1, "trust.https", Severity.CRITICAL, Reach.BOTH, Grade.A, evidence=[shown]),
        finding(2, "trust.https", Severity.CRITICAL, Reach.BOTH, Grade.A, source="ai"),
        finding(3, "unknown.rule", Severity.CRITICAL, Reach.BOTH, Grade.A),
    ]
    assert scoring.score(rows, ALL, POLICY).overall == 100


def test_the_floor_is_said() -> None:
    rows = [finding(n, "trust.https", Severity.CRITICAL, Reach.BOTH, Grade.A) for n in range(5)]
    scores = scoring.score(rows, ALL, POLICY)
    assert scores.overall == 0
    assert "exceed 100 by 25.0" in scores.note


def test_order_is_severity_then_points() -> None:
    rows = [
        finding(1, "form.mobile_zoom", Severity.LOW, Reach.BOTH, Grade.A),
        finding(2, "trust.https", Severity.LOW, Reach.BOTH, Grade.A),
        finding(3, "form.mobile_zoom", Severity.HIGH, Reach.DESKTOP, Grade.A),
    ]
    ordered = scoring.ordered(rows, scoring.score(rows, ALL, POLICY))
    assert [one.id for one in ordered] == ["f_3", "f_2", "f_1"]
