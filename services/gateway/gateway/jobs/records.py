"""Reading jobs of any kind. Every query names the owner."""

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.jobs.states import Kind, State
from gateway.tables import jobs


def owned(kind: Kind, tenant_id: str) -> ColumnElement[bool]:
    """Return the condition for the jobs of one kind that a tenant may see."""
    return (jobs.c.tenant_id == tenant_id) & (jobs.c.kind == kind)


async def state(db: AsyncConnection, kind: Kind, tenant_id: str, job_id: str) -> State | None:
    """Return only where a job is: the cheap look of those who wait."""
    statement = select(jobs.c.state).where(owned(kind, tenant_id), jobs.c.id == job_id)
    found = (await db.execute(statement)).scalar_one_or_none()
    return None if found is None else State(found)
