"""Row-level security: with a role of its own, a query that forgets its tenant still sees no other's rows."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import exc, insert, select, text

from contracts.analyze import Preset
from gateway import walls
from gateway.db import Database
from gateway.deliveries import records
from gateway.hints import LocalHints
from gateway.idempotency import store as promises
from gateway.idempotency.keys import Ticket
from gateway.jobs import intake, outcomes
from gateway.jobs.states import Kind, NewJob
from gateway.outbox import announce
from gateway.tables import (
    idempotency_keys,
    job_webhooks,
    jobs,
    lanes,
    metadata,
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
    webhook_secrets,
)
from gateway.times import now_plus
from gateway.watch import Subject, Watch
from tests.fixtures.couriers import endpoint
from tests.fixtures.postgres import Postgres

pytestmark = pytest.mark.anyio

ROLE = "cro_app_of_tests"


@pytest.fixture
def role_url(postgres: Postgres, migrated_postgres: str) -> str:
    grants = f"""DO $$ BEGIN CREATE ROLE {ROLE} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"""

    async def prepare() -> None:
        db = Database(migrated_postgres)
        async with db.begin() as connection:
            await connection.execute(text(grants))
            await connection.execute(
                text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ROLE}")
            )
            await connection.execute(text(f"REVOKE UPDATE, DELETE ON audit_events FROM {ROLE}"))
            await connection.execute(text("DELETE FROM jobs"))
            await connection.execute(text("DELETE FROM lanes"))
        await db.aclose()

    asyncio.run(prepare())
    return migrated_postgres.replace("postgres@", f"{ROLE}@")


@pytest.fixture
async def app_db(role_url: str) -> AsyncIterator[Database]:
    database = Database(role_url)
    yield database
    await database.aclose()


def job(tenant_id: str) -> NewJob:
    return NewJob(tenant_id, "https://shop.test/", Preset.RULES)


async def fill(db: Database) -> None:
    async with db.begin() as connection:
        for tenant_id in ("a", "a", "b"):
            await intake.enqueue(connection, job(tenant_id))


async def tenants_seen(db: Database) -> set[str]:
    async with db.read() as connection:
        return set((await connection.execute(select(jobs.c.tenant_id))).scalars())


async def test_a_request_sees_its_own_rows_whatever_it_asks(app_db: Database) -> None:
    await fill(app_db)
    assert await tenants_seen(app_db) == {"a", "b"}
    walls.bind("a")
    assert await tenants_seen(app_db) == {"a"}
    async with app_db.begin() as connection:
        assert (await connection.execute(jobs.delete())).rowcount == 2
    walls.bind(walls.ALL)
    assert await tenants_seen(app_db) == {"b"}


async def test_a_request_writes_nothing_for_others(app_db: Database) -> None:
    await fill(app_db)
    walls.bind("a")
    values = {"tenant_id": "b", "kind": "capture", "priority": 0, "last_key": 1.0}
    with pytest.raises(exc.DBAPIError, match="row-level security"):
        async with app_db.begin() as connection:
            await connection.execute(insert(lanes).values(values))


async def test_the_very_first_connection_is_narrowed_too(role_url: str, app_db: Database) -> None:
    await fill(app_db)
    fresh = Database(role_url)
    walls.bind("b")
    assert await tenants_seen(fresh) == {"b"}
    await fresh.aclose()


async def test_the_queues_order_is_that_of_all_tenants(app_db: Database) -> None:
    await fill(app_db)
    async with app_db.begin() as connection:
        await connection.execute(jobs.update().values(order_key=1_000.0, run_at=now_plus()))
    walls.bind("c")
    async with app_db.begin() as connection:
        await intake.enqueue(connection, job("c"))
        assert (await connection.execute(select(jobs.c.order_key))).scalar_one() == 1_000.0


async def test_a_session_that_names_no_tenant_sees_nothing(app_db: Database) -> None:
    await fill(app_db)
    async with app_db.begin() as connection:
        await connection.execute(text("SET LOCAL app.tenant = ''"))
        assert (await connection.execute(select(jobs.c.id))).all() == []


async def test_the_role_cannot_change_the_audit_log(app_db: Database) -> None:
    with pytest.raises(exc.DBAPIError, match="permission denied"):
        async with app_db.begin() as connection:
            await connection.execute(text("UPDATE audit_events SET actor = 'x'"))


async def test_the_owner_of_the_tables_pays_for_no_wall(migrated_postgres: str) -> None:
    db = Database(migrated_postgres)
    await db.ping()
    walls.bind("a")
    async with db.begin() as connection:
        assert not walls.is_narrowed(connection)
    await db.aclose()


async def test_who_waits_first_does_not_narrow_those_who_wait_with_it(app_db: Database) -> None:
    async with app_db.begin() as connection:
        ids = {tenant_id: await intake.enqueue(connection, job(tenant_id)) for tenant_id in ("a", "b")}
    watch = Watch(app_db, LocalHints())
    seen: dict[str, object] = {}
    together = asyncio.Barrier(2)

    async def wait(tenant_id: str) -> None:
        walls.bind(tenant_id)
        async with watch.follow(Subject(tenant_id, Kind.ANALYSIS, ids[tenant_id])) as feed:
            seen[tenant_id] = feed.latest and feed.latest.state
            await together.wait()

    await asyncio.gather(wait("a"), wait("b"))
    assert seen == {"a": "queued", "b": "queued"}


async def test_an_idempotency_key_of_another_tenant_is_behind_the_wall(app_db: Database) -> None:
    for tenant_id in ("a", "b"):
        walls.bind(tenant_id)
        async with app_db.begin() as connection:
            assert await promises.claim(connection, Ticket(tenant_id, "one", "f")) is None
            await promises.point(connection, Ticket(tenant_id, "one", "f"), f"an_{tenant_id}", "made")
    async with app_db.read() as connection:
        assert list((await connection.execute(select(idempotency_keys.c.job_id))).scalars()) == ["an_b"]


async def test_webhooks_of_another_tenant_are_behind_the_wall(app_db: Database) -> None:
    for tenant_id in ("a", "b"):
        walls.bind(tenant_id)
        endpoint_id = await endpoint(app_db, "https://hooks.test/", tenant_id)
        async with app_db.begin() as connection:
            job_id = await intake.enqueue(connection, job(tenant_id))
            await announce.expect(connection, tenant_id, job_id, "https://hooks.test/one")
            assert await outcomes.cancel(connection, Kind.ANALYSIS, tenant_id, job_id)
            assert await records.disable(connection, tenant_id, endpoint_id, "owner")
    async with app_db.read() as connection:
        for table in (webhook_endpoints, webhook_secrets, webhook_events, webhook_deliveries, job_webhooks):
            assert set((await connection.execute(select(table.c.tenant_id))).scalars()) == {"b"}, table.name


async def test_every_table_of_tenants_has_a_wall(migrated_postgres: str) -> None:
    db = Database(migrated_postgres)
    async with db.read() as connection:
        query = text("SELECT relname FROM pg_class WHERE relrowsecurity")
        walled = set((await connection.execute(query)).scalars())
    await db.aclose()
    assert walled >= {table.name for table in metadata.tables.values() if "tenant_id" in table.c}
