"""The database's clock, which alone decides leases and due times, in one form for both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, Double, String, bindparam
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

_SQLITE_FORM = "%Y-%m-%dT%H:%M:%S.%f"


class Instant(TypeDecorator[datetime]):
    """An aware `datetime`: `timestamptz` on Postgres; on SQLite text in UTC whose order is the order in time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type."""
        kind: TypeEngine[Any] = String(30) if dialect.name == "sqlite" else DateTime(timezone=True)
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> object:
        """Write a moment."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).strftime(_SQLITE_FORM)[:-3] + "Z"

    def process_result_value(self, value: object, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # SQLAlchemy's signature
        """Read a moment."""
        return datetime.fromisoformat(value) if isinstance(value, str) else value  # type: ignore[return-value]  # a datetime or None here


class _Now(FunctionElement[datetime]):
    """The database's present moment plus some seconds."""

    type = Instant()
    inherit_cache = True


def now_plus(offset: timedelta = timedelta()) -> FunctionElement[datetime]:
    """Return an expression for the database's clock plus `offset`."""
    return _Now(bindparam(None, offset.total_seconds(), type_=Double()))


@compiles(_Now, "postgresql")
def _postgres_now(element: _Now, compiler: SQLCompiler, **options: object) -> str:
    # clock_timestamp and not now(): the latter stands still while a transaction waits for a lock.
    return f"(clock_timestamp() + make_interval(secs => {compiler.process(element.clauses, **options)}))"


@compiles(_Now, "sqlite")
def _sqlite_now(element: _Now, compiler: SQLCompiler, **options: object) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"strftime('%Y-%m-%dT%H:%M:%fZ', 'now', printf('%+.3f seconds', {seconds}))"
