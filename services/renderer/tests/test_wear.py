import pytest

from renderer.wear import Pace, Recycle, Wear

EVERY_S = 60.0


def young(*seconds: float) -> tuple[Wear, Pace]:
    wear, pace = Wear(0), Pace()
    for reading in seconds:
        assert wear.measured(reading, 0, pace) is None
    return wear, pace


def test_two_slow_readings_in_a_row_wear_a_slot_out() -> None:
    wear, pace = young(0.25, 0.25, 0.25)
    assert wear.measured(0.75, 1, pace) is None
    assert wear.measured(0.75, 2, pace) is Recycle.SLOW


def test_a_single_slow_reading_is_forgiven() -> None:
    wear, pace = young(0.25, 0.25, 0.25)
    for reading in (0.9, 0.25, 0.9, 0.25, 0.9):
        assert wear.measured(reading, 1, pace) is None


def test_less_than_three_times_is_not_slow() -> None:
    wear, pace = young(0.25, 0.25, 0.25)
    assert [wear.measured(0.74, 1, pace) for _ in range(5)] == [None] * 5


def test_what_is_quick_anyhow_is_never_slow() -> None:
    wear, pace = young(0.01, 0.01, 0.01)
    assert [wear.measured(0.09, 1, pace) for _ in range(5)] == [None] * 5


def test_a_slot_that_was_never_any_good_differs_from_the_fleet() -> None:
    _, pace = young(0.25, 0.25, 0.25, 0.25)
    bad = Wear(0)
    assert bad.measured(0.9, 1, pace) is None
    assert bad.measured(0.9, 2, pace) is Recycle.SLOW


def test_one_outlier_among_the_first_readings_does_not_spoil_the_baseline() -> None:
    wear, pace = young(0.25, 0.5, 0.25, 0.25)
    assert wear.measured(0.75, 1, pace) is None
    assert wear.measured(0.75, 2, pace) is Recycle.SLOW


def test_slow_readings_do_not_become_the_baseline() -> None:
    wear, pace = young(0.25, 0.25, 0.25)
    verdicts = [wear.measured(0.8, 1, pace) for _ in range(20)]
    assert verdicts == [None] + [Recycle.SLOW] * 19
    assert pace.baseline() == 0.25


@pytest.mark.parametrize(("uses", "now"), [(0, 0), (1, 61), (1, 59), (0, 61)])
def test_it_is_due_at_first_and_then_when_jobs_were_served(uses: int, now: float) -> None:
    wear, pace = Wear(0), Pace()
    if now:
        wear.measured(0.25, 0, pace)
    wear.uses += uses
    assert wear.due(now, EVERY_S) is ((uses, now) in {(0, 0), (1, 61)})


def test_zero_switches_it_off() -> None:
    assert not Wear(0).due(1_000, 0)
