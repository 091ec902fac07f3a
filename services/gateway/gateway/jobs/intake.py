"""Putting a job in the queue, in an order that is fair between tenants."""

import functools
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Float, ScalarSelect, bindparam, case, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from gateway import walls
from gateway.jobs import accounts, admission, confidential
from gateway.jobs.states import Kind, NewJob, Picture, Priority, Stage, is_light
from gateway.tables import IS_QUEUED, IS_RUNNING, jobs, lanes, renders
from gateway.times import now_plus
from runtime.ids import new_id

_COST = 1.0

# Built once, as all that every submission runs: to build a statement costs as much as to run it.
_ROW = insert(jobs).values(run_at=now_plus(), created_at=now_plus())


async def enqueue(db: AsyncConnection, job: NewJob) -> str:
    """Write the row that is the job, and return its id. Raises QUOTA_EXCEEDED when the tenant's day is used up."""
    allowed = await admission.terms(db, job.tenant_id)
    day = await accounts.hold(db, job.tenant_id, job.kind, (allowed.daily or {}).get(job.kind))
    order_key = await next_key(db, Lane(job.tenant_id, job.kind, job.priority), _COST / allowed.share)
    job_id = job.picture.job_id if job.picture else new_id(job.kind.id_prefix)
    row = {
        "id": job_id,
        "tenant_id": job.tenant_id,
        "kind": job.kind,
        "url": job.url,
        "preset": job.preset or "",
        "trace": job.trace,
        "priority": int(job.priority),
        "order_key": order_key,
        "state": await admission.first_state(db, job.tenant_id, allowed),
        "stage": Stage.ANALYZE if job.picture else Stage.RENDER,
        "cache_key": job.cache_key,
        "quota_day": day,
        "light": int(is_light(job.options, job.priority)),
    }
    # A None would be written as JSON's null.
    await db.execute(_ROW, row if job.options is None else {**row, "options": job.options})
    if job.secrets:
        await confidential.keep(db, job.tenant_id, job_id, job.secrets)
    if job.picture:
        await _keep(db, job.tenant_id, job.picture)
    return job_id


async def _keep(db: AsyncConnection, tenant_id: str, picture: Picture) -> None:
    """Put a picture where the analysis looks for a render: nothing has to be rendered."""
    row = {
        "job_id": picture.job_id,
        "tenant_id": tenant_id,
        "document": picture.render.model_dump(mode="json"),
        "blob_keys": picture.keys,
        "saved_at": now_plus(),
    }
    await db.execute(insert(renders).values(row))


@dataclass(frozen=True)
class Lane:
    """Whose work it is, of which kind and class."""

    tenant_id: str
    kind: Kind
    priority: Priority


async def next_keys(db: AsyncConnection, lane: Lane, share: float, count: int) -> list[float]:
    """Return the order keys of `count` jobs of one tenant, first to last, as if they came one by one."""
    step = _COST / share
    first = await next_key(db, lane, step)
    last = first + step * (count - 1)
    ours = (lanes.c.tenant_id == lane.tenant_id) & (lanes.c.kind == lane.kind)
    statement = update(lanes).where(ours, lanes.c.priority == int(lane.priority))
    await db.execute(statement.values(last_key=last))
    return [first + step * place for place in range(count)]


async def next_key(db: AsyncConnection, lane: Lane, step: float) -> float:
    """Start-time fair queueing: key = max(head of the queue, the tenant's last key + step), step = cost / share.

    So a tenant's thousandth waiting job stands behind every other tenant's first, and its thousandth capture behind
    its own first analysis. The upsert holds the lane until the commit, which keeps one tenant's keys apart.
    """
    # The head is that of the whole queue.
    await walls.widen(db)
    values = {"tenant": lane.tenant_id, "job_kind": lane.kind, "cost": step}
    key = float((await db.execute(_lane_upsert(db.dialect.name, lane.priority), values)).scalar_one())
    await walls.narrow_again(db)
    return key


@functools.cache
def _lane_upsert(dialect: str, priority: Priority) -> ReturningInsert[float]:
    """Build the statement."""
    row = {
        "tenant_id": bindparam("tenant"),
        "kind": bindparam("job_kind"),
        "priority": int(priority),
        "last_key": _head(priority),
    }
    upsert = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(lanes).values(row)
    behind_own = lanes.c.last_key + bindparam("cost", type_=Float)
    later = case((upsert.excluded.last_key > behind_own, upsert.excluded.last_key), else_=behind_own)
    return upsert.on_conflict_do_update(
        index_elements=[lanes.c.tenant_id, lanes.c.kind, lanes.c.priority], set_={"last_key": later}
    ).returning(lanes.c.last_key)


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
