import pytest

from contracts.result import LiftFactor, Scores, ScoreStep
from gateway.report.arithmetic import FLOOR_NOTE, LIMIT_NOTE, arithmetic, costs, signed


def step(points: float, finding: str = "f") -> ScoreStep:
    return ScoreStep(
        finding_id=finding,
        factor=LiftFactor.CLARITY,
        points=points,
        weight=10,
        severity_factor=0.7,
        reach_factor=1,
        grade_factor=0.5,
    )


def scores(overall: int, *points: float, note: str = "") -> Scores:
    return Scores(overall=overall, by_factor={}, explanation=[step(p) for p in points], note=note)


def test_the_lines_are_what_is_summed() -> None:
    table = arithmetic(scores(88, -3.333, -3.333, -5.25), [], {"f": 4})
    assert [line.points for line in table.deductions] == ["\u22123.33", "\u22123.33", "\u22125.25"]
    assert (table.deducted, table.exact, table.correction, table.rounded) == ("11.91", "88.09", "", True)
    assert table.deductions[0].product == "10 × 0.7 × 1 × 0.5"
    assert table.deductions[0].number == 4


@pytest.mark.parametrize(
    ("overall", "points", "note", "correction", "why"),
    [
        (0, (-80.0, -70.0), "", "+50", FLOOR_NOTE),
        (60, (-50.0,), "", "+10", LIMIT_NOTE),
        (
            60,
            (-50.0,),
            "Grade C alone cannot take a page below 60.",
            "+10",
            "Grade C alone cannot take a page below 60.",
        ),
        (97, (-2.5,), "", "", ""),
        (98, (-2.5,), "", "", ""),
    ],
)
def test_a_floor_or_limit_is_a_line_of_its_own(
    overall: int, points: tuple[float, ...], note: str, correction: str, why: str
) -> None:
    table = arithmetic(scores(overall, *points, note=note), [], {})
    assert (table.correction, table.correction_note) == (correction, why)


def test_nothing_deducted() -> None:
    table = arithmetic(scores(100), [], {})
    assert (table.deducted, table.exact, table.rounded, table.deductions) == ("0", "100", False, [])


def test_costs_are_summed_by_finding() -> None:
    several = Scores(overall=90, by_factor={}, explanation=[step(-1, "a"), step(-2.5, "b"), step(-3, "a")])
    assert costs(several) == {"a": -4, "b": -2.5}


def test_signs_are_typographic() -> None:
    assert [signed(x) for x in (-2.5, 0, 3)] == ["\u22122.5", "0", "+3"]
