"""What happened to a tenant's jobs after their end, for those who follow along; webhooks have rows of their own."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.jobs.states import Document
from gateway.outbox.events import EventType
from gateway.tables import events
from gateway.times import now_plus
from runtime.ids import new_id


@dataclass(frozen=True)
class Event:
    """One thing that happened to one job. Ids sort by time."""

    id: str
    tenant_id: str
    job_id: str
    type: str
    document: Document
    at: datetime


async def record(db: AsyncConnection, tenant_id: str, job_id: str, kind: EventType, document: Document) -> str:
    """Write an event in the commit of what it tells of, and return its id."""
    event_id = new_id("evt")
    row = {"id": event_id, "tenant_id": tenant_id, "job_id": job_id, "type": kind, "document": document}
    await db.execute(insert(events).values(**row, at=now_plus()))
    return event_id


async def since(db: AsyncConnection, tenant_id: str, after: str = "", limit: int = 100) -> list[Event]:
    """Return a tenant's events after the one with the id `after`, oldest first."""
    mine = (events.c.tenant_id == tenant_id) & (events.c.id > after)
    rows = await db.execute(select(events).where(mine).order_by(events.c.id).limit(limit))
    return [Event(row.id, row.tenant_id, row.job_id, row.type, row.document, row.at) for row in rows]
