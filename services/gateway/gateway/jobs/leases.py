"""Who works on what: claim, heartbeat, give back, and take from the dead."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Select,
    case,
    false,
    func,
    literal_column,
    null,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.analyze import Preset
from contracts.errors import ErrorCode
from gateway.jobs import accounts, admission, spending, tallies
from gateway.jobs.states import Claimed, Document, Kind, Priority, Stage, State, Weight
from gateway.jobs.tallies import Ended, Lone
from gateway.tables import IS_HEAVY, IS_LIGHT, IS_QUEUED, IS_RUNNING, jobs
from gateway.times import now_plus
from runtime.errors import ServiceError

_REAP_LIMIT = 100
# A kind that only a newer release knows is left to it. As a CASE, because planners know no index for one and take it
# to hold often: a plain IN leads them to the older index, which has the kind first, and then to sort the whole queue
# (20,000 rows: 7 ms and not 0.03).
_KNOWN: ColumnElement[bool] = case((jobs.c.kind.in_(list(Kind)), true()), else_=false())
_CRASHED = "Every worker that took this job died with it."


_WEIGHTS: dict[Weight, ColumnElement[bool]] = {
    Weight.ANY: literal_column("1", Integer) == literal_column("1", Integer),
    Weight.LIGHT: IS_LIGHT,
    Weight.HEAVY: IS_HEAVY,
}


def due_jobs(limit: int, weight: Weight = Weight.ANY) -> Select[*tuple[Any, ...]]:
    """Select the first jobs that are due, of any kind, past those that another claim has just locked: one scan."""
    return (
        select(jobs.c.id)
        .where(_KNOWN, IS_QUEUED, _WEIGHTS[weight], jobs.c.run_at <= now_plus())
        .order_by(jobs.c.priority, jobs.c.order_key, jobs.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


async def claim(
    db: AsyncConnection, worker_id: str, limit: int, lease: timedelta, weight: Weight = Weight.ANY
) -> list[Claimed]:
    """Take up to `limit` due jobs, first in order first; no other worker can take them while the lease lasts."""
    due = due_jobs(limit, weight).cte("due")
    taken = {
        "state": case((jobs.c.stage == Stage.RENDER, State.RENDERING), else_=State.ANALYZING),
        "attempt": jobs.c.attempt + 1,
        "fence": jobs.c.fence + 1,
        "worker_id": worker_id,
        "lease_until": now_plus(lease),
        "started_at": func.coalesce(jobs.c.started_at, now_plus()),
    }
    statement = update(jobs).where(jobs.c.id.in_(select(due.c.id))).values(taken)
    rows = await db.execute(statement.returning(*jobs.c, now_plus().label("claimed_at")))
    return [_claimed(row) for row in sorted(rows, key=lambda row: (row.priority, row.order_key, row.id))]


def _claimed(row: Row[Any]) -> Claimed:
    return Claimed(
        id=row.id,
        tenant_id=row.tenant_id,
        url=row.url,
        preset=Preset(row.preset) if row.preset else None,
        stage=Stage(row.stage),
        attempt=row.attempt,
        fence=row.fence,
        trace=row.trace,
        age=row.claimed_at - row.created_at,
        kind=Kind(row.kind),
        options=row.options,
        light=bool(row.light),
        batch_id=row.batch_id,
    )


async def heartbeat(db: AsyncConnection, worker_id: str, lease: timedelta) -> set[tuple[str, int]]:
    """Renew every lease of a worker in one statement; return the claims that it still holds."""
    statement = update(jobs).where(IS_RUNNING, jobs.c.worker_id == worker_id).values(lease_until=now_plus(lease))
    rows = await db.execute(statement.returning(jobs.c.id, jobs.c.fence))
    return {(row.id, row.fence) for row in rows}


_BACK = {"state": State.QUEUED, "worker_id": null(), "lease_until": null()}


def mine(job: Claimed) -> ColumnElement[bool]:
    """Return the condition under which a claim may still write."""
    return (jobs.c.id == job.id) & (jobs.c.fence == job.fence) & IS_RUNNING


async def release(db: AsyncConnection, job: Claimed, delay: timedelta) -> bool:
    """Give a job back without spending an attempt. False: it was no longer ours."""
    return await _give_back(db, job, {"attempt": jobs.c.attempt - 1, "run_at": now_plus(delay)})


async def retry(db: AsyncConnection, job: Claimed, delay: timedelta, error: ServiceError) -> bool:
    """Queue a job again after a failure that may pass. False: it was no longer ours."""
    return await _give_back(
        db, job, {"run_at": now_plus(delay), "error_code": error.code, "error_detail": error.detail}
    )


async def give_to_browser(db: AsyncConnection, job: Claimed, climbed: list[Document]) -> bool:
    """Queue a job again, now for a browser, without spending an attempt. False: it was no longer ours.

    `climbed`: what was tried over plain HTTP, for the ladder to go on from there.
    """
    options = {**(job.options or {}), "climbed": climbed}
    values = {"attempt": jobs.c.attempt - 1, "run_at": now_plus(), "light": 0, "options": options}
    return await _give_back(db, job, values)


async def _give_back(db: AsyncConnection, job: Claimed, values: dict[str, Any]) -> bool:
    if not (await db.execute(update(jobs).where(mine(job)).values({**_BACK, **values}))).rowcount:
        return False
    await spending.release(db, job.id)
    return True


@dataclass(frozen=True)
class Reaped:
    """A job taken from a worker that fell silent; `dead` when it has taken down too many."""

    id: str
    dead: bool


async def reap(db: AsyncConnection, max_crashes: int) -> Sequence[Reaped]:
    """Take back what silent workers hold. A crash is no attempt: it is counted apart, and ends in `page_crashed`."""
    silent = (
        select(jobs.c.id)
        .where(IS_RUNNING, jobs.c.lease_until < now_plus())
        .order_by(jobs.c.lease_until)
        .limit(_REAP_LIMIT)
        .with_for_update(skip_locked=True)
        .cte("silent")
    )
    poisonous = jobs.c.crash_count + 1 >= max_crashes
    values = {
        **_BACK,
        "state": case((poisonous, State.FAILED), else_=State.QUEUED),
        "crash_count": jobs.c.crash_count + 1,
        "attempt": jobs.c.attempt - 1,
        "run_at": now_plus(),
        "error_code": case((poisonous, ErrorCode.PAGE_CRASHED), else_=jobs.c.error_code),
        "error_detail": case((poisonous, _CRASHED), else_=jobs.c.error_detail),
        "finished_at": case((poisonous, now_plus()), else_=null()),
    }
    statement = update(jobs).where(jobs.c.id.in_(select(silent.c.id))).values(values)
    columns = (jobs.c.id, jobs.c.state, jobs.c.tenant_id, jobs.c.kind, jobs.c.quota_day, jobs.c.batch_id)
    rows = (await db.execute(statement.returning(*columns))).all()
    # In one order everywhere, so that two sweeps do not wait for each other.
    dead = sorted((row.tenant_id, row.kind, row.quota_day or "", row.id) for row in rows if row.state == State.FAILED)
    for tenant_id, _, _, job_id in dead:
        await admission.promote(db, tenant_id)
        await accounts.give_back(db, tenant_id, job_id, State.FAILED)
    for lone in sorted(
        (Lone(row.tenant_id, row.id, row.batch_id) for row in rows if row.state == State.FAILED),
        key=lambda one: (one.batch_id or "", one.job_id),
    ):
        await tallies.end(db, lone, Ended(State.FAILED))
    return [Reaped(row.id, row.state == State.FAILED) for row in rows]


async def age(db: AsyncConnection, patience: timedelta) -> bool:
    """Let the first batch job that is due for longer than `patience` before interactive work. False: there is none.

    One at a time, so that interactive work keeps most of the fleet however much batch work has become old.
    """
    batch, interactive = int(Priority.BATCH), int(Priority.INTERACTIVE)
    old = (
        select(jobs.c.id)
        .where(IS_QUEUED, jobs.c.priority == batch, jobs.c.run_at <= now_plus(-patience))
        .order_by(jobs.c.order_key, jobs.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("old")
    )
    first = select(func.min(jobs.c.order_key)).where(IS_QUEUED, jobs.c.priority == interactive).scalar_subquery()
    values = {"priority": interactive, "order_key": func.coalesce(first, jobs.c.order_key)}
    statement = update(jobs).where(jobs.c.id.in_(select(old.c.id))).values(values)
    # Returned and counted: SQLite's driver counts no rows of a statement that begins with WITH.
    return (await db.execute(statement.returning(jobs.c.id))).first() is not None
