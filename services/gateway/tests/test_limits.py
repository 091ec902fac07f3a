"""Rate limits: three implementations, one model."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from gateway import metrics
from gateway.broker import Broker, send
from gateway.limits import shared
from gateway.limits.gcra import Limit, Verdict
from gateway.limits.local import LocalLimiter
from gateway.limits.shared import SharedLimiter
from tests.fixtures.redis import RedisServer

pytestmark = pytest.mark.anyio

START_US = 1_700_000_000_000_000
TEN_A_MINUTE = Limit("key", "k", quota=10, window_s=60, burst=3)


@dataclass
class Buckets:
    """The model: exact buckets that leak, one request an interval. It knows nothing of arrival times."""

    filled: dict[str, Fraction] = field(default_factory=dict)
    now_us: int = START_US

    def wait(self, microseconds: int, limits: list[Limit]) -> None:
        self.now_us += microseconds
        for limit in limits:
            left = self.filled.get(limit.key, Fraction(0)) - Fraction(microseconds, limit.interval_us)
            self.filled[limit.key] = max(Fraction(0), left)

    def take(self, limits: list[Limit]) -> list[tuple[int, int]]:
        """Return for each limit what is left and the microseconds until the request would fit."""
        over = [self.filled.get(limit.key, Fraction(0)) + limit.cost - limit.burst for limit in limits]
        allowed = all(one <= 0 for one in over)
        answers = []
        for limit, excess in zip(limits, over, strict=True):
            if allowed:
                self.filled[limit.key] = self.filled.get(limit.key, Fraction(0)) + limit.cost
            left = limit.burst - self.filled.get(limit.key, Fraction(0))
            answers.append((left.numerator // left.denominator, max(0, int(excess * limit.interval_us))))
        return answers


def said(verdict: Verdict) -> list[tuple[int, int]]:
    return [(level.remaining, level.retry_us) for level in verdict.levels]


def limit(key: str) -> st.SearchStrategy[Limit]:
    # Slow ones: the server forgets a key by the real clock, and these tests turn their own.
    numbers = st.tuples(st.integers(1, 300), st.integers(1, 5), st.integers(1, 3))
    return numbers.map(
        lambda three: Limit(key, key, quota=three[0], window_s=3_600, burst=max(three[1:]), cost=three[2])
    )


LIMITS = st.tuples(limit("key"), limit("tenant"), limit("address")).map(list)
STEPS = st.lists(st.one_of(st.integers(0, 3), st.integers(0, 90_000_000), st.integers(0, 7_200_000_000)), max_size=20)


@given(limits=LIMITS, steps=STEPS)
def test_memory_does_what_the_model_does(limits: list[Limit], steps: list[int]) -> None:
    model = Buckets()
    limiter = LocalLimiter(lambda: model.now_us)
    for step in steps:
        model.wait(step, limits)
        assert said(limiter.take_now(limits)) == model.take(limits)


class TurnedRedis:
    """The very script on a real server, with a clock that a test turns."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._redis = Redis.from_url(url)

    def take(self, limits: list[Limit], now_us: int) -> Verdict:
        return self._loop.run_until_complete(self._take(limits, now_us))

    async def _take(self, limits: list[Limit], now_us: int) -> Verdict:
        seconds, rest = divmod(now_us, 1_000_000)
        await send(self._redis, "MSET", "s", seconds, "us", rest)
        return await shared._take(self._redis, limits)

    def forget(self) -> None:
        self._loop.run_until_complete(send(self._redis, "FLUSHALL"))

    def close(self) -> None:
        self._loop.run_until_complete(self._redis.aclose())
        self._loop.close()


