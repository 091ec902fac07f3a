"""The schema's revisions, on both databases."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, bindparam, inspect, text

from contracts.analyze import Preset
from gateway.db import Database
from gateway.jobs import intake, leases
from gateway.jobs.states import Claimed, Kind, NewJob
from gateway.migrate import FOLDER, config, migrate, upgrade
from gateway.tables import metadata
from gateway.times import Instant


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/new/folder/cro.db"
    url: str = request.getfixturevalue("postgres").create_database()
    return url


def in_transaction(url: str, work: object) -> object:
    async def run() -> object:
        db = Database(url)
        try:
            async with db.begin() as connection:
                return await connection.run_sync(work)  # type: ignore[arg-type]  # any function of a connection
        finally:
            await db.aclose()

    return asyncio.run(run())


def _differences(connection: Connection) -> object:
    return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)


def test_the_revisions_make_exactly_the_tables_in_the_code(empty_url: str) -> None:
    migrate(empty_url)
    assert in_transaction(empty_url, _differences) == []


def test_the_partial_indexes_are_partial(empty_url: str) -> None:
    def conditions(connection: Connection) -> list[str]:
        if connection.dialect.name == "sqlite":
            query = "SELECT sql FROM sqlite_master WHERE name IN ('ix_jobs_due', 'ix_jobs_queued', 'ix_jobs_running')"
        else:
            query = "SELECT indexdef FROM pg_indexes WHERE indexname ~ '^ix_jobs_(due|queued|running)$'"
        return [str(row[0]) for row in connection.execute(text(query))]

    migrate(empty_url)
    found = in_transaction(empty_url, conditions)
    assert isinstance(found, list)
    assert len(found) == 3
    assert all("WHERE" in definition for definition in found)


def test_migrating_again_and_at_once_is_harmless(empty_url: str) -> None:
    environment = {**os.environ, "DATABASE_URL": empty_url}
    command_line = [sys.executable, "-m", "gateway", "migrate"]
    processes = [subprocess.Popen(command_line, env=environment) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert in_transaction(empty_url, _differences) == []


def test_every_revision_can_be_undone(empty_url: str) -> None:
    def down(connection: Connection) -> list[str]:
        command.downgrade(config(connection), "base")
        return [name for name in inspect(connection).get_table_names() if name != "alembic_version"]

    migrate(empty_url)
    assert in_transaction(empty_url, down) == []
    in_transaction(empty_url, upgrade)
    assert in_transaction(empty_url, _differences) == []


def test_a_failed_migration_leaves_nothing_behind(empty_url: str) -> None:
    def half(connection: Connection) -> None:
        upgrade(connection)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        in_transaction(empty_url, half)
    assert in_transaction(empty_url, lambda connection: inspect(connection).get_table_names()) == []


def test_there_is_one_line_of_revisions() -> None:
    script = ScriptDirectory(str(FOLDER))
    assert len(script.get_heads()) == 1


# What the release before captures left in its tables: one job with everything that hangs on it, one that waits.
_OLD_ROWS = (
    """INSERT INTO jobs (id, tenant_id, kind, url, preset, priority, order_key, run_at, state, stage, created_at)
    VALUES (:id, 'local', 'analysis', 'https://shop.test/', 'rules', 0, 1.0, :now, :state, 'render', :now)""",
    "INSERT INTO renders (job_id, tenant_id, document, blob_keys, saved_at) VALUES (:id, 'local', '{}', '{}', :now)",
    "INSERT INTO results (job_id, tenant_id, document, saved_at) VALUES (:id, 'local', '{}', :now)",
    "INSERT INTO lanes (tenant_id, kind, priority, last_key) VALUES (:id, 'analysis', 0, 1.0)",
)


def _fill_as_before(connection: Connection) -> None:
    upgrade(connection, "0001")
    for job_id, state in (("an_done", "succeeded"), ("an_next", "queued")):
        for statement in _OLD_ROWS if state == "succeeded" else _OLD_ROWS[:1]:
            wanted = {name: value for name, value in {"id": job_id, "state": state}.items() if f":{name}" in statement}
            now = datetime(2026, 11, 1, tzinfo=UTC)
            bound = text(statement)
            if ":now" in statement:
                bound = bound.bindparams(bindparam("now", now, type_=Instant()))
            connection.execute(bound, wanted)


def test_an_upgrade_keeps_every_row(empty_url: str) -> None:
    in_transaction(empty_url, _fill_as_before)
    migrate(empty_url)
    assert in_transaction(empty_url, _differences) == []

    def counts(connection: Connection) -> list[int]:
        tables = ("jobs", "renders", "results", "lanes")
        return [int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()) for table in tables]

    assert in_transaction(empty_url, counts) == [2, 1, 1, 1]


def test_after_an_upgrade_what_waited_is_done_and_the_release_before_can_still_write(empty_url: str) -> None:
    in_transaction(empty_url, _fill_as_before)
    migrate(empty_url)

    async def claimed() -> list[Claimed]:
        db = Database(empty_url)
        try:
            async with db.begin() as connection:
                job = NewJob("local", "https://shop.test/", kind=Kind.CAPTURE, options={"tier": "auto"})
                await intake.enqueue(connection, job)
            async with db.begin() as connection:
                insert = text(_OLD_ROWS[0]).bindparams(bindparam("now", datetime.now(UTC), type_=Instant()))
                await connection.execute(insert, {"id": "an_late", "state": "queued"})
            async with db.begin() as connection:
                return await leases.claim(connection, "w", 5, timedelta(seconds=30))
        finally:
            await db.aclose()

    found = asyncio.run(claimed())
    assert {(job.kind, job.preset, bool(job.options)) for job in found} == {
        (Kind.ANALYSIS, Preset.RULES, False),
        (Kind.CAPTURE, None, True),
    }
    assert {job.id for job in found} > {"an_next", "an_late"}


def test_a_downgrade_takes_the_captures_and_nothing_else(empty_url: str) -> None:
    in_transaction(empty_url, _fill_as_before)
    migrate(empty_url)

    def down(connection: Connection) -> list[str]:
        options = "UPDATE jobs SET kind = 'capture' WHERE id = 'an_next'"
        connection.execute(text(options))
        command.downgrade(config(connection), "0001")
        return list(connection.execute(text("SELECT id FROM jobs")).scalars())

    assert in_transaction(empty_url, down) == ["an_done"]
    migrate(empty_url)
    assert in_transaction(empty_url, _differences) == []


def test_a_writer_that_hangs_keeps_no_process_from_starting(tmp_path: Path) -> None:
    file = tmp_path / "cro.db"
    migrate(f"sqlite+aiosqlite:///{file}")
    with closing(sqlite3.connect(file, isolation_level=None)) as hanging:
        hanging.execute("BEGIN IMMEDIATE")
        migrate(f"sqlite+aiosqlite:///{file}")
        hanging.execute("ROLLBACK")
