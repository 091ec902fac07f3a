"""Waiting times stay within their bounds, and spread over them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.jobs.delays import LONGEST_S, after_busy, after_storage, backoff


@given(st.integers(1, 10_000), st.floats(0, 60), st.none() | st.floats(0, 3_600))
def test_backoff_stays_in_bounds(attempt: int, base_s: float, at_least_s: float | None) -> None:
    floor = timedelta(seconds=at_least_s or 0)
    assert floor <= backoff(attempt, base_s, at_least_s) <= floor + timedelta(seconds=LONGEST_S)


@pytest.mark.parametrize(("attempt", "ceiling_s"), [(1, 2), (2, 4), (3, 8), (20, LONGEST_S)])
def test_backoff_uses_the_whole_range(attempt: int, ceiling_s: float) -> None:
    drawn = [backoff(attempt, 2).total_seconds() for _ in range(500)]
    assert max(drawn) <= ceiling_s
    assert max(drawn) > 0.9 * ceiling_s
    assert min(drawn) < 0.1 * ceiling_s


@given(st.none() | st.floats(0.01, 600))
def test_a_busy_side_is_left_alone_for_as_long_as_it_asked(retry_after_s: float | None) -> None:
    asked = timedelta(seconds=1.0 if retry_after_s is None else retry_after_s)
    assert asked <= after_busy(retry_after_s) <= 2 * asked + timedelta(microseconds=1)


def test_an_outage_of_the_store_costs_few_renders() -> None:
    for _ in range(50):
        age, tries = timedelta(), 0
        while age < timedelta(minutes=15):
            delay = after_storage(age)
            assert timedelta(seconds=5) <= delay <= timedelta(seconds=120)
            age, tries = age + delay, tries + 1
        assert tries <= 30
