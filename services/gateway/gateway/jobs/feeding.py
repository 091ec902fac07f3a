"""Letting a batch's URLs into the queue: no more at a time than it may have there, in an order fair to other tenants.

The tenant's row is locked first and the batch's after it; rows of jobs that somebody else holds are passed over.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import ErrorCode
from gateway.jobs import accounts, admission, intake, tallies
from gateway.jobs.intake import Lane
from gateway.jobs.states import BatchState, Kind, Priority, State
from gateway.jobs.tallies import Ended
from gateway.tables import IS_FED, IS_HELD, batches, jobs
from gateway.times import now_plus

_LOOK = 100
_IN_QUEUE = batches.c.total - batches.c.held - batches.c.succeeded - batches.c.failed - batches.c.cancelled
_DEAR = "The batch's price ceiling (max_cost_usd) was reached before this URL."


@dataclass(frozen=True)
class Hungry:
    """A batch that may have more in the queue."""

    id: str
    tenant_id: str


@dataclass(frozen=True)
class Fed:
    """What became of one look: URLs let in, or that none can be any more as the ceiling does not cover their price."""

    let_in: int = 0
    too_dear: bool = False


async def hungry(db: AsyncConnection) -> list[Hungry]:
    """Return batches whose part of the queue is at most four fifths full, oldest first: it is filled in bulk."""
    roomy = batches.c.concurrency * 4 >= _IN_QUEUE * 5
    statement = select(batches.c.id, batches.c.tenant_id).where(IS_FED, batches.c.held > 0, roomy)
    rows = await db.execute(statement.order_by(batches.c.id).limit(_LOOK))
    return [Hungry(row.id, row.tenant_id) for row in rows]


async def feed(db: AsyncConnection, batch: Hungry) -> Fed:
    """Let as many URLs of a batch into the queue as it has room for."""
    allowed = await admission.terms(db, batch.tenant_id)
    mine = (batches.c.id == batch.id) & (batches.c.tenant_id == batch.tenant_id)
    columns = (*batches.c, _IN_QUEUE.label("in_queue"))
    row = (await db.execute(select(*columns).where(mine, IS_FED).with_for_update(skip_locked=True))).first()
    if row is None:
        return Fed()
    room = row.concurrency - row.in_queue
    if allowed.max_active is not None:
        room = min(room, allowed.max_active - await admission.active(db, batch.tenant_id))
    affordable = _affordable(row)
    if affordable <= 0 and not row.in_queue:
        return Fed(too_dear=True)
    chosen = await _chosen(db, batch, min(room, affordable))
    if not chosen:
        return Fed()
    lane = Lane(batch.tenant_id, Kind(row.kind), Priority.BATCH)
    keys = await intake.next_keys(db, lane, allowed.share, len(chosen))
    statement = update(jobs).where(jobs.c.id == bindparam("job")).values(state=State.QUEUED, order_key=bindparam("key"))
    await db.execute(statement, [{"job": job, "key": key} for job, key in zip(chosen, keys, strict=True)])
    values: dict[str, Any] = {
        "held": batches.c.held - len(chosen),
        "state": BatchState.RUNNING,
        "started_at": func.coalesce(batches.c.started_at, now_plus()),
    }
    await db.execute(update(batches).where(mine).values(values))
    return Fed(let_in=len(chosen))


def _affordable(row: Row[Any]) -> int:
    """Return how many more URLs the ceiling covers if each costs the most it may, those in the queue included."""
    if row.max_cost_microusd is None or not row.unit_microusd:
        return int(row.held)
    left = row.max_cost_microusd - row.cost_microusd
    return int(left // row.unit_microusd - row.in_queue)


async def _chosen(db: AsyncConnection, batch: Hungry, room: int) -> list[str]:
    """Pick the next URLs: hosts take turns, and those of one host keep their distance (`run_at`)."""
    if room <= 0:
        return []
    statement = (
        select(jobs.c.id)
        .where(jobs.c.batch_id == batch.id, jobs.c.tenant_id == batch.tenant_id, IS_HELD, jobs.c.run_at <= now_plus())
        .order_by(jobs.c.order_key, jobs.c.seq)
        .limit(room)
        .with_for_update(skip_locked=True)
    )
    return list((await db.execute(statement)).scalars())


async def refuse(db: AsyncConnection, batch: Hungry) -> int:
    """End what the batch's ceiling does not cover any more; return how many URLs those are.

    In a transaction without the batch's lock, which comes after that of the tenant's day.
    """
    await admission.terms(db, batch.tenant_id)
    values = {
        "state": State.CANCELLED,
        "error_code": ErrorCode.CANCELLED,
        "error_detail": _DEAR,
        "finished_at": now_plus(),
    }
    statement = update(jobs).where(jobs.c.batch_id == batch.id, jobs.c.tenant_id == batch.tenant_id, IS_HELD)
    rows = (await db.execute(statement.values(values).returning(jobs.c.quota_day, jobs.c.kind))).all()
    if rows:
        await accounts.give_back_many(db, batch.tenant_id, Kind(rows[0].kind), [row.quota_day for row in rows])
        await tallies.ended(db, batch.id, Ended(State.CANCELLED, len(rows), held=len(rows)))
    return len(rows)
