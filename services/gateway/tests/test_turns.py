"""Lines for those who want the same."""

import asyncio

import pytest

from contracts.analyze import Preset
from gateway.acceptance import Accepted, Terms
from gateway.analyses import service
from gateway.reuse.policy import Wish
from gateway.tables import tenants as table
from gateway.turns import Turns
from gateway.wiring import Caller, Parts
from tests.fixtures.accounts import account
from tests.fixtures.gateway import Platform

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


async def ask(parts: Parts, tenant_id: str, number: int) -> Accepted:
    url = f"https://shop.test/{number}"
    return await service.create(parts, Caller(tenant_id), url, Preset.RULES, Terms(Wish()))


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_crowd_of_one_tenant_leaves_connections_to_others(guarded: Platform) -> None:
    for name in ("ten_a", "ten_b"):
        await account(guarded, name)
    parts = guarded.parts
    async with parts.db.begin() as held:
        await held.execute(table.select().where(table.c.id == "ten_a").with_for_update())
        crowd = [
            asyncio.create_task(
                service.create(parts, Caller("ten_a"), f"https://shop.test/{number}", Preset.RULES, Terms(Wish()))
            )
            for number in range(30)
        ]
        async with asyncio.timeout(90):
            accepted = await ask(parts, "ten_b", 0)
            assert accepted.id
        assert not any(task.done() for task in crowd)
    assert len({accepted.id for accepted in await asyncio.gather(*crowd)}) == 30
