"""Transactions, and what a database that goes away looks like from here."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, exc, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.analyze import AnalyzeRequest, Preset
from contracts.errors import ErrorCode
from contracts.render import RenderRequest
from gateway import db as db_module
from gateway.db import Database
from gateway.jobs import intake, leases
from gateway.jobs.states import NewJob
from gateway.tables import lanes, results
from gateway.times import now_plus
from runtime.errors import ServiceError
from tests.fixtures.gateway import Platform
from tests.fixtures.postgres import Postgres

pytestmark = pytest.mark.anyio

LANE = {"tenant_id": "a", "kind": "analysis", "priority": 0, "last_key": 1.0}
JOB = NewJob("local", "https://shop.test/", Preset.RULES)


async def lane_count(db: Database) -> int:
    async with db.read() as connection:
        return len((await connection.execute(select(lanes))).all())


async def test_a_failed_block_writes_nothing(db: Database) -> None:
    async def fail() -> None:
        async with db.begin() as connection:
            await connection.execute(insert(lanes).values(LANE))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await lane_count(db) == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_full_disk_is_called_so(db: Database) -> None:
    async def fill() -> None:
        async with db.begin() as connection:
            await connection.execute(text("PRAGMA max_page_count = 1"))
            await connection.execute(text("CREATE TABLE much AS SELECT zeroblob(10000000) AS bytes"))

    with pytest.raises(ServiceError) as caught:
        await fill()
    assert (caught.value.code, "disk is full" in caught.value.detail) == (ErrorCode.UNAVAILABLE, True)


async def test_our_own_mistakes_are_not_taken_for_an_outage(db: Database) -> None:
    async with db.begin() as connection:
        await connection.execute(insert(lanes).values(LANE))
    with pytest.raises(exc.IntegrityError):
        async with db.begin() as connection:
            await connection.execute(insert(lanes).values(LANE))


async def test_a_value_that_the_server_refuses_is_not_taken_for_an_outage(migrated_postgres: str) -> None:
    db = Database(migrated_postgres)
    with pytest.raises(exc.DBAPIError):
        async with db.read() as connection:
            await connection.execute(text("SELECT '\"\\u0000\"'::jsonb"))
    await db.aclose()


@pytest.mark.parametrize(
    ("said", "kept"),
    [("a\0b", "a\ufffdb"), ("half \ud83d of it", "half ? of it"), ("\\u0000", "\\u0000"), ("„ü“ 😀 \\", "„ü“ 😀 \\")],
)
async def test_any_text_of_a_page_can_be_kept(db: Database, said: str, kept: str) -> None:
    async with db.begin() as connection:
        job_id = await intake.enqueue(connection, JOB)
        document = {"title": said}
        values = {"job_id": job_id, "tenant_id": "local", "document": document, "saved_at": now_plus(timedelta())}
        await connection.execute(insert(results).values(values))
    async with db.read() as connection:
        assert (await connection.execute(select(results.c.document))).scalar_one() == {"title": kept}


async def test_a_single_statement_commits_by_itself(db: Database) -> None:
    async with db.once() as connection:
        await connection.execute(insert(lanes).values(LANE))
    assert await lane_count(db) == 1


async def test_a_reader_does_not_wait_for_a_writer(db: Database) -> None:
    async with db.begin() as connection:
        await connection.execute(insert(lanes).values(LANE))
        async with asyncio.timeout(5):
            assert await lane_count(db) == 0
    assert await lane_count(db) == 1


async def test_writers_take_turns(db: Database) -> None:
    async def write(number: int) -> None:
        async with db.begin() as connection:
            await connection.execute(insert(lanes).values({**LANE, "tenant_id": f"t{number}"}))

    await asyncio.gather(*(write(number) for number in range(30)))
    assert await lane_count(db) == 30


class CutAfterCommit(Database):
    """Loses the connection once, after the commit and before its answer."""

    cuts = 1

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        async with super().begin() as connection:
            yield connection
        if self.cuts:
            self.cuts -= 1
            raise ServiceError(ErrorCode.UNAVAILABLE, "The database cannot be reached.")


async def test_a_commit_in_doubt_is_done_again(database_url: str) -> None:
    db = CutAfterCommit(database_url)
    calls: list[int] = []

    async def write(connection: AsyncConnection) -> str:
        calls.append(1)
        return await intake.enqueue(connection, JOB)

    assert (await db.insist(write, timedelta(seconds=10))).startswith("an_")
    assert len(calls) == 2
    await db.aclose()


async def test_insisting_ends() -> None:
    db = Database("postgresql+asyncpg://nobody@127.0.0.1:1/none")

    async def never(_: AsyncConnection) -> None:
        raise AssertionError

    with pytest.raises(ServiceError) as caught:
        await db.insist(never, timedelta(milliseconds=100))
    assert caught.value.code is ErrorCode.UNAVAILABLE
    assert "127.0.0.1" not in caught.value.detail
    await db.aclose()


async def test_a_claim_is_one_scan_of_its_index(db: Database) -> None:
    def explain(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:  # noqa: ANN401  # SQLAlchemy's hook
        prefix = "EXPLAIN QUERY PLAN" if db.dialect == "sqlite" else "EXPLAIN"
        return f"{prefix} {statement}", parameters

    async with db.begin() as connection:
        if db.dialect == "postgresql":
            # With so few rows the planner would rather read them all.
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
            await connection.execute(text("SET LOCAL enable_bitmapscan = off"))
        event.listen(connection.sync_connection, "before_cursor_execute", explain, retval=True)
        plan = str((await connection.execute(leases.due_jobs(5))).all())
    assert "ix_jobs_due" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


async def test_a_long_queue_is_not_sorted_for_one_claim(migrated_postgres: str) -> None:
    """With the planner as it is, and before it has any statistics: right after batches of thousands came in."""
    db = Database(migrated_postgres)
    async with db.begin() as connection:
        columns = "id, tenant_id, kind, url, preset, priority, order_key, run_at, state, stage, created_at"
        names = "'an_' || lpad(n::text, 32, '0'), 't', 'analysis', 'https://shop.test/' || n, 'rules'"
        values = f"{names}, 1, n, now(), 'queued', 'render', now()"
        await connection.execute(text(f"INSERT INTO jobs ({columns}) SELECT {values} FROM generate_series(1, 20000) n"))
        statement = leases.due_jobs(1).compile(connection.engine, compile_kwargs={"literal_binds": True})
        plan = "\n".join((await connection.exec_driver_sql(f"EXPLAIN {statement}")).scalars())
        await connection.rollback()
    await db.aclose()
    assert "ix_jobs_due" in plan
    assert "Sort" not in plan


async def test_a_connection_that_died_while_idle_is_replaced_unseen(
    postgres: Postgres, migrated_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db_module, "_TRUSTED_S", 0.0)
    db = Database(migrated_postgres)
    await db.ping()
    await asyncio.to_thread(postgres.crash)
    await db.ping()
    await db.aclose()


async def test_a_connection_that_died_in_use_is_an_outage_and_then_over(
    postgres: Postgres, migrated_postgres: str
) -> None:
    db = Database(migrated_postgres)

    async def crash_between() -> None:
        async with db.begin() as connection:
            await connection.execute(select(lanes))
            await asyncio.to_thread(postgres.crash)
            await connection.execute(select(lanes))

    with pytest.raises(ServiceError) as caught:
        await crash_between()
    assert caught.value.code is ErrorCode.UNAVAILABLE
    assert caught.value.retry_after_s
    await db.insist(lambda connection: connection.execute(select(lanes)), timedelta(seconds=20))
    await db.aclose()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_jobs_in_progress_survive_a_crash_of_the_database(postgres: Postgres, working: Platform) -> None:
    under_way = asyncio.Event()
    go = asyncio.Event()

    async def hold(_: RenderRequest | AnalyzeRequest) -> None:
        under_way.set()
        await go.wait()

    working.fleet.before_render = working.fleet.before_analysis = hold
    accepted = []
    for number in range(12):
        answer = await working.http.post("/v1/analyses", json={"url": f"https://shop.test/{number}"})
        accepted.append(answer.json()["id"])
    await under_way.wait()
    crash = asyncio.create_task(asyncio.to_thread(postgres.crash))
    go.set()
    await crash
    ends = Counter([await _end(working, job_id) for job_id in accepted])
    assert ends == {"succeeded": 12}
    async with working.parts.db.read() as connection:
        assert len((await connection.execute(select(results.c.job_id))).all()) == 12


async def _end(platform: Platform, job_id: str) -> str:
    while True:
        answer = await platform.http.get(f"/v1/analyses/{job_id}", params={"wait": 60})
        if answer.status_code == 200:
            return str(answer.json()["status"])
        assert answer.status_code == 503
