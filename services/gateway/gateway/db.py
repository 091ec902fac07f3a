"""The database: engine, transactions, and the one place where its failures become ours."""

import asyncio
import functools
import json
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import structlog
from sqlalchemy import event, exc, text
from sqlalchemy.engine import Connection, Dialect, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from contracts.errors import ErrorCode
from contracts.wire import whole
from gateway import walls
from gateway.breaker import Breaker
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

Done = TypeVar("Done")
Write = Callable[[AsyncConnection], Awaitable[Done]]

_POOL_WAIT_S = 2
_WRITERS = 6
"""Results that are written at once: fewer than the pool has connections, so that claims and heartbeats find one."""
_CONNECT_S = 3
_STATEMENT_S = 10
_BUSY_MS = 10_000
_TRUSTED_S = 1.0
_PROBE_S = 1.0
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")

# An immediate restart of Postgres shows in all of these ways, and each means: retry on a new connection.
_LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, exc.DBAPIError, exc.TimeoutError)
# SQLSTATE classes in which the server or the way to it fails. In every other class the statement is at fault, however
# the driver wraps it, and a retry would repeat that.
_LOST_CLASSES = frozenset({"08", "25", "40", "53", "55", "57", "58", "XX"})
_OURS = (exc.IntegrityError, exc.ProgrammingError, exc.DataError, exc.NotSupportedError)


