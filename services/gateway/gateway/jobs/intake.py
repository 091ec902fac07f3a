"""Putting a job in the queue, in an order that is fair between tenants."""

from sqlalchemy import ColumnElement, ScalarSelect, case, func, insert, null, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.jobs import confidential
from gateway.jobs.states import NewJob, Priority, Stage, State
from gateway.outbox import announce
from gateway.tables import IS_QUEUED, IS_RUNNING, jobs, lanes
from gateway.times import now_plus
from runtime.ids import new_id

_COST = 1.0


async def enqueue(db: AsyncConnection, job: NewJob) -> str:
    """Write the row that is the job, and return its id."""
    order_key = await _next_key(db, job)
    job_id = new_id(job.kind.id_prefix)
    row = {
        "id": job_id,
        "tenant_id": job.tenant_id,
        "kind": job.kind,
        "url": job.url,
        "preset": job.preset or "",
        "options": null() if job.options is None else job.options,
        "trace": job.trace,
        "priority": int(job.priority),
        "order_key": order_key,
        "state": State.QUEUED,
        "stage": Stage.RENDER,
        "run_at": now_plus(),
        "created_at": now_plus(),
    }
    await db.execute(insert(jobs).values(row))
    if job.secrets:
        await confidential.keep(db, job.tenant_id, job_id, job.secrets)
    if job.webhook_url:
        await announce.expect(db, job.tenant_id, job_id, job.webhook_url)
    return job_id


async def _next_key(db: AsyncConnection, job: NewJob) -> float:
    """Start-time fair queueing: key = max(head of the queue, the tenant's last key + cost).

    So a tenant's thousandth waiting job stands behind every other tenant's first, and its thousandth capture behind
    its own first analysis. The upsert holds the lane until the commit, which keeps one tenant's keys apart.
    """
    fresh = _head(job.priority)
    row = {"tenant_id": job.tenant_id, "kind": job.kind, "priority": int(job.priority), "last_key": fresh}
    upsert = (postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert)(lanes).values(row)
    behind_own = lanes.c.last_key + _COST
    later = case((upsert.excluded.last_key > behind_own, upsert.excluded.last_key), else_=behind_own)
    statement = upsert.on_conflict_do_update(
        index_elements=[lanes.c.tenant_id, lanes.c.kind, lanes.c.priority], set_={"last_key": later}
    ).returning(lanes.c.last_key)
    return float((await db.execute(statement)).scalar_one())


def _head(priority: Priority) -> ColumnElement[float]:
    """Virtual time: the latest key in service or, with none in service, the first that is due.

    Never the first of all: a job parked for a retry keeps its old key, and would let newcomers pass everybody. With
    nothing at all in the queue, one past the latest key ever given, so that nobody pays for work of quiet times.
    """
    line = jobs.c.priority == int(priority)
    serving = select(func.max(jobs.c.order_key)).where(line, IS_RUNNING).scalar_subquery()
    waiting = select(func.min(jobs.c.order_key)).where(line, IS_QUEUED, jobs.c.run_at <= now_plus()).scalar_subquery()
    latest: ScalarSelect[float] = (
        select(func.max(lanes.c.last_key)).where(lanes.c.priority == int(priority)).scalar_subquery()
    )
    return case((serving > waiting, serving), else_=func.coalesce(waiting, serving, latest + _COST, 0.0))
