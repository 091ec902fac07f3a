"""What became of a job: stage saved, finished, failed, cancelled, requeued. Every write of a worker is fenced."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import delete, insert, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import ErrorCode
from contracts.fetch import FetchResult, Tier
from contracts.render import RenderResult
from contracts.result import Analysis
from contracts.wire import Wire
from gateway.jobs import accounts, admission, briefs, confidential, records, spending, tallies
from gateway.jobs.lasting import may_be_given_again
from gateway.jobs.leases import mine
from gateway.jobs.states import Claimed, Kind, Stage, State
from gateway.jobs.tallies import Ended, Lone
from gateway.tables import jobs, renders, results
from gateway.times import now_plus
from runtime.errors import ServiceError

DONE = {"worker_id": null(), "lease_until": null(), "finished_at": now_plus()}
"""What a job's end changes besides its state."""


class Rendered(NamedTuple):
    """A page as it was rendered, and the blob keys of its artifacts."""

    render: RenderResult
    keys: dict[str, str]


async def save_render(db: AsyncConnection, job: Claimed, render: RenderResult, keys: dict[str, str]) -> bool:
    """Keep a render, and go on to the analysis. False: the job is no longer ours."""
    values = {"state": State.ANALYZING, "stage": Stage.ANALYZE}
    if not (await db.execute(update(jobs).where(mine(job)).values(values))).rowcount:
        return False
    # Replaced and not only inserted: a commit in doubt is done twice.
    await db.execute(delete(renders).where(renders.c.job_id == job.id))
    document = render.model_dump(mode="json")
    row = {
        "job_id": job.id,
        "tenant_id": job.tenant_id,
        "document": document,
        "blob_keys": keys,
        "saved_at": now_plus(),
    }
    await db.execute(insert(renders).values(row))
    return True


async def load_render(db: AsyncConnection, job: Claimed) -> Rendered:
    """Return what an earlier attempt rendered."""
    statement = select(renders.c.document, renders.c.blob_keys).where(
        renders.c.job_id == job.id, renders.c.tenant_id == job.tenant_id
    )
    row = (await db.execute(statement)).one()
    return Rendered(RenderResult.model_validate(row.document), row.blob_keys)


async def reserve(db: AsyncConnection, job: Claimed, wanted: Decimal, limit: Decimal) -> Decimal | None:
    """Hold up to `wanted` USD of the tenant's `limit` for today, and return how much. None: the job is not ours."""
    ours = select(jobs.c.id).where(mine(job)).with_for_update()
    if (await db.execute(ours)).first() is None:
        return None
    return await spending.reserve(db, job.id, spending.Purse.today(job.tenant_id), wanted, limit)


async def finish(db: AsyncConnection, job: Claimed, result: Wire, keys: dict[str, str] | None = None) -> bool:
    """Write the result and the final state together. False: the job is no longer ours, and nothing was written.

    `keys`: the blob keys of artifacts that belong to the result itself.
    """
    values = {"state": State.SUCCEEDED, "error_code": null(), **DONE}
    if job.batch_id:
        values["brief"] = briefs.of(job, result)
    if not may_be_given_again(result):
        values["cache_key"] = null()
    done = update(jobs).where(mine(job)).values(values)
    if not (await db.execute(done)).rowcount:
        return await ended_by_us(db, job, State.SUCCEEDED)
    row = {
        "job_id": job.id,
        "tenant_id": job.tenant_id,
        "document": result.model_dump(mode="json"),
        "blob_keys": null() if keys is None else keys,
        "saved_at": now_plus(),
    }
    await db.execute(insert(results).values(row))
    await confidential.drop(db, job.tenant_id, job.id)
    run = result.engine.ai if isinstance(result, Analysis) else None
    cost = Decimal(run.cost_usd) if run else Decimal(0)
    await spending.settle(db, job.id, job.tenant_id, cost)
    # As at acceptance, the tenant's row is locked before its day: the other way round two could wait for each other.
    await admission.promote(db, job.tenant_id)
    cost = result.cost_usd if isinstance(result, FetchResult) else cost
    await accounts.book(db, job, cost)
    tier = result.tier if isinstance(result, FetchResult) else Tier.BROWSER
    ended = Ended(State.SUCCEEDED, tier=tier, cost_microusd=accounts.micro(cost))
    await tallies.end(db, Lone(job.tenant_id, job.id, job.batch_id), ended, result)
    return True


