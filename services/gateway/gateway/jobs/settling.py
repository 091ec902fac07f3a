"""Ending many captures of batches in one transaction, which costs as many statements as ending one.

Locks are taken in the order of `outcomes.finish`: jobs, tenants, their days, batches; each kind in one order.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.fetch import FetchResult, Tier
from gateway.jobs import accounts, admission, announcing, briefs, tallies
from gateway.jobs.accounts import Booked
from gateway.jobs.states import Claimed, State
from gateway.jobs.tallies import Ended, Listener
from gateway.tables import job_secrets, jobs, results
from gateway.times import now_plus

_RUNNING = frozenset({State.RENDERING, State.ANALYZING})


@dataclass(frozen=True)
class Done:
    """A capture of a batch and what it gave. `keys`: the blob keys of its artifacts."""

    job: Claimed
    result: FetchResult
    keys: dict[str, str]


async def finish_all(db: AsyncConnection, done: Sequence[Done]) -> set[tuple[str, int]]:
    """Write all results and final states together; return the claims that were still ours. May be done twice."""
    rows = {row.id: row for row in await _locked(db, [one.job.id for one in done])}
    known = [one for one in done if one.job.id in rows and rows[one.job.id].fence == one.job.fence]
    ours = [one for one in known if rows[one.job.id].state in _RUNNING]
    # Succeeded under the same fence: the connection was lost after the commit, and before its answer.
    before = {one.job.key for one in known if rows[one.job.id].state == State.SUCCEEDED}
    if ours:
        await _write(db, ours)
        for tenant_id in sorted({one.job.tenant_id for one in ours}):
            await admission.promote(db, tenant_id)
        await accounts.book_many(db, [_booked(one, rows[one.job.id]) for one in ours])
        await _count(db, sorted(ours, key=lambda one: one.job.id))
    return before | {one.job.key for one in ours}


async def _locked(db: AsyncConnection, ids: Sequence[str]) -> Sequence[Row[*tuple[Any, ...]]]:
    statement = select(jobs.c.id, jobs.c.fence, jobs.c.state, jobs.c.quota_day).where(jobs.c.id.in_(ids))
    return (await db.execute(statement.order_by(jobs.c.id).with_for_update())).all()


async def _write(db: AsyncConnection, ours: Sequence[Done]) -> None:
    values = {
        "state": State.SUCCEEDED,
        "error_code": null(),
        "worker_id": null(),
        "lease_until": null(),
        "finished_at": now_plus(),
        "brief": bindparam("line"),
    }
    lines = [{"job": one.job.id, "line": briefs.of(one.job, one.result)} for one in ours]
    await db.execute(update(jobs).where(jobs.c.id == bindparam("job")).values(values), lines)
    documents = [
        {
            "job_id": one.job.id,
            "tenant_id": one.job.tenant_id,
            "document": one.result.model_dump(mode="json"),
            "blob_keys": one.keys,
        }
        for one in ours
    ]
    await db.execute(insert(results).values(saved_at=now_plus()), documents)
    withheld = [one.job.id for one in ours if (one.job.options or {}).get("withheld")]
    if withheld:
        await db.execute(delete(job_secrets).where(job_secrets.c.job_id.in_(withheld)))


def _booked(one: Done, row: Row[*tuple[Any, ...]]) -> Booked:
    # Jobs of a release that did not note the day were accepted on the day of its end, give or take one.
    day = row.quota_day or datetime.now(UTC).date().isoformat()
    return Booked(one.job.id, one.job.tenant_id, day, one.job.kind, accounts.micro(one.result.cost_usd))


async def _count(db: AsyncConnection, ours: Sequence[Done]) -> None:
    counts, costs = Counter[tuple[str, Tier]](), Counter[tuple[str, Tier]]()
    for one in ours:
        assert one.job.batch_id is not None
        counts[one.job.batch_id, one.result.tier] += 1
        costs[one.job.batch_id, one.result.tier] += accounts.micro(one.result.cost_usd)
    listeners: dict[str, Listener] = {}
    for (batch_id, tier), count in sorted(counts.items()):
        cost = costs[batch_id, tier]
        ended = Ended(State.SUCCEEDED, count, tier=tier, cost_microusd=cost)
        listeners[batch_id] = await tallies.ended(db, batch_id, ended)
    for one in ours:
        listener = listeners[one.job.batch_id or ""]
        if listener.each:
            await announcing.ended(db, one.job.tenant_id, one.job.id, one.result, also=listener.url)
