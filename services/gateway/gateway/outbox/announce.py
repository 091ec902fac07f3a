"""Writing an event and who has to be told of it. Callers hold the transaction that makes it true."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import String, cast, insert, literal, null, select, union_all
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.outbox.events import Event, EventType, written
from gateway.tables import DOCUMENT, job_webhooks, webhook_deliveries, webhook_endpoints, webhook_events
from gateway.times import now_plus
from runtime import netguard
from runtime.ids import new_id

_ON = 1


@dataclass(frozen=True)
class Recipient:
    """Who is told: one of a tenant's endpoints, or the URL that came with one request."""

    endpoint_id: str | None
    url: str | None


async def expect(db: AsyncConnection, tenant_id: str, job_id: str, url: str) -> None:
    """Note where the end of a job is told besides the tenant's endpoints."""
    row = {"id": new_id("jwh"), "job_id": job_id, "tenant_id": tenant_id, "url": url}
    await db.execute(insert(job_webhooks).values(row))


@dataclass(frozen=True)
class Listener:
    """A recipient with what it wants to be told; None: everything."""

    to: Recipient
    events: list[str] | None


async def listening(db: AsyncConnection, tenant_id: str, job_id: str | None = None) -> list[Listener]:
    """Return who listens: the tenant's enabled endpoints and, of a job, its own URLs."""
    endpoints = select(webhook_endpoints.c.id, webhook_endpoints.c.events, literal(None, String).label("url")).where(
        webhook_endpoints.c.tenant_id == tenant_id, webhook_endpoints.c.enabled == _ON
    )
    own = select(literal(None, String), cast(null(), DOCUMENT), job_webhooks.c.url).where(
        job_webhooks.c.tenant_id == tenant_id, job_webhooks.c.job_id == job_id
    )
    rows = await db.execute(union_all(endpoints, own) if job_id else endpoints)
    return [Listener(Recipient(row.id, row.url), row.events) for row in rows]


def wanting(listeners: Sequence[Listener], event_type: EventType) -> list[Recipient]:
    """Return those who want this event, each once: any number of requests may have named the same URL."""
    return list(dict.fromkeys(one.to for one in listeners if one.events is None or event_type in one.events))


async def announce(
    db: AsyncConnection, tenant_id: str, event: Event, to: Sequence[Recipient], *, once_key: str | None = None
) -> list[str]:
    """Write an event and a delivery for each recipient; return their ids: none if nobody is, or `once_key` was told."""
    to = await _still_there(db, tenant_id, list(dict.fromkeys(to)))
    if not to:
        return []
    upsert: Any = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    row = {
        "id": event.event_id,
        "tenant_id": tenant_id,
        "type": event.type,
        "once_key": once_key or event.event_id,
        "document": written(event),
        "created_at": now_plus(),
    }
    statement = upsert(webhook_events).values(row).on_conflict_do_nothing(index_elements=["once_key"])
    if not (await db.execute(statement)).rowcount:
        return []
    rows = [_delivery(tenant_id, event.event_id, recipient) for recipient in to]
    statement = insert(webhook_deliveries).values(run_at=now_plus(), created_at=now_plus())
    await db.execute(statement, rows)
    return [str(row["id"]) for row in rows]


async def _still_there(db: AsyncConnection, tenant_id: str, to: list[Recipient]) -> list[Recipient]:
    """Hold the endpoints until the commit, without those that were deleted meanwhile.

    Or the deletion would make the insert fail, and with it the end of a job.
    """
    named = [one.endpoint_id for one in to if one.endpoint_id]
    if not named:
        return to
    e = webhook_endpoints.c
    held = select(e.id).where(e.tenant_id == tenant_id, e.id.in_(named)).order_by(e.id)
    found = set((await db.execute(held.with_for_update(read=True, key_share=True))).scalars())
    return [one for one in to if one.endpoint_id is None or one.endpoint_id in found]


def _delivery(tenant_id: str, event_id: str, to: Recipient) -> dict[str, object]:
    lane = to.endpoint_id or f"{tenant_id}:{netguard.parse(to.url or '').host}"
    return {
        "id": new_id("whd"),
        "tenant_id": tenant_id,
        "event_id": event_id,
        "endpoint_id": to.endpoint_id,
        "url": to.url,
        "lane": lane,
        "state": "pending",
    }