@pytest.fixture
def turned(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[TurnedRedis]:
    with_clock = shared._SCRIPT.replace("redis.call('TIME')", "redis.call('MGET', 's', 'us')")
    assert with_clock != shared._SCRIPT
    monkeypatch.setattr(shared, "_SCRIPT", with_clock)
    redis = TurnedRedis(redis_server.url)
    yield redis
    redis.close()


@given(limits=LIMITS, steps=STEPS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_redis_does_what_the_model_does(turned: TurnedRedis, limits: list[Limit], steps: list[int]) -> None:
    turned.forget()
    model = Buckets()
    for step in steps:
        model.wait(step, limits)
        assert said(turned.take(limits, model.now_us)) == model.take(limits)


async def test_what_one_limit_refuses_is_taken_from_none() -> None:
    limiter = LocalLimiter(lambda: START_US)
    narrow = Limit("address", "a", quota=10, window_s=60, burst=1)
    assert (await limiter.take([TEN_A_MINUTE, narrow])).allowed
    for _ in range(5):
        refused = await limiter.take([TEN_A_MINUTE, narrow])
        assert (refused.allowed, refused.tightest.limit, refused.tightest.retry_after_s) == (False, narrow, 6)
    assert (await limiter.take([TEN_A_MINUTE])).levels[0].remaining == 1


async def test_forgotten_keys_are_the_longest_unused() -> None:
    limiter = LocalLimiter(lambda: START_US)
    for number in range(100_010):
        limiter.take_now([Limit("address", str(number), quota=1, window_s=60, burst=1)])
    assert limiter.take_now([Limit("address", "5", quota=1, window_s=60, burst=1)]).allowed
    assert not limiter.take_now([Limit("address", "100009", quota=1, window_s=60, burst=1)]).allowed


@pytest.fixture
async def brokers(redis_server: RedisServer) -> AsyncIterator[list[Broker]]:
    opened = [Broker(redis_server.url) for _ in range(2)]
    yield opened
    for broker in opened:
        await broker.aclose()


async def granted(limiter: SharedLimiter, limit: Limit, tries: int) -> int:
    verdicts = [await limiter.take([limit]) for _ in range(tries)]
    return sum(verdict.allowed for verdict in verdicts)


async def test_two_processes_share_one_limit(brokers: list[Broker]) -> None:
    limiters = [SharedLimiter(broker, processes=2) for broker in brokers]
    hourly = Limit("key", "k", quota=10, window_s=3_600, burst=10)
    grants = [await granted(limiter, hourly, 8) for limiter in limiters]
    assert grants == [8, 2]


async def test_a_refusal_by_the_others_costs_no_part_of_the_own_floor(brokers: list[Broker]) -> None:
    first, second = (SharedLimiter(broker, processes=2) for broker in brokers)
    hourly = Limit("key", "k", quota=10, window_s=3_600, burst=10)
    assert await granted(first, hourly, 10) == 10
    assert await granted(second, hourly, 50) == 0
    assert second._floor.take_now([hourly]).levels[0].remaining == 9


async def test_emptying_redis_opens_nothing_in_the_process_that_had_granted(
    brokers: list[Broker], redis_server: RedisServer
) -> None:
    limiter = SharedLimiter(brokers[0], processes=2)
    hourly = Limit("key", "k", quota=10, window_s=3_600, burst=10)
    assert await granted(limiter, hourly, 10) == 10
    redis_server.say("FLUSHALL")
    assert await granted(limiter, hourly, 10) == 0


async def test_with_redis_away_each_process_grants_its_share_and_counts_it(
    brokers: list[Broker], redis_server: RedisServer
) -> None:
    limiter = SharedLimiter(brokers[0], processes=4)
    hourly = Limit("key", "k", quota=20, window_s=3_600, burst=20)
    lonely = Limit("key", "l", quota=2, window_s=3_600, burst=2)
    before = metrics.LIMIT_FALLBACKS._value.get()
    redis_server.kill()
    assert await granted(limiter, hourly, 20) == 5
    assert await granted(limiter, lonely, 20) == 1, "never closed"
    assert metrics.LIMIT_FALLBACKS._value.get() > before


@pytest.mark.parametrize("trouble", ["full", "replica"])
async def test_a_redis_that_takes_no_writes_is_as_good_as_away(
    brokers: list[Broker], redis_server: RedisServer, trouble: str
) -> None:
    orders = {"full": ("CONFIG", "SET", "maxmemory", "1"), "replica": ("REPLICAOF", "127.0.0.1", "1")}
    redis_server.say(*orders[trouble])
    limiter = SharedLimiter(brokers[0], processes=2)
    assert await granted(limiter, Limit("key", "k", quota=10, window_s=3_600, burst=10), 10) == 5
    assert brokers[0].away


async def test_a_limit_comes_back_with_time(brokers: list[Broker]) -> None:
    limiter = SharedLimiter(brokers[0], processes=1)
    quick = Limit("key", "k", quota=2, window_s=1, burst=1)
    assert (await limiter.take([quick])).allowed
    refused = await limiter.take([quick])
    assert not refused.allowed
    await asyncio.sleep(refused.tightest.retry_us / 1_000_000 + 0.1)  # the server's clock began a little later
    assert (await limiter.take([quick])).allowed
