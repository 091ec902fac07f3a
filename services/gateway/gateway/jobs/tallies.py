"""A batch's counters: moved in the commit that moves its jobs, so that a look at a batch counts nothing.

The batch's row is the last that a transaction locks, after the job's, the tenant's and the day's.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, case, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.fetch import Tier
from contracts.wire import Wire
from gateway.jobs import announcing
from gateway.jobs.announcing import BatchEnd
from gateway.jobs.states import BatchState, Kind, State
from gateway.tables import batches
from gateway.times import now_plus

_ENDS = {State.SUCCEEDED: batches.c.succeeded, State.FAILED: batches.c.failed, State.CANCELLED: batches.c.cancelled}
_TIERS = {Tier.STATIC: batches.c.by_static, Tier.BROWSER: batches.c.by_browser, Tier.UNBLOCKER: batches.c.by_unblocker}


@dataclass(frozen=True)
class Ended:
    """Jobs of one batch that reached `state`; `held` of them had never been in the queue."""

    state: State
    count: int = 1
    held: int = 0
    tier: Tier | None = None
    cost_microusd: int = 0


@dataclass(frozen=True)
class Lone:
    """One job that ended, and the batch to which it belongs, if any."""

    tenant_id: str
    job_id: str
    batch_id: str | None


async def end(db: AsyncConnection, job: Lone, what: Ended, result: Wire | None = None) -> None:
    """Count the end of a job where it has a batch, and tell of it where somebody wants to know."""
    if job.batch_id is None:
        await announcing.ended(db, job.tenant_id, job.job_id, result)
        return
    listener = await ended(db, job.batch_id, what)
    if listener.each:
        await announcing.ended(db, job.tenant_id, job.job_id, result, also=listener.url)


@dataclass(frozen=True)
class Listener:
    """What a batch's owner wants to hear: of its end and, with `each`, of that of each URL; `url`: who, besides."""

    each: bool = False
    url: str | None = None


async def ended(db: AsyncConnection, batch_id: str, what: Ended) -> Listener:
    """Count jobs that ended, and return who wants to hear of each; whoever counts the last one ends the batch."""
    counter = _ENDS[what.state]
    over = batches.c.succeeded + batches.c.failed + batches.c.cancelled + what.count >= batches.c.total
    goes_on = over & batches.c.state.in_([state for state in BatchState if not state.final])
    values: dict[str, Any] = {
        counter.name: counter + what.count,
        "held": batches.c.held - what.held,
        "cost_microusd": batches.c.cost_microusd + what.cost_microusd,
        "state": case((goes_on, BatchState.COMPLETED), else_=batches.c.state),
        "finished_at": case((over, now_plus()), else_=batches.c.finished_at),
    }
    if what.tier in _TIERS:
        values[_TIERS[what.tier].name] = _TIERS[what.tier] + what.count
    statement = update(batches).where(batches.c.id == batch_id).values(values).returning(*batches.c)
    row = (await db.execute(statement)).first()
    if row is None:
        return Listener()
    if row.finished_at is not None:
        await _tell(db, row)
    return Listener(bool(row.webhook_each), row.webhook_url)


async def over(db: AsyncConnection, tenant_id: str, batch_id: str) -> None:
    """Tell of the end of a batch that had no URL to end."""
    mine = (batches.c.id == batch_id) & (batches.c.tenant_id == tenant_id) & batches.c.finished_at.is_not(None)
    row = (await db.execute(select(*batches.c).where(mine))).first()
    if row is not None:
        await _tell(db, row)


async def _tell(db: AsyncConnection, row: Row[Any]) -> None:
    names = ("id", "tenant_id", "state", "total", "succeeded", "failed", "cancelled", "rejected")
    fields: dict[str, Any] = {name: getattr(row, name) for name in (*names, "created_at", "finished_at")}
    end = BatchEnd(kind=Kind(row.kind), cost_usd=Decimal(row.cost_microusd) / 1_000_000, **fields)
    await announcing.batch_ended(db, end, also=row.webhook_url)


async def revived(db: AsyncConnection, batch_id: str, count: int, held: int) -> None:
    """Count failed jobs as open again; `held` of them wait for their turn."""
    values = {
        "failed": batches.c.failed - count,
        "held": batches.c.held + held,
        "state": BatchState.RUNNING,
        "finished_at": null(),
    }
    await db.execute(update(batches).where(batches.c.id == batch_id).values(values))
