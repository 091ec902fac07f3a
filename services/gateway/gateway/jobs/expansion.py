"""A batch whose URLs are in a sitemap: a job of its own reads it, with lease, fence and retries as every other."""

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import ErrorCode
from gateway.jobs import admission, confidential, intake, tallies
from gateway.jobs.intake import Lane
from gateway.jobs.leases import mine
from gateway.jobs.states import BatchState, Claimed, Document, Kind, Priority, Stage, State
from gateway.tables import batches, jobs
from gateway.times import now_plus
from runtime.ids import new_id

_DETAIL = 500


async def schedule(db: AsyncConnection, tenant_id: str, batch_id: str, url: str, asked: Document) -> None:
    """Have a sitemap read. `asked` may hold what is confidential, so it goes where that is kept."""
    allowed = await admission.terms(db, tenant_id)
    key = await intake.next_key(db, Lane(tenant_id, Kind.SITEMAP, Priority.BATCH), 1 / allowed.share)
    job_id = new_id(Kind.SITEMAP.id_prefix)
    row = {
        "id": job_id,
        "tenant_id": tenant_id,
        "kind": Kind.SITEMAP,
        "url": url,
        "preset": "",
        "options": {"batch_id": batch_id},
        "priority": int(Priority.BATCH),
        "order_key": key,
        "state": await admission.first_state(db, tenant_id, allowed),
        "stage": Stage.RENDER,
        "light": 1,
        "run_at": now_plus(),
        "created_at": now_plus(),
    }
    await db.execute(insert(jobs).values(row))
    await confidential.keep(db, tenant_id, job_id, asked)


def target(job: Claimed) -> str:
    """Return the id of the batch that an expansion is for."""
    return str((job.options or {})["batch_id"])


async def conclude(db: AsyncConnection, job: Claimed) -> bool:
    """Take a job that has done its work out of the queue, with what it held. False: it is no longer ours."""
    if not (await db.execute(delete(jobs).where(mine(job)))).rowcount:
        return False
    await admission.promote(db, job.tenant_id)
    return True


async def abandon(db: AsyncConnection, job_id: str) -> None:
    """End the batch of an expansion that has failed for good. Nothing happens for other jobs."""
    failed = select(jobs.c.tenant_id, jobs.c.options, jobs.c.error_code, jobs.c.error_detail).where(
        jobs.c.id == job_id, jobs.c.kind == Kind.SITEMAP, jobs.c.state == State.FAILED
    )
    row = (await db.execute(failed)).first()
    if row is not None:
        await stillborn(db, row.tenant_id, row.options["batch_id"], row.error_code, row.error_detail)


async def stillborn(db: AsyncConnection, tenant_id: str, batch_id: str, code: str, detail: str | None) -> None:
    """End a batch that gets no URLs, and say why."""
    open_states = [state for state in BatchState if not state.final]
    mine = (batches.c.id == batch_id) & (batches.c.tenant_id == tenant_id) & batches.c.state.in_(open_states)
    values = {
        "state": BatchState.CANCELLED,
        "error_code": code or ErrorCode.INTERNAL,
        "error_detail": (detail or "")[:_DETAIL],
        "finished_at": now_plus(),
    }
    await db.execute(update(batches).where(mine).values(values))
    await tallies.over(db, tenant_id, batch_id)
