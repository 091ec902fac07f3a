"""Finding jobs that serve another request as well. Every query names the owner."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.jobs.states import Kind, State
from gateway.tables import jobs
from gateway.times import now_plus

_OPEN = [state for state in State if not state.final]


@dataclass(frozen=True)
class Same:
    """What two requests have in common: whose, of what kind, which."""

    tenant_id: str
    kind: Kind
    cache_key: str

    @property
    def rows(self) -> ColumnElement[bool]:
        """The condition that finds the jobs."""
        whose = (jobs.c.tenant_id == self.tenant_id) & (jobs.c.kind == self.kind)
        return whose & (jobs.c.cache_key == self.cache_key)


async def stored(db: AsyncConnection, same: Same, max_age: timedelta) -> str | None:
    """Return the newest job that succeeded within `max_age`."""
    fresh = (jobs.c.state == State.SUCCEEDED) & (jobs.c.finished_at > now_plus(-max_age))
    statement = select(jobs.c.id).where(same.rows, fresh).order_by(jobs.c.id.desc()).limit(1)
    found: str | None = (await db.execute(statement)).scalar_one_or_none()
    return found


async def hold(db: AsyncConnection, same: Same) -> None:
    """Keep everybody else who asks the same waiting until this transaction ends, so that only one makes a job."""
    if db.dialect.name == "postgresql":
        digest = hashlib.sha256(f"{same.tenant_id}/{same.kind.value}/{same.cache_key}".encode()).digest()
        number = int.from_bytes(digest[:8], "big", signed=True)
        await db.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


async def join(db: AsyncConnection, same: Same) -> str | None:
    """Count one caller more for the newest job that is not finished, and return its id. None: there is none."""
    newest = select(jobs.c.id).where(same.rows, jobs.c.state.in_(_OPEN)).order_by(jobs.c.id.desc()).limit(1)
    statement = update(jobs).where(jobs.c.id == newest.scalar_subquery(), jobs.c.state.in_(_OPEN))
    joined = await db.execute(statement.values(callers=jobs.c.callers + 1).returning(jobs.c.id))
    found: str | None = joined.scalar_one_or_none()
    return found


async def leave(db: AsyncConnection, tenant_id: str, job_id: str) -> bool:
    """Count one caller less; whether that was the last."""
    statement = update(jobs).where(jobs.c.tenant_id == tenant_id, jobs.c.id == job_id)
    left = await db.execute(statement.values(callers=jobs.c.callers - 1).returning(jobs.c.callers))
    return (left.scalar_one_or_none() or 0) <= 0
