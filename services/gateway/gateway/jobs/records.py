"""Reading jobs of any kind. Every query names the owner; `glimpses`, which serves many at once, returns it instead."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.jobs.states import Kind, State
from gateway.tables import jobs, results

_AT_ONCE = 200


@dataclass(frozen=True)
class Glimpse:
    """How far a job is, as those who wait need to know it. `fence` tells one attempt from the next."""

    state: State
    attempt: int
    fence: int
    error_code: str | None
    finished_at: datetime | None


@dataclass(frozen=True)
class Version:
    """What changes whenever a job's representation does."""

    state: State
    attempt: int
    finished_at: datetime | None
    saved_at: datetime | None


def owned(kind: Kind, tenant_id: str) -> ColumnElement[bool]:
    """Return the condition for the jobs of one kind that a tenant may see."""
    return (jobs.c.tenant_id == tenant_id) & (jobs.c.kind == kind)


async def version(db: AsyncConnection, kind: Kind, tenant_id: str, job_id: str) -> Version | None:
    """Return only what tells whether anything has changed."""
    source = jobs.outerjoin(results, results.c.job_id == jobs.c.id)
    columns = (jobs.c.state, jobs.c.attempt, jobs.c.finished_at, results.c.saved_at)
    statement = select(*columns).select_from(source).where(owned(kind, tenant_id), jobs.c.id == job_id)
    row = (await db.execute(statement)).first()
    return None if row is None else Version(State(row.state), row.attempt, row.finished_at, row.saved_at)


async def cancelled(db: AsyncConnection, tenant_id: str, job_id: str) -> bool:
    """Whether a job was cancelled or removed: whoever works on it works for nobody."""
    statement = select(jobs.c.state).where(jobs.c.tenant_id == tenant_id, jobs.c.id == job_id)
    return (await db.execute(statement)).scalar_one_or_none() in {None, State.CANCELLED}


_GLIMPSE = (
    jobs.c.tenant_id,
    jobs.c.kind,
    jobs.c.id,
    jobs.c.state,
    jobs.c.attempt,
    jobs.c.fence,
    jobs.c.error_code,
    jobs.c.finished_at,
)


async def glimpses(db: AsyncConnection, job_ids: Sequence[str]) -> dict[tuple[str, str, str], Glimpse]:
    """Look at many jobs at once, by owner, kind and id: only who knows all three may be told."""
    seen: dict[tuple[str, str, str], Glimpse] = {}
    for start in range(0, len(job_ids), _AT_ONCE):
        statement = select(*_GLIMPSE).where(jobs.c.id.in_(job_ids[start : start + _AT_ONCE]))
        seen |= {(row.tenant_id, row.kind, row.id): _glimpse(row) for row in await db.execute(statement)}
    return seen


def _glimpse(row: Row[*tuple[Any, ...]]) -> Glimpse:
    return Glimpse(State(row.state), row.attempt, row.fence, row.error_code, row.finished_at)
