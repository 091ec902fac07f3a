"""One tenant's crowd takes one connection, not all of them."""

import asyncio

import pytest

from contracts.analyze import Preset
from gateway.acceptance import Terms
from gateway.analyses import service
from gateway.reuse.policy import Wish
from gateway.tables import tenants as table
from gateway.turns import Turns
from gateway.wiring import Caller
from tests.fixtures.accounts import account
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio


async def test_turns_are_taken_by_tenant_and_forgotten() -> None:
    turns = Turns()
    inside: list[str] = []

    async def enter(name: str) -> None:
        async with turns.of(name):
            inside.append(name)
            await asyncio.sleep(0)
            assert inside.count(name) == 1
            inside.remove(name)

    await asyncio.gather(*(enter(name) for name in "aabbab"))
    assert len(turns._locks) == 0


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
        async with asyncio.timeout(30):
            accepted = await service.create(parts, Caller("ten_b"), "https://shop.test/", Preset.RULES, Terms(Wish()))
            assert accepted.id
        assert not any(task.done() for task in crowd)
    assert len({accepted.id for accepted in await asyncio.gather(*crowd)}) == 30
