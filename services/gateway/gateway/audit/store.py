"""The audit log's rows. There is no statement that changes or removes one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.tables import audit_events
from gateway.times import now_plus
from runtime.ids import new_id

_ROWS = insert(audit_events).values(at=now_plus())


@dataclass(frozen=True)
class Entry:
    """One mutating call. `actor`: a key's id, `local` or `operator`; `action`: method and route, never a path."""

    tenant_id: str
    actor: str
    action: str
    target_id: str = ""
    address: str = ""
    request_id: str = ""
    status: int = 0


@dataclass(frozen=True)
class Record(Entry):
    """An entry as it was written."""

    id: str = ""
    at: datetime | None = None


async def append(db: AsyncConnection, entries: Sequence[Entry]) -> None:
    """Write entries."""
    rows = [
        {
            "id": new_id("aud"),
            "tenant_id": entry.tenant_id,
            "actor": entry.actor,
            "action": entry.action[:120],
            "target_id": entry.target_id[:100],
            "address": entry.address[:64],
            "request_id": entry.request_id[:100],
            "status": entry.status,
        }
        for entry in entries
    ]
    await db.execute(_ROWS, rows)


async def page(db: AsyncConnection, tenant_id: str, limit: int, before: str | None) -> list[Record]:
    """Return up to `limit` entries older than `before`, newest first; ids sort by time."""
    statement = select(audit_events).where(audit_events.c.tenant_id == tenant_id)
    if before is not None:
        statement = statement.where(audit_events.c.id < before)
    rows = await db.execute(statement.order_by(audit_events.c.id.desc()).limit(limit))
    return [Record(**row._asdict()) for row in rows]
