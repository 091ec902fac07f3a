import asyncio
from datetime import timedelta

import pytest

from contracts.errors import ErrorCode
from renderer.tiers.politeness import Lanes
from runtime.errors import ServiceError

NONE = timedelta(0)


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.now += seconds


def test_requests_to_one_host_keep_their_distance_in_the_order_they_came() -> None:
    clock = Clock()
    lanes = Lanes(10, 10, clock, clock.sleep)
    starts: list[tuple[int, float]] = []

    async def one(number: int) -> None:
        async with lanes.turn("shop.test", timedelta(seconds=2)):
            starts.append((number, clock.now))

    async def test() -> None:
        await asyncio.gather(*map(one, range(4)))
        await one(4)

    asyncio.run(test())
    assert starts == [(0, 100), (1, 102), (2, 104), (3, 106), (4, 108)]
    assert len(lanes) == 0


def test_hosts_do_not_wait_for_each_other() -> None:
    clock = Clock()
    lanes = Lanes(1, 10, clock, clock.sleep)

    async def test() -> None:
        async with (
            lanes.turn("a.test", timedelta(seconds=60)),
            lanes.turn("b.test", timedelta(seconds=60)),
            lanes.turn("c.test", NONE),
        ):
            assert clock.now == 100
            assert len(lanes) == 3

    asyncio.run(test())


def test_no_more_than_allowed_run_against_one_host() -> None:
    lanes = Lanes(2, 100)
    running, most = 0, 0

    async def one() -> None:
        nonlocal running, most
        async with lanes.turn("shop.test", NONE):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    async def test() -> None:
        await asyncio.gather(*(one() for _ in range(20)))

    asyncio.run(test())
    assert most == 2


def test_the_queue_of_a_host_is_bounded() -> None:
    lanes = Lanes(1, 1)
    done = asyncio.Event()

    async def hold() -> None:
        async with lanes.turn("shop.test", NONE):
            await done.wait()

    async def test() -> None:
        holders = [asyncio.create_task(hold()) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(ServiceError) as caught:
            async with lanes.turn("shop.test", timedelta(seconds=5)):
                pass
        assert caught.value.code is ErrorCode.RENDERER_BUSY
        assert caught.value.retry_after_s == 5
        async with lanes.turn("other.test", NONE):
            done.set()
        await asyncio.gather(*holders)

    asyncio.run(test())
    assert len(lanes) == 0


def test_who_gives_up_waiting_leaves_its_place_to_others() -> None:
    lanes = Lanes(1, 10)
    done = asyncio.Event()

    async def hold() -> None:
        async with lanes.turn("shop.test", NONE):
            await done.wait()

    async def test() -> None:
        first = asyncio.create_task(hold())
        await asyncio.sleep(0)
        leaver, follower = asyncio.create_task(hold()), asyncio.create_task(hold())
        await asyncio.sleep(0)
        leaver.cancel()
        done.set()
        await asyncio.gather(first, follower)

    asyncio.run(test())
    assert len(lanes) == 0


def test_hosts_of_the_past_take_bounded_room() -> None:
    lanes = Lanes(1, 1)

    async def test() -> None:
        for number in range(12_000):
            async with lanes.turn(f"host{number}.test", NONE):
                pass

    asyncio.run(test())
    assert len(lanes) == 0
    assert len(lanes._paced) == 10_000
