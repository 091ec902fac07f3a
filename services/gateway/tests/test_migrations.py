"""The schema's revisions, on both databases."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from gateway.db import Database
from gateway.migrate import FOLDER, config, migrate, upgrade
from gateway.tables import metadata


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
