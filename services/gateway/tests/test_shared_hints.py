"""Wake-ups between processes: each `SharedHints` here stands for one of them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from gateway.broker import Broker
from gateway.hints import DELIVERIES, QUEUE, job_topic
from gateway.shared_hints import SharedHints
from tests.fixtures.redis import RedisServer

pytestmark = pytest.mark.anyio

LONG = timedelta(seconds=1.9)


@pytest.fixture
async def three(redis_server: RedisServer) -> AsyncIterator[list[SharedHints]]:
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(3):
            broker = Broker(redis_server.url)
            stack.push_async_callback(broker.aclose)
            made.append(SharedHints(redis_server.url, broker))
            stack.push_async_callback(made[-1].aclose)
        yield made


async def blocked(server: RedisServer, count: int) -> None:
    """Return once `count` clients wait in the server."""
    give_up = time.monotonic() + 10
    while server.number("INFO", "clients", field="blocked_clients") != count:
        assert time.monotonic() < give_up
        await asyncio.sleep(0.005)


async def listening(server: RedisServer, count: int) -> None:
    """Return once `count` clients have subscribed."""
    give_up = time.monotonic() + 10
    while server.last("PUBSUB", "NUMSUB", "cro:events") != f":{count}":
        assert time.monotonic() < give_up
        await asyncio.sleep(0.005)


async def test_one_job_wakes_one_idle_worker(three: list[SharedHints], redis_server: RedisServer) -> None:
    waits = [asyncio.create_task(hints.wait(QUEUE, timedelta(seconds=30))) for hints in three[:2]]
    await blocked(redis_server, 2)
    await three[2].notify(QUEUE)
    done, others = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    assert (len(done), len(others)) == (1, 1)
    await three[2].notify(QUEUE)
    await asyncio.gather(*others)


async def test_one_event_wakes_one_courier_and_no_worker(three: list[SharedHints], redis_server: RedisServer) -> None:
    couriers = [asyncio.create_task(hints.wait(DELIVERIES, timedelta(seconds=30))) for hints in three[:2]]
    worker = asyncio.create_task(three[0].wait(QUEUE, timedelta(seconds=30)))
    await blocked(redis_server, 3)
    await three[2].notify(DELIVERIES)
    done, others = await asyncio.wait(couriers, return_when=asyncio.FIRST_COMPLETED)
    assert (len(done), len(others), worker.done()) == (1, 1, False)
    await three[2].notify(QUEUE)
    await worker
    await three[2].notify(DELIVERIES)
    await asyncio.gather(*others)


async def test_a_token_that_comes_first_is_kept_and_tokens_do_not_pile_up(
    three: list[SharedHints], redis_server: RedisServer
) -> None:
    for _ in range(100):
        await three[0].notify(QUEUE)
    assert redis_server.say("LLEN", "cro:wake") == ":64"
    assert redis_server.say("TTL", "cro:wake") in {":4", ":5"}
    await three[1].wait(QUEUE, timedelta(seconds=30))
    assert redis_server.say("LLEN", "cro:wake") == ":63"


async def test_without_a_token_the_wait_ends_in_time_and_keeps_its_connection(
    three: list[SharedHints], redis_server: RedisServer
) -> None:
    begun = time.monotonic()
    await three[0].wait(QUEUE, timedelta(seconds=0.2))
    connected = redis_server.number("INFO", "stats", field="total_connections_received")
    await three[0].wait(QUEUE, timedelta(seconds=0.2))
    assert time.monotonic() - begun >= 0.4
    # The two questions themselves come on connections of their own.
    assert redis_server.number("INFO", "stats", field="total_connections_received") == connected + 1


async def test_everybody_who_waits_for_a_job_hears_of_it_in_every_process(
    three: list[SharedHints], redis_server: RedisServer
) -> None:
    waits = [asyncio.create_task(hints.wait(job_topic("an_1"), timedelta(seconds=30))) for hints in three[:2] * 2]
    other = asyncio.create_task(three[0].wait(job_topic("an_2"), timedelta(seconds=30)))
    await listening(redis_server, 2)
    await three[2].notify(job_topic("an_1"))
    await asyncio.gather(*waits)
    assert not other.done()
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)


async def test_what_happens_between_a_look_and_a_wait_is_not_missed(
    three: list[SharedHints], redis_server: RedisServer
) -> None:
    await three[0].wait(job_topic("an_0"), timedelta())
    await listening(redis_server, 1)
    await three[1].notify(job_topic("an_1"))
    await three[0].wait(job_topic("an_1"), timedelta(seconds=30))


async def test_listeners_come_back_after_a_restart(three: list[SharedHints], redis_server: RedisServer) -> None:
    waiting = asyncio.create_task(three[0].wait(job_topic("an_1"), timedelta(seconds=60)))
    await listening(redis_server, 1)
    redis_server.restart()
    await listening(redis_server, 1)
    await three[1].notify(job_topic("an_1"))
    await waiting


@pytest.mark.parametrize("trouble", ["gone", "frozen"])
async def test_with_redis_in_trouble_waiting_is_polling_and_telling_costs_little(
    three: list[SharedHints], redis_server: RedisServer, trouble: str
) -> None:
    getattr(redis_server, {"gone": "kill", "frozen": "freeze"}[trouble])()
    try:
        begun = time.monotonic()
        for _ in range(50):
            await three[0].notify(QUEUE)
        told = time.monotonic() - begun
        # Three strikes of 0.1 s; whatever a busy machine adds, not fifty of them.
        assert told < 2.5
        begun = time.monotonic()
        await three[0].wait(QUEUE, timedelta(seconds=0.3))
        assert time.monotonic() - begun >= 0.3
        # Those in the same process hear it all the same.
        waiting = asyncio.create_task(three[0].wait(job_topic("an_1"), timedelta(seconds=60)))
        await asyncio.sleep(0)
        await three[0].notify(job_topic("an_1"))
        await waiting
    finally:
        if trouble == "frozen":
            redis_server.thaw()
