"""The queue of deliveries: who gets what, each on SQLite and on Postgres."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, text

from gateway.db import Database
from gateway.deliveries import claims, records, schedule
from gateway.deliveries.parcels import REQUEST, Space
from gateway.deliveries.sending import Attempt, Verdict
from gateway.outbox.announce import Recipient
from gateway.tables import webhook_attempts, webhook_deliveries, webhook_lanes, webhook_secrets
from gateway.times import now_plus
from tests.fixtures.couriers import LEASE, announced, claimed, endpoint, let_pass, only, rows_of

pytestmark = pytest.mark.anyio

LONG = timedelta(days=5)
URL = "https://hooks.test/"


async def test_no_receiver_gets_more_at_once_than_its_endpoint_says_whoever_claims(db: Database) -> None:
    few, many = await endpoint(db, URL, concurrency=2), await endpoint(db, URL, concurrency=4)
    for _ in range(10):
        await announced(db, Recipient(few, None), Recipient(many, None))
    rounds = await asyncio.gather(*(claimed(db, Space(3, 3), f"w{number}") for number in range(6)))
    taken = Counter(parcel.endpoint_id for parcels in rounds for parcel in parcels)
    assert taken == {few: 2, many: 4}
    ids = [parcel.id for parcels in rounds for parcel in parcels]
    assert len(set(ids)) == len(ids)


async def test_receivers_take_turns(db: Database) -> None:
    big, small = await endpoint(db, URL), await endpoint(db, URL)
    for _ in range(10):
        await announced(db, Recipient(big, None))
    await announced(db, Recipient(small, None))
    taken = Counter(parcel.endpoint_id for parcel in await claimed(db, Space(4, 4)))
    assert (taken[big], taken[small]) == (2, 1)


async def test_those_in_trouble_get_one_at_a_time_and_never_the_whole_room(db: Database) -> None:
    ids = [await endpoint(db, URL) for _ in range(4)]
    async with db.begin() as connection:
        rows = [{"lane": one, "tenant_id": "local", "failing_since": datetime.now(UTC)} for one in ids[:3]]
        await connection.execute(insert(webhook_lanes), rows)
    for _ in range(5):
        await announced(db, *(Recipient(one, None) for one in ids))
    taken = Counter(parcel.endpoint_id for parcel in await claimed(db, Space(8, 2)))
    assert taken[ids[3]] == 5
    assert sum(taken[one] for one in ids[:3]) == 2
    assert max(taken[one] for one in ids[:3]) == 1


async def test_hosts_of_request_urls_are_shared_out_by_tenant(db: Database) -> None:
    for _ in range(7):
        await announced(db, Recipient(None, "https://n8n.test/webhook-waiting/1"))
        await announced(db, Recipient(None, "https://n8n.test/webhook-waiting/2"))
        await announced(db, Recipient(None, "https://n8n.test/webhook-waiting/2"), tenant="other")
    taken = Counter(parcel.tenant_id for parcel in await claimed(db, Space(100, 100)))
    assert taken == {"local": 5, "other": 5}


async def test_a_tenant_with_many_names_is_one_tenant(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_LANES_AT_ONCE", 2)
    for number in range(6):
        await announced(db, Recipient(None, f"https://n{number}.slow.test/"))
    await announced(db, Recipient(None, "https://n8n.test/"), tenant="other")
    taken = Counter(parcel.tenant_id for parcel in await claimed(db, Space(2, 2)))
    assert taken == {"local": 1, "other": 1}


async def test_a_commit_in_doubt_is_done_twice_and_counts_once(db: Database) -> None:
    await announced(db, Recipient(await endpoint(db, URL), None))
    (parcel,) = await claimed(db, Space(1, 1))
    for _ in range(2):
        async with db.begin() as connection:
            assert (await records.settle(connection, parcel, Attempt(Verdict.DELIVERED, 200), LONG)).ours
    assert len(await rows_of(db, webhook_attempts)) == 1


async def test_what_ends_every_courier_ends_too(db: Database) -> None:
    await announced(db, Recipient(await endpoint(db, URL), None))
    for _ in range(schedule.ATTEMPTS):
        assert len(await claimed(db, Space(1, 1))) == 1
        await let_pass(db, LEASE * 2)
        async with db.once() as connection:
            await claims.reap(connection)
    assert await claimed(db, Space(1, 1)) == []
    assert (await only(db)).state == "failed"


async def test_what_is_given_back_costs_no_attempt(db: Database) -> None:
    await announced(db, Recipient(await endpoint(db, URL), None))
    (parcel,) = await claimed(db, Space(1, 1))
    async with db.begin() as connection:
        assert await claims.release(connection, parcel)
    (again,) = await claimed(db, Space(1, 1))
    assert (again.attempt, again.fence) == (1, 2)


async def test_two_couriers_make_one_first_secret_for_request_urls(db: Database) -> None:
    async def first(secret: str) -> list[str]:
        async with db.begin() as connection:
            return await records.first_secret(connection, "local", secret)

    found = await asyncio.gather(first("whsec_a"), first("whsec_b"))
    assert found[0] == found[1]
    (row,) = await rows_of(db, webhook_secrets)
    assert ([row.wrapped], row.owner) == (found[0], REQUEST)


async def test_a_claim_probes_indexes_and_scans_no_deliveries(db: Database) -> None:
    endpoint_id = await endpoint(db, URL)
    event_id = await announced(db, Recipient(endpoint_id, None))
    async with db.begin() as connection:
        rows = [
            {
                "id": f"whd_{number:032x}",
                "tenant_id": "local",
                "event_id": event_id,
                "endpoint_id": endpoint_id,
                "lane": endpoint_id,
                "state": "pending",
            }
            for number in range(5_000)
        ]
        statement = insert(webhook_deliveries).values(run_at=now_plus(), created_at=now_plus())
        await connection.execute(statement, rows)
    compiled = claims.waiting_lanes(5).compile(dialect=db._engine.dialect, compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN" if db.dialect == "postgresql" else "EXPLAIN QUERY PLAN"
    async with db.begin() as connection:
        if db.dialect == "postgresql":
            await connection.execute(text("ANALYZE webhook_deliveries"))
        plan = "\n".join(str(row) for row in await connection.execute(text(f"{explain} {compiled}")))
    assert "ix_webhook_deliveries_due" in plan
    assert "Seq Scan on webhook_deliveries" not in plan
    assert "SCAN webhook_deliveries\n" not in plan