async def fail(db: AsyncConnection, job: Claimed, error: ServiceError) -> bool:
    """End a job for good; it stays visible, and `requeue` revives it. False: it was no longer ours."""
    values = {"state": State.FAILED, "error_code": error.code, "error_detail": error.detail, **DONE}
    if job.batch_id:
        values["brief"] = briefs.ended(job.id, job.url, State.FAILED, (error.code.value, error.detail))
    if (await db.execute(update(jobs).where(mine(job)).values(values))).rowcount:
        await confidential.drop(db, job.tenant_id, job.id)
        await spending.release(db, job.id)
        await admission.promote(db, job.tenant_id)
        await accounts.give_back(db, job.tenant_id, job.id, State.FAILED)
        await tallies.end(db, Lone(job.tenant_id, job.id, job.batch_id), Ended(State.FAILED))
        return True
    return await ended_by_us(db, job, State.FAILED)


async def ended_by_us(db: AsyncConnection, job: Claimed, state: State) -> bool:
    """Whether a job that is no longer in work ended by this very claim.

    The connection may have been lost after the commit and before its answer: the same fence means that it was ours.
    """
    statement = select(jobs.c.id).where(jobs.c.id == job.id, jobs.c.fence == job.fence, jobs.c.state == state)
    return (await db.execute(statement)).first() is not None


async def cancel(db: AsyncConnection, kind: Kind, tenant_id: str, job_id: str) -> bool:
    """End a job that is not finished; a worker that holds it finds its lease gone. False: there was none to end."""
    # Locked before the change, as a batch's counters need to know where it was.
    before = select(jobs.c.batch_id, jobs.c.state).where(records.owned(kind, tenant_id), jobs.c.id == job_id)
    was = (await db.execute(before.with_for_update())).first()
    open_states = [state for state in State if not state.final]
    statement = update(jobs).where(records.owned(kind, tenant_id), jobs.c.id == job_id, jobs.c.state.in_(open_states))
    text = f"The {kind.value} was cancelled on request."
    values = {"state": State.CANCELLED, "error_code": ErrorCode.CANCELLED, "error_detail": text, **DONE}
    if not (await db.execute(statement.values(values))).rowcount:
        return False
    await confidential.drop(db, tenant_id, job_id)
    await spending.release(db, job_id)
    await admission.promote(db, tenant_id)
    await accounts.give_back(db, tenant_id, job_id, State.CANCELLED)
    lone = Lone(tenant_id, job_id, was.batch_id if was else None)
    await tallies.end(db, lone, Ended(State.CANCELLED, held=int(was is not None and was.state == State.HELD)))
    return True


ANEW: Mapping[str, object] = {
    "attempt": 0,
    "crash_count": 0,
    "run_at": now_plus(),
    "finished_at": null(),
    "error_code": null(),
    "error_detail": null(),
    "brief": null(),
}
"""What a failed job is told when all its attempts are given again; its new state is up to the caller."""


async def requeue(db: AsyncConnection, tenant_id: str, job_id: str) -> bool:
    """Give a failed job all its attempts again; stages that were finished stay so.

    False: it is not failed, or it needs what was dropped at its end (`withheld`), so that only its owner can ask anew.
    """
    options = await db.execute(select(jobs.c.options).where(jobs.c.id == job_id, jobs.c.tenant_id == tenant_id))
    if (options.scalar_one_or_none() or {}).get("withheld"):
        return False
    statement = update(jobs).where(jobs.c.id == job_id, jobs.c.tenant_id == tenant_id, jobs.c.state == State.FAILED)
    state = await admission.first_state(db, tenant_id, await admission.terms(db, tenant_id))
    row = (await db.execute(statement.values({**ANEW, "state": state}).returning(jobs.c.batch_id))).first()
    if row is None:
        return False
    await accounts.hold_again(db, tenant_id, job_id)
    if row.batch_id:
        await tallies.revived(db, row.batch_id, 1, held=0)
    return True