class Database:
    """One database: `begin` for several writes that belong together, `once` for one statement, `read` to look."""

    def __init__(self, url: str, answer_s: float | None = None) -> None:
        """Prepare `url` (postgresql+asyncpg or sqlite+aiosqlite); nothing is opened yet.

        With `answer_s` somebody waits: on Postgres a statement takes no longer, half of that is the wait for a
        connection, and after three failures in a row everybody is refused at once, but for one a second who tries.
        """
        self.dialect = make_url(url).get_backend_name()
        self._engine = _sqlite(url) if self.dialect == "sqlite" else _postgres(url, answer_s or _STATEMENT_S)
        self._row_security = _RowSecurity(self._engine)
        # Where a statement is a transaction of its own, two of its three round trips are saved.
        alone = {} if self.dialect == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
        self._single = self._engine.execution_options(**alone)
        self._reader = self._engine.execution_options(reading=True, **alone)
        self._narrowed = self._engine.execution_options(**{walls.WALLED: True})
        hurried = answer_s is not None and self.dialect != "sqlite"
        self._breaker = Breaker(longest_s=_PROBE_S) if hurried else None
        # SQLite has one writer: waiting here costs less than polling its lock.
        self._writer = asyncio.Lock() if self.dialect == "sqlite" else None
        # A hundred results that come at once stand in line here, and not at the pool, which gives up on them.
        self._turns = asyncio.Semaphore(_WRITERS)

    @property
    def size(self) -> int:
        """How many connections there may be; 0: any number."""
        return getattr(self._engine.pool, "size", int)()

    @property
    def in_use(self) -> int:
        """How many connections are in use."""
        return getattr(self._engine.pool, "checkedout", int)()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that commits at the end. Raises `ServiceError(UNAVAILABLE)` when the database is away."""
        async with self._writing(self._narrowed if self._is_walled() else self._engine) as connection:
            yield connection

    def _is_walled(self) -> bool:
        """Whether a request's tenant is bound, and the server would hold it to its own rows."""
        return walls.bound() is not None and self.dialect == "postgresql" and self._row_security.active

    @asynccontextmanager
    async def once(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection for exactly one writing statement, which commits by itself. Raises as `begin` does."""
        async with self._writing(self._single) as connection:
            yield connection

    @asynccontextmanager
    async def _writing(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        async with self._writer or nullcontext(), self._transaction(engine) as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection for statements that only read, and wait for no writer. Raises as `begin` does."""
        async with self._transaction(self._narrowed if self._is_walled() else self._reader) as connection:
            yield connection

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        if self._breaker is not None and not self._breaker.admits():
            raise _away("left alone for a moment")
        try:
            async with engine.begin() as connection:
                if walls.is_narrowed(connection):
                    await walls.narrow(connection)
                yield connection
        except _OURS:
            raise
        except _LOST as error:
            if not _outage(error):
                raise
            if self._breaker is not None:
                self._breaker.failed()
            raise _away(repr(error)) from error
        if self._breaker is not None:
            self._breaker.worked()

    async def insist(self, write: Write[Done], patience: timedelta) -> Done:
        """Run `write` in a transaction, again while the database is away: a commit in doubt is done twice.

        So `write` must not mind. Raises `ServiceError(UNAVAILABLE)` after `patience`.
        """
        give_up = time.monotonic() + patience.total_seconds()
        while True:
            try:
                async with self._turns, self.begin() as connection:
                    return await write(connection)
            except ServiceError as error:
                if error.code is not ErrorCode.UNAVAILABLE or time.monotonic() >= give_up:
                    raise
                log.warning("database_write_repeated", reason=error.reason)
            await asyncio.sleep(random.uniform(0.05, 0.5))  # noqa: S311  # spreads load, guards nothing

    async def ping(self) -> None:
        """Ask for nothing. Raises as `begin` does."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))


class _RowSecurity:
    """Whether the server holds our role to policies. Supposed, until the first connection could ask."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Ask with each new connection."""
        self.active = True
        if engine.dialect.name == "postgresql":
            event.listen(engine.sync_engine, "connect", self._ask)

    def _ask(self, connection: Any, _record: object) -> None:  # noqa: ANN401  # the driver's own, adapted and untyped
        cursor = connection.cursor()
        cursor.execute("SELECT coalesce(row_security_active(to_regclass('jobs')), true)")
        (self.active,) = cursor.fetchone()
        cursor.close()
        connection.rollback()


def _away(reason: str) -> ServiceError:
    full = "disk is full" in reason or "DiskFullError" in reason
    detail = "The database cannot be written: its disk is full." if full else "The database cannot be reached."
    return ServiceError(ErrorCode.UNAVAILABLE, detail, reason=reason, retry_after_s=2)


def _outage(error: BaseException) -> bool:
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    return state is None or state[:2] in _LOST_CLASSES


def _json(document: object) -> str:
    """Encode for a JSON column. Text of pages may hold what Postgres takes nowhere: NUL, and halves of characters."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return _NUL.sub(r"\1\\ufffd", whole(text))


def _postgres(url: str, answer_s: float) -> AsyncEngine:
    server = {
        "application_name": "cro-gateway",
        walls.SETTING: walls.ALL,
        "jit": "off",
        "statement_timeout": str(round(answer_s * 1_000)),
        "idle_in_transaction_session_timeout": str(_STATEMENT_S * 1_000),
    }
    arguments = {"timeout": min(_CONNECT_S, answer_s), "command_timeout": answer_s, "server_settings": server}
    engine = create_async_engine(
        url,
        pool_size=10,
        max_overflow=0,
        pool_timeout=min(_POOL_WAIT_S, answer_s / 2),
        pool_recycle=1_800,
        connect_args=arguments,
        json_serializer=_json,
        # Errors are logged with their text, and the values of a statement are customers' own.
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "checkin", _note_use)
    event.listen(engine.sync_engine, "checkout", functools.partial(_check_idle, engine.dialect))
    return engine


def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["used_at"] = time.monotonic()


def _check_idle(
    dialect: Dialect, connection: PoolProxiedConnection, record: ConnectionPoolEntry, _proxy: object
) -> None:
    """Ask a connection that has been idle whether it lives; the pool replaces a dead one.

    SQLAlchemy's own check asks every time, which costs the queue a round trip for each statement.
    """
    if time.monotonic() - record.info.get("used_at", time.monotonic()) < _TRUSTED_S:
        return
    try:
        dialect.do_ping(connection)
    except (dialect.loaded_dbapi.Error, *_LOST) as error:
        raise exc.DisconnectionError from error


def _sqlite(url: str) -> AsyncEngine:
    file = make_url(url).database
    if file and file != ":memory:":
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(
        url,
        connect_args={"timeout": _BUSY_MS / 1_000},
        pool_timeout=_POOL_WAIT_S,
        json_serializer=_json,
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "connect", _sqlite_connect)
    event.listen(engine.sync_engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connect(connection: Any, _record: object) -> None:  # noqa: ANN401  # the driver's own, adapted and untyped
    # The driver would begin transactions late and by guessing; with this off, `_sqlite_begin` alone does.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        f"busy_timeout={_BUSY_MS}",
        "foreign_keys=ON",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail at once when another process wrote in between.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
