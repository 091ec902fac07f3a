"""When a dependency that is away may be tried again."""

from gateway.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock, longest_s: float = 8.0) -> Breaker:
    breaker = Breaker(longest_s, clock)
    for _ in range(3):
        assert breaker.admits()
        breaker.failed()
    assert breaker.open
    return breaker


def test_two_failures_are_forgiven_and_a_success_forgets_them() -> None:
    breaker = Breaker(clock=Clock())
    for _ in range(4):
        breaker.failed()
        breaker.failed()
        assert breaker.admits()
        breaker.worked()


def test_one_tries_after_a_pause_that_grows_to_its_bound() -> None:
    clock = Clock()
    breaker = opened(clock, longest_s=4.0)
    for pause in (1.0, 2.0, 4.0, 4.0):
        clock.now += pause - 0.01
        assert not breaker.admits()
        clock.now += 0.01
        assert [breaker.admits(), breaker.admits()] == [True, False]
        breaker.failed()
    clock.now += 4.0
    assert breaker.admits()
    breaker.worked()
    assert not breaker.open
    assert breaker.admits()


def test_a_trial_that_takes_longer_than_the_pause_is_still_the_only_one() -> None:
    clock = Clock()
    breaker = opened(clock, longest_s=1.0)
    clock.now += 1.0
    assert breaker.admits()
    clock.now += 3.0
    assert not breaker.admits()
    breaker.failed()
    assert not breaker.admits(), "and its end begins a pause"
    clock.now += 1.0
    assert breaker.admits()


def test_a_trial_that_never_ends_is_followed_by_another() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 1.0
    assert breaker.admits()
    clock.now += 6.0
    assert breaker.admits()


def test_calls_from_before_do_not_lengthen_the_pause() -> None:
    clock = Clock()
    breaker = opened(clock)
    for _ in range(40):
        breaker.failed()
    clock.now += 1.0
    assert breaker.admits()
