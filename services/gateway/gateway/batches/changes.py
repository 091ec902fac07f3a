"""What an owner does with a batch: holds it, lets it go on, ends it, removes it, tries again what failed."""

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import ErrorCode
from gateway.batches.filling import chunks
from gateway.batches.store import Record
from gateway.jobs import accounts, admission, outcomes, removal, spending, tallies
from gateway.jobs.removal import Removal
from gateway.jobs.states import BatchState, Kind, State
from gateway.jobs.tallies import Ended
from gateway.tables import IS_QUEUED, batches, jobs
from gateway.times import now_plus

_OPEN = [state for state in State if not state.final]


async def pause(db: AsyncConnection, tenant_id: str, batch_id: str) -> bool:
    """Let nothing more into the queue and take back what waits there. False: it has ended, or there is none.

    The batch's row comes first, or somebody who lets URLs in at this moment would leave them there. So no row of a job
    is waited for: whoever holds one is about to take it, and may.
    """
    own = (batches.c.id == batch_id) & (batches.c.tenant_id == tenant_id)
    still = batches.c.state.in_([state for state in BatchState if not state.final])
    if not (await db.execute(update(batches).where(own, still).values(state=BatchState.PAUSED))).rowcount:
        return False
    mine = (jobs.c.batch_id == batch_id) & (jobs.c.tenant_id == tenant_id)
    queued = select(jobs.c.id).where(mine, IS_QUEUED).with_for_update(skip_locked=True)
    back = list((await db.execute(queued)).scalars())
    for chunk in chunks(back):
        await db.execute(update(jobs).where(mine, jobs.c.id.in_(chunk)).values(state=State.HELD))
    await db.execute(update(batches).where(own).values(held=batches.c.held + len(back)))
    return True


async def resume(db: AsyncConnection, tenant_id: str, batch_id: str) -> bool:
    """Let a paused batch go on. False: it is not paused."""
    own = (batches.c.id == batch_id) & (batches.c.tenant_id == tenant_id)
    statement = update(batches).where(own, batches.c.state == BatchState.PAUSED).values(state=BatchState.RUNNING)
    return bool((await db.execute(statement)).rowcount)


async def cancel(db: AsyncConnection, tenant_id: str, batch_id: str) -> list[str]:
    """End every URL that has not ended; workers that hold one find their lease gone. Return those that were in work."""
    mine = (jobs.c.batch_id == batch_id) & (jobs.c.tenant_id == tenant_id)
    before = select(jobs.c.id, jobs.c.state, jobs.c.quota_day).where(mine, jobs.c.state.in_(_OPEN))
    found = (await db.execute(before.order_by(jobs.c.id).with_for_update())).all()
    text = "The batch was cancelled on request."
    values = {"state": State.CANCELLED, "error_code": ErrorCode.CANCELLED, "error_detail": text, **outcomes.DONE}
    for chunk in chunks(found):
        ids = jobs.c.id.in_([row.id for row in chunk])
        await db.execute(update(jobs).where(mine, ids).values(values))
    working = [row.id for row in found if row.state not in {State.HELD, State.QUEUED}]
    for job_id in working:
        await spending.release(db, job_id)
    await admission.promote(db, tenant_id)
    own = (batches.c.id == batch_id) & (batches.c.tenant_id == tenant_id)
    kind = (await db.execute(select(batches.c.kind).where(own))).scalar_one_or_none()
    if kind is None:
        return []
    await accounts.give_back_many(db, tenant_id, Kind(kind), [row.quota_day for row in found])
    still = batches.c.state.in_([state for state in BatchState if not state.final])
    ended = {"state": BatchState.CANCELLED, "finished_at": now_plus()}
    changed = (await db.execute(update(batches).where(own, still).values(ended))).rowcount
    if changed and not found:
        await tallies.over(db, tenant_id, batch_id)
    if found:
        held = sum(row.state == State.HELD for row in found)
        await tallies.ended(db, batch_id, Ended(State.CANCELLED, len(found), held=held))
    return working


async def remove(db: AsyncConnection, tenant_id: str, batch_id: str) -> bool:
    """Remove a batch that has ended, with its URLs and their results. False: there is none, or it has not ended."""
    own = (batches.c.id == batch_id) & (batches.c.tenant_id == tenant_id)
    over = batches.c.state.in_([state for state in BatchState if state.final])
    if not (await db.execute(delete(batches).where(own, over))).rowcount:
        return False
    mine = select(jobs.c.id).where(jobs.c.batch_id == batch_id, jobs.c.tenant_id == tenant_id)
    ids = list((await db.execute(mine)).scalars())
    for chunk in chunks(ids):
        await removal.remove_all(db, [Removal(tenant_id, job_id) for job_id in chunk])
    return True


async def retry_failed(db: AsyncConnection, tenant_id: str, record: Record) -> int:
    """Hold every failed URL again, with all its attempts; return how many.

    Those that need what was dropped at their end (`withheld`) stay failed: only their owner can ask anew.
    """
    mine = (jobs.c.batch_id == record.id) & (jobs.c.tenant_id == tenant_id) & (jobs.c.state == State.FAILED)
    listed = select(jobs.c.id, jobs.c.options).where(mine).order_by(jobs.c.id)
    failed = (await db.execute(listed.with_for_update())).all()
    again = [row.id for row in failed if not (row.options or {}).get("withheld")]
    if not again:
        return 0
    values = {**outcomes.ANEW, "state": State.HELD}
    days: list[str | None] = []
    for chunk in chunks(again):
        statement = update(jobs).where(mine, jobs.c.id.in_(chunk)).values(values)
        days += (await db.execute(statement.returning(jobs.c.quota_day))).scalars().all()
    await accounts.hold_many_again(db, tenant_id, record.kind, days)
    await tallies.revived(db, record.id, len(again), held=len(again))
    return len(again)
