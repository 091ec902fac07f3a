"""Choosing between keys, on a clock of their own."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from prometheus_client import REGISTRY, generate_latest
from pydantic import SecretStr

from analyzer.judging.exchange import Trouble
from analyzer.judging.keys import PROBE_EVERY_S, SILENT_REST_S, Key, Keys, NoKey, choose, fingerprint, next_month_s
from analyzer.judging.limits import RateLimits

M = "claude-haiku-5-5"
START = 1_800_000_000.0


class Time:
    def __init__(self) -> None:
        self.now = 500.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        return START + self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def keys(time: Time) -> Keys:
    return Keys([SecretStr(f"sk-ant-{name}") for name in "abc"], time, time.wall)


def told(time: Time, kind: str, remaining: int, limit: int = 100, reset_s: float = 60) -> dict[str, str]:
    reset = f"{datetime.fromtimestamp(time.wall() + reset_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
    name = f"anthropic-ratelimit-{kind}"
    return {f"{name}-limit": str(limit), f"{name}-remaining": str(remaining), f"{name}-reset": reset}


def no_key(keys: Keys, tokens: int = 10) -> NoKey:
    with pytest.raises(NoKey) as caught:
        choose(keys.all, M, tokens)
    return caught.value


def test_calls_spread_evenly(keys: Keys) -> None:
    taken: Counter[str] = Counter()
    for _ in range(30):
        key = choose(keys.all, M, 10)
        key.enter(M, 10)
        taken[key.name] += 1
    assert set(taken.values()) == {10}


def test_calls_go_where_there_is_room(keys: Keys, time: Time) -> None:
    for key, left in zip(keys.all, (900, 90, 9), strict=True):
        key.learn(M, told(time, "input-tokens", left * 10, 10_000))
    taken: Counter[str] = Counter()
    for _ in range(100):
        key = choose(keys.all, M, 10)
        key.enter(M, 10)
        taken[key.name] += 1
    big, middle, small = (taken[key.name] for key in keys.all)
    assert big > 5 * middle > 5 * small


def test_a_spent_limit_is_waited_for_until_its_reset(keys: Keys, time: Time) -> None:
    for number, key in enumerate(keys.all):
        key.learn(M, told(time, "input-tokens", 5, reset_s=20 + number))
    error = no_key(keys)
    assert (error.trouble, error.key) == (Trouble.RATE_LIMITED, keys.all[0])
    assert 19 <= error.wait_s <= 20
    time.now += 20
    assert choose(keys.all, M, 10) is keys.all[0]


@pytest.mark.parametrize("kind", ["requests", "input-tokens", "output-tokens"])
def test_every_limit_counts(kind: str, keys: Keys, time: Time) -> None:
    for key in keys.all:
        key.learn(M, told(time, kind, 0))
    assert no_key(keys).wait_s > 50


def test_limits_are_each_models_own(keys: Keys, time: Time) -> None:
    for key in keys.all:
        key.learn(M, told(time, "requests", 0))
    assert choose(keys.all, "claude-sonnet-5-5", 10) in keys.all


def test_what_leaves_counts_before_the_next_answer(keys: Keys, time: Time) -> None:
    (first, *_) = keys.all
    first.learn(M, told(time, "requests", 2))
    for _ in range(2):
        assert first.wait_s(M, 1) == 0
        first.enter(M, 1)
    assert first.wait_s(M, 1) > 0


def test_a_request_above_the_whole_limit_is_not_waited_for_for_ever(time: Time) -> None:
    limits = RateLimits(time, time.wall)
    limits.learn(told(time, "input-tokens", 100, 100))
    assert limits.wait_s(5_000) == 0


def test_a_clock_that_is_off_does_not_shut_a_key_for_a_day(time: Time) -> None:
    limits = RateLimits(time, time.wall)
    limits.learn(told(time, "requests", 0, reset_s=86_400))
    assert limits.wait_s(1) == 300


@pytest.mark.parametrize("value", ["", "-5", "many", "1e9"])
def test_headers_that_say_nothing_are_no_limits(value: str, time: Time) -> None:
    limits = RateLimits(time, time.wall)
    limits.learn({**told(time, "requests", 0), "anthropic-ratelimit-requests-remaining": value})
    limits.learn({**told(time, "requests", 0), "anthropic-ratelimit-requests-reset": "soon"})
    assert limits.wait_s(1) == 0


def test_a_refused_key_is_probed_by_one_call_in_thirty_seconds(keys: Keys, time: Time) -> None:
    bad = keys.all[0]
    for key in keys.all:
        key.refused(M, Trouble.CREDENTIALS, None)
    assert (no_key(keys).trouble, no_key(keys).wait_s) == (Trouble.CREDENTIALS, PROBE_EVERY_S)
    time.now += PROBE_EVERY_S
    probe = choose([bad], M, 10)
    probe.enter(M, 10)
    with pytest.raises(NoKey):
        choose([bad], M, 10)
    bad.answered()
    assert choose([bad], M, 10) is bad


def test_a_spending_limit_lasts_until_the_month_or_an_operator_ends_it(keys: Keys, time: Time) -> None:
    for key in keys.all:
        key.refused(M, Trouble.SPEND_LIMIT, None)
    error = no_key(keys)
    assert error.trouble is Trouble.SPEND_LIMIT
    assert error.wait_s == pytest.approx(next_month_s(time.wall()))
    keys.all[1].reopen()
    assert choose(keys.all, M, 10) is keys.all[1]


@pytest.mark.parametrize(("now", "seconds"), [(1_798_761_599, 1), (1_798_761_600, 31 * 86_400)])
def test_the_next_month(now: float, seconds: float) -> None:
    assert next_month_s(now) == seconds  # either side of midnight, 1 January 2027


@pytest.mark.parametrize(("said", "rests"), [(7.0, 7.0), (None, SILENT_REST_S)])
def test_a_rate_limited_key_rests(said: float | None, rests: float, keys: Keys) -> None:
    first = keys.all[0]
    first.refused(M, Trouble.RATE_LIMITED, said)
    assert first.wait_s(M, 1) == rests
    assert choose(keys.all, M, 1) is not first


def test_who_has_waited_may_try(keys: Keys) -> None:
    only = keys.all[:1]
    only[0].refused(M, Trouble.RATE_LIMITED, 7)
    assert choose(only, M, 1, waited_for=only[0]) is only[0]
    only[0].refused(M, Trouble.CREDENTIALS, None)
    with pytest.raises(NoKey):
        choose(only, M, 1, waited_for=only[0])


def test_metrics_and_names_give_no_key_away(keys: Keys, time: Time) -> None:
    key: Key = keys.all[0]
    key.learn(M, told(time, "requests", 42))
    name = fingerprint("sk-ant-a")
    assert key.name == name
    assert len(name) == 8
    labels = {"key": name, "limit": "requests"}
    assert REGISTRY.get_sample_value("cro_claude_key_remaining", labels) == 42
    key.refused(M, Trouble.CREDENTIALS, None)
    assert REGISTRY.get_sample_value("cro_claude_key_usable", {"key": name}) == 0
    assert b"sk-ant" not in generate_latest()
    assert "sk-ant" not in repr(key.secret)
