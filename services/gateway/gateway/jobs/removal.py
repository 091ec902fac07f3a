"""Removing jobs that have ended: their rows at once, their objects in the blob store by a list of what is due."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, case, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.jobs.records import owned
from gateway.jobs.states import Kind, State
from gateway.tables import batches, jobs, removals
from gateway.times import now_plus

_FINAL = jobs.c.state.in_([state for state in State if state.final])
_LONGEST_RETRY_S = 3_600.0


@dataclass(frozen=True)
class Removal:
    """One job's objects that are to go."""

    tenant_id: str
    job_id: str


async def remove(db: AsyncConnection, kind: Kind, tenant_id: str, job_id: str) -> bool:
    """Remove one job of a tenant. False: there is none, or it has not ended."""
    return bool(await _remove(db, and_(owned(kind, tenant_id), jobs.c.id == job_id)))


async def expired(
    db: AsyncConnection, age: timedelta, ages: Mapping[str, timedelta], ahead: timedelta, limit: int
) -> list[Removal]:
    """Return jobs that ended longer ago than their tenant's age, or `age`. `ahead`: as if it were that much later."""
    exceptions = [
        and_(jobs.c.tenant_id == one, jobs.c.finished_at < now_plus(ahead - own)) for one, own in ages.items()
    ]
    ordinary = and_(jobs.c.tenant_id.not_in(list(ages)), jobs.c.finished_at < now_plus(ahead - age))
    old = or_(ordinary, *exceptions)
    statement = select(jobs.c.tenant_id, jobs.c.id).where(_FINAL, old).order_by(jobs.c.finished_at).limit(limit)
    return [Removal(row.tenant_id, row.id) for row in await db.execute(statement)]


async def remove_all(db: AsyncConnection, gone: Sequence[Removal]) -> list[Removal]:
    """Remove these jobs where they have still ended; return those that were."""
    removed: list[Removal] = []
    for tenant_id in {one.tenant_id for one in gone}:
        ids = [one.job_id for one in gone if one.tenant_id == tenant_id]
        removed += await _remove(db, and_(jobs.c.tenant_id == tenant_id, jobs.c.id.in_(ids)))
    return removed


async def _remove(db: AsyncConnection, which: ColumnElement[bool]) -> list[Removal]:
    rows = await db.execute(delete(jobs).where(which, _FINAL).returning(jobs.c.tenant_id, jobs.c.id))
    removed = [Removal(row.tenant_id, row.id) for row in rows]
    if removed:
        upsert = (postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert)(removals)
        values = [
            {"job_id": one.job_id, "tenant_id": one.tenant_id, "due_at": now_plus(), "tries": 0} for one in removed
        ]
        await db.execute(upsert.values(values).on_conflict_do_nothing())
    return removed


async def due(db: AsyncConnection, ahead: timedelta, limit: int) -> list[Removal]:
    """Return what is to go now, longest due first."""
    statement = select(removals).where(removals.c.due_at <= now_plus(ahead)).order_by(removals.c.due_at).limit(limit)
    return [Removal(row.tenant_id, row.job_id) for row in await db.execute(statement)]


async def done(db: AsyncConnection, gone: Removal) -> None:
    """Strike a job off the list: its objects are gone."""
    await db.execute(delete(removals).where(_row(gone)))


async def postpone(db: AsyncConnection, left: Removal) -> None:
    """Try a job again later: after a minute, two, four, at most an hour."""
    waits = [(removals.c.tries == tries, now_plus(timedelta(minutes=2**tries))) for tries in range(6)]
    later = case(*waits, else_=now_plus(timedelta(seconds=_LONGEST_RETRY_S)))
    await db.execute(update(removals).where(_row(left)).values(tries=removals.c.tries + 1, due_at=later))


async def retire_batches(db: AsyncConnection, age: timedelta, ages: Mapping[str, timedelta], ahead: timedelta) -> int:
    """Remove batches that ended longer ago than their tenant's age, or `age`; their URLs are older. Return how many."""
    exceptions = [
        and_(batches.c.tenant_id == one, batches.c.finished_at < now_plus(ahead - own)) for one, own in ages.items()
    ]
    ordinary = and_(batches.c.tenant_id.not_in(list(ages)), batches.c.finished_at < now_plus(ahead - age))
    left = select(jobs.c.id).where(jobs.c.batch_id == batches.c.id).exists()
    return (await db.execute(delete(batches).where(or_(ordinary, *exceptions), ~left))).rowcount


def _row(one: Removal) -> ColumnElement[bool]:
    return (removals.c.job_id == one.job_id) & (removals.c.tenant_id == one.tenant_id)


async def unknown(db: AsyncConnection, found: Sequence[Removal]) -> list[Removal]:
    """Return those of which there is no job: their objects belong to nobody."""
    statement = select(jobs.c.tenant_id, jobs.c.id).where(jobs.c.id.in_([one.job_id for one in found]))
    known = {Removal(row.tenant_id, row.id) for row in await db.execute(statement)}
    return [one for one in found if one not in known]
