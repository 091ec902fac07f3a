import pytest

from renderer.stopwatch import Stopwatch


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


def test_overlapping_waits_count_once_and_phases_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("renderer.stopwatch.time", clock)
    watch = Stopwatch()
    wide, narrow = watch.view(), watch.view()
    with wide.browser("goto"):
        clock.now += 1
        with narrow.browser("goto"):
            clock.now += 2
    clock.now += 4  # our own work
    with wide.browser("settle"):
        clock.now += 1
    with wide.browser("settle"):
        clock.now += 1
    timings = watch.timings()
    assert timings.goto_ms == 3_000
    assert timings.settle_ms == 2_000
    assert timings.browser_ms == 5_000
    assert timings.total_ms == 9_000
    assert timings.own_ms == 4_000
