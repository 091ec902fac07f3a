"""Bringing a database to the present schema; the same steps on Postgres and SQLite."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from gateway.db import Database

FOLDER = Path(__file__).with_name("migrations")


def migrate(database_url: str) -> None:
    """Upgrade to the newest revision, or raise and leave the database as it was.

    Where it is that already it is only read: a writer that hangs keeps nobody from starting. Several processes may do
    so at once, but not several threads: alembic keeps its context in a module. It runs an event loop of its own: inside
    one, call it in a thread.
    """
    asyncio.run(_migrate(database_url))


async def _migrate(database_url: str) -> None:
    db = Database(database_url)
    try:
        async with db.read() as connection:
            done = await connection.run_sync(_is_newest)
        if not done:
            async with db.begin() as connection:
                await connection.run_sync(upgrade)
    finally:
        await db.aclose()


def _is_newest(connection: Connection) -> bool:
    found = MigrationContext.configure(connection).get_current_heads()
    return set(found) == set(ScriptDirectory.from_config(config(connection)).get_heads())


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Upgrade within the connection's transaction."""
    command.upgrade(config(connection), revision)


def config(connection: Connection) -> Config:
    """Return Alembic's configuration for a connection that is open."""
    options = Config()
    options.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    options.set_main_option("path_separator", "os")
    options.attributes["connection"] = connection
    return options
