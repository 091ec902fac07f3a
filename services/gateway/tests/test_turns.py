"""Lines for those who want the same."""

import asyncio

import pytest

from gateway.turns import Turns

pytestmark = pytest.mark.anyio


async def test_those_who_want_the_same_come_one_after_the_other() -> None:
    turns, inside, most = Turns(), 0, 0

    async def enter(key: str | None) -> None:
        nonlocal inside, most
        async with turns.taken(key):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(enter("a") for _ in range(10)))
    assert most == 1
    await asyncio.gather(*(enter(key) for key in "abc"))
    assert most == 3
    most = 0
    await asyncio.gather(*(enter(None) for _ in range(10)))
    assert most == 10
    assert not turns._lines


async def test_who_gives_up_leaves_the_line() -> None:
    turns, go = Turns(), asyncio.Event()

    async def enter() -> None:
        async with turns.taken("a"):
            await go.wait()

    tasks = [asyncio.create_task(enter()) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    go.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in results] == [type(None), asyncio.CancelledError, type(None)]
    assert not turns._lines
