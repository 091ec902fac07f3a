"""The circuit breaker on a clock of its own."""

import pytest
from prometheus_client import REGISTRY

from analyzer.judging import breaker as module
from analyzer.judging.breaker import Breaker, Circuit, CircuitOpen


class Time:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def breaker(time: Time) -> Breaker:
    return Breaker("m", time)


def calls(breaker: Breaker, good: int = 0, bad: int = 0) -> None:
    for failed in [False] * good + [True] * bad:
        breaker.leave(breaker.enter(), failed=failed)


def state(breaker: Breaker) -> Circuit:
    return breaker.state


def is_open(breaker: Breaker) -> float:
    with pytest.raises(CircuitOpen) as caught:
        breaker.enter()
    return caught.value.retry_after_s


def test_few_failures_say_nothing(breaker: Breaker) -> None:
    calls(breaker, bad=module.LEAST_CALLS - 1)
    assert breaker.state is Circuit.CLOSED


@pytest.mark.parametrize(("good", "bad", "state"), [(11, 10, Circuit.CLOSED), (10, 10, Circuit.OPEN)])
def test_opens_at_the_ratio(good: int, bad: int, state: Circuit, breaker: Breaker) -> None:
    calls(breaker, good, bad)
    assert breaker.state is state


def test_what_is_old_does_not_count(breaker: Breaker, time: Time) -> None:
    calls(breaker, bad=9)
    time.now += module.WINDOW_S + 1
    calls(breaker, bad=9)
    assert state(breaker) is Circuit.CLOSED
    calls(breaker, bad=1)
    assert state(breaker) is Circuit.OPEN


def test_rests_and_then_lets_a_few_probe(breaker: Breaker, time: Time) -> None:
    calls(breaker, bad=10)
    assert is_open(breaker) == module.FIRST_REST_S
    time.now += module.FIRST_REST_S - 0.5
    assert is_open(breaker) == 0.5
    time.now += 0.5
    permits = [breaker.enter() for _ in range(module.PROBES)]
    assert is_open(breaker) > 0
    for permit in permits:
        breaker.leave(permit, failed=False)
    assert breaker.state is Circuit.CLOSED
    calls(breaker, bad=9)
    assert breaker.state is Circuit.CLOSED


def test_a_failed_probe_doubles_the_rest_up_to_a_minute(breaker: Breaker, time: Time) -> None:
    calls(breaker, bad=10)
    rests = []
    for _ in range(5):
        rests.append(is_open(breaker))
        time.now += rests[-1]
        calls(breaker, bad=1)
    assert rests == [10, 20, 40, 60, 60]
    time.now += 60
    calls(breaker, good=module.PROBES)
    calls(breaker, bad=10)
    assert is_open(breaker) == module.FIRST_REST_S


def test_one_good_probe_is_not_enough(breaker: Breaker, time: Time) -> None:
    calls(breaker, bad=10)
    time.now += module.FIRST_REST_S
    calls(breaker, good=1)
    assert state(breaker) is Circuit.HALF_OPEN
    calls(breaker, bad=1)
    assert state(breaker) is Circuit.OPEN


def test_a_probe_that_was_given_up_makes_room_for_another(breaker: Breaker, time: Time) -> None:
    calls(breaker, bad=10)
    time.now += module.FIRST_REST_S
    for _ in range(5):
        breaker.leave(breaker.enter(), failed=None)
    assert breaker.state is Circuit.HALF_OPEN


def test_what_began_before_a_turn_changes_nothing_after(breaker: Breaker, time: Time) -> None:
    late = [breaker.enter() for _ in range(20)]
    calls(breaker, bad=10)
    time.now += module.FIRST_REST_S
    breaker.enter()
    for permit in late:
        breaker.leave(permit, failed=True)
    assert breaker.state is Circuit.HALF_OPEN


def test_turns_are_counted(breaker: Breaker) -> None:
    def turns() -> float:
        return REGISTRY.get_sample_value("cro_claude_breaker_turns_total", {"to": "open"}) or 0

    before = turns()
    calls(breaker, bad=10)
    assert turns() == before + 1
