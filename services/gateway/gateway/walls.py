"""Whose rows a database connection may see, as a second wall behind the queries' own conditions. Postgres only.

A connection begins with `*`: all tenants, as workers and the command line need. A request's transactions are narrowed
to its tenant, which row-level security enforces for every role that does not own the tables. See docs/adr/0017.
"""

from contextvars import ContextVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

ALL = "*"
SETTING = "app.tenant"
WALLED = "walled"
"""The execution option of connections that were narrowed."""

_tenant: ContextVar[str] = ContextVar("tenant", default=ALL)
_SET = text("SELECT set_config('app.tenant', :tenant, true)")


def bind(tenant_id: str) -> None:
    """Narrow what this task, and what it starts, asks of the database from now on."""
    _tenant.set(tenant_id)


def bound() -> str | None:
    """Return the tenant to which this task is narrowed."""
    tenant_id = _tenant.get()
    return None if tenant_id == ALL else tenant_id


async def narrow(db: AsyncConnection) -> None:
    """Show this transaction nothing but the bound tenant's rows."""
    await db.execute(_SET, {"tenant": _tenant.get()})


async def widen(db: AsyncConnection) -> None:
    """Show this transaction all tenants' rows, for what has to look at the whole queue; `narrow` ends it."""
    if is_narrowed(db):
        await db.execute(_SET, {"tenant": ALL})


async def narrow_again(db: AsyncConnection) -> None:
    """End `widen`."""
    if is_narrowed(db):
        await narrow(db)


def is_narrowed(db: AsyncConnection) -> bool:
    """Tell whether the connection belongs to a request of one tenant."""
    assert db.sync_connection is not None
    return bool(db.sync_connection.get_execution_options().get(WALLED))
