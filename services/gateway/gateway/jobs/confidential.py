"""What a request trusted us with for one visit: headers, cookies, password. Kept apart from the job, and not for long.

Whoever ends a job drops it in the same commit; `sweep` drops what was ended in another way. See docs/adr/0012.
"""

from sqlalchemy import delete, exists, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.jobs.states import Claimed, Document, State
from gateway.tables import job_secrets, jobs
from gateway.times import now_plus


async def keep(db: AsyncConnection, tenant_id: str, job_id: str, document: Document) -> None:
    """Store what a job needs and nobody may read afterwards."""
    row = {"job_id": job_id, "tenant_id": tenant_id, "document": document, "saved_at": now_plus()}
    await db.execute(insert(job_secrets).values(row))


async def load(db: AsyncConnection, job: Claimed) -> Document | None:
    """Return a claimed job's confidential part, or None where it was dropped."""
    statement = select(job_secrets.c.document).where(
        job_secrets.c.job_id == job.id, job_secrets.c.tenant_id == job.tenant_id
    )
    found: Document | None = (await db.execute(statement)).scalar_one_or_none()
    return found


async def drop(db: AsyncConnection, tenant_id: str, job_id: str) -> None:
    """Forget it; nothing happens where there is nothing."""
    statement = delete(job_secrets).where(job_secrets.c.job_id == job_id, job_secrets.c.tenant_id == tenant_id)
    await db.execute(statement)


_ENDED = exists().where(jobs.c.id == job_secrets.c.job_id, jobs.c.state.in_([state for state in State if state.final]))


async def overdue(db: AsyncConnection) -> bool:
    """Whether there is something to sweep: a look takes no lock, which on SQLite the sweep itself would."""
    return (await db.execute(select(job_secrets.c.job_id).where(_ENDED).limit(1))).first() is not None


async def sweep(db: AsyncConnection) -> int:
    """Forget that of every job that has ended, by whichever way; return how many there were."""
    return (await db.execute(delete(job_secrets).where(_ENDED))).rowcount
