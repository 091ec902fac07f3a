"""A batch's counters: moved in the commit that moves its jobs, so that a look at a batch counts nothing.

The batch's row is the last that a transaction locks, after the job's, the tenant's and the day's.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, null, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.fetch import Tier
from gateway.jobs.states import BatchState, State
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


async def ended(db: AsyncConnection, batch_id: str, what: Ended) -> bool:
    """Count jobs that ended; whoever counts the last one ends the batch. True: it has ended."""
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
    statement = update(batches).where(batches.c.id == batch_id).values(values).returning(batches.c.finished_at)
    return (await db.execute(statement)).scalar_one_or_none() is not None


async def revived(db: AsyncConnection, batch_id: str, count: int, held: int) -> None:
    """Count failed jobs as open again; `held` of them wait for their turn."""
    values = {
        "failed": batches.c.failed - count,
        "held": batches.c.held + held,
        "state": BatchState.RUNNING,
        "finished_at": null(),
    }
    await db.execute(update(batches).where(batches.c.id == batch_id).values(values))


async def put_back(db: AsyncConnection, batch_id: str, count: int) -> None:
    """Count queued jobs as held again."""
    await db.execute(update(batches).where(batches.c.id == batch_id).values(held=batches.c.held + count))
