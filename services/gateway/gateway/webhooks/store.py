"""Endpoints and the log of their deliveries. Every query names the owner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, delete, func, insert, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.deliveries.parcels import REQUEST
from gateway.outbox.events import EventType
from gateway.tables import (
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
    webhook_lanes,
    webhook_secrets,
)
from gateway.times import now_plus
from runtime.ids import new_id

ENDPOINT_PREFIX = "wh"

e, d = webhook_endpoints, webhook_deliveries


@dataclass(frozen=True)
class Endpoint:
    """One endpoint as it is stored. `events` None: all. `failing_since`: nothing has gone through since then."""

    id: str
    url: str
    events: list[EventType] | None
    description: str
    concurrency: int
    enabled: bool
    disabled_reason: str | None
    disabled_at: datetime | None
    failing_since: datetime | None
    created_at: datetime


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one receiver. `webhook_id` is `request` where the URL came with one request."""

    id: str
    event_id: str
    event_type: str
    webhook_id: str
    url: str
    state: str
    attempts: int
    next_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None
    document: str


@dataclass(frozen=True)
class Tried:
    """One attempt."""

    number: int
    at: datetime
    status: int | None
    error: str | None
    detail: str
    answer: str
    ms: int


_KNOWN = {event_type.value: event_type for event_type in EventType}


def _endpoint(row: Row[Any]) -> Endpoint:
    return Endpoint(
        id=row.id,
        url=row.url,
        events=None if row.events is None else [_KNOWN[name] for name in row.events if name in _KNOWN],
        description=row.description,
        concurrency=row.concurrency,
        enabled=bool(row.enabled),
        disabled_reason=row.disabled_reason,
        disabled_at=row.disabled_at,
        failing_since=row.failing_since,
        created_at=row.created_at,
    )


def _endpoints(tenant_id: str) -> Select[*tuple[Any, ...]]:
    source = e.outerjoin(webhook_lanes, webhook_lanes.c.lane == e.c.id)
    return select(*e.c, webhook_lanes.c.failing_since).select_from(source).where(e.c.tenant_id == tenant_id)


async def add(db: AsyncConnection, tenant_id: str, values: Mapping[str, Any]) -> str:
    """Write an endpoint and return its id."""
    endpoint_id = new_id(ENDPOINT_PREFIX)
    row = {"id": endpoint_id, "tenant_id": tenant_id, "enabled": 1, "created_at": now_plus(), **_columns(values)}
    await db.execute(insert(e).values(row))
    return endpoint_id


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: null() if value is None else value for name, value in values.items()}


async def get(db: AsyncConnection, tenant_id: str, endpoint_id: str) -> Endpoint | None:
    """Return one endpoint."""
    row = (await db.execute(_endpoints(tenant_id).where(e.c.id == endpoint_id))).first()
    return None if row is None else _endpoint(row)


async def count(db: AsyncConnection, tenant_id: str) -> int:
    """Return how many endpoints a tenant has."""
    statement = select(func.count()).select_from(e).where(e.c.tenant_id == tenant_id)
    return int((await db.execute(statement)).scalar_one())


async def page(db: AsyncConnection, tenant_id: str, limit: int, before: str | None) -> list[Endpoint]:
    """Return up to `limit` endpoints older than `before`, newest first."""
    statement = _endpoints(tenant_id).order_by(e.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(e.c.id < before)
    return [_endpoint(row) for row in await db.execute(statement)]


async def change(db: AsyncConnection, tenant_id: str, endpoint_id: str, values: Mapping[str, Any]) -> bool:
    """Change an endpoint. False: there is none."""
    statement = update(e).where(e.c.id == endpoint_id, e.c.tenant_id == tenant_id).values(_columns(values))
    return bool((await db.execute(statement)).rowcount)


async def enable(db: AsyncConnection, tenant_id: str, endpoint_id: str) -> None:
    """Send to an endpoint again; what it did wrong before is forgotten."""
    await change(db, tenant_id, endpoint_id, {"enabled": 1, "disabled_reason": None, "disabled_at": None})
    own = select(e.c.id).where(e.c.id == endpoint_id, e.c.tenant_id == tenant_id)
    await db.execute(delete(webhook_lanes).where(webhook_lanes.c.lane.in_(own)))


async def remove(db: AsyncConnection, tenant_id: str, endpoint_id: str) -> bool:
    """Remove an endpoint with its secrets and its log. False: there is none."""
    removed = await db.execute(delete(e).where(e.c.id == endpoint_id, e.c.tenant_id == tenant_id))
    s = webhook_secrets
    await db.execute(delete(s).where(s.c.owner == endpoint_id, s.c.tenant_id == tenant_id))
    return bool(removed.rowcount)


async def expire_secrets(db: AsyncConnection, tenant_id: str, owner: str, overlap: timedelta) -> datetime:
    """Let every secret of an owner end after `overlap`, or earlier where that is so already; return that moment."""
    s = webhook_secrets
    until = now_plus(overlap)
    later = or_(s.c.expires_at.is_(None), s.c.expires_at > until)
    await db.execute(update(s).where(s.c.tenant_id == tenant_id, s.c.owner == owner, later).values(expires_at=until))
    moment: datetime = (await db.execute(select(until))).scalar_one()
    return moment


def _of(tenant_id: str, webhook_id: str) -> ColumnElement[bool]:
    endpoint = d.c.endpoint_id.is_(None) if webhook_id == REQUEST else d.c.endpoint_id == webhook_id
    return (d.c.tenant_id == tenant_id) & endpoint


def _deliveries(tenant_id: str, webhook_id: str) -> Select[*tuple[Any, ...]]:
    source = d.join(webhook_events, webhook_events.c.id == d.c.event_id).outerjoin(e, e.c.id == d.c.endpoint_id)
    columns = (*d.c, webhook_events.c.type, webhook_events.c.document, e.c.url.label("endpoint_url"))
    return select(*columns).select_from(source).where(_of(tenant_id, webhook_id))


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        event_id=row.event_id,
        event_type=row.type,
        webhook_id=row.endpoint_id or REQUEST,
        url=row.endpoint_url or row.url,
        state=row.state,
        attempts=row.tries,
        next_attempt_at=row.run_at if row.state == "pending" else None,
        last_status=row.last_status,
        last_error=row.last_error,
        created_at=row.created_at,
        finished_at=row.finished_at,
        document=row.document,
    )


async def delivery(db: AsyncConnection, tenant_id: str, webhook_id: str, delivery_id: str) -> Delivery | None:
    """Return one delivery."""
    row = (await db.execute(_deliveries(tenant_id, webhook_id).where(d.c.id == delivery_id))).first()
    return None if row is None else _delivery(row)


async def deliveries(
    db: AsyncConnection, tenant_id: str, webhook_id: str, limit: int, *, before: str | None, state: str | None
) -> list[Delivery]:
    """Return up to `limit` deliveries older than `before`, newest first."""
    statement = _deliveries(tenant_id, webhook_id).order_by(d.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(d.c.id < before)
    if state is not None:
        statement = statement.where(d.c.state == state)
    return [_delivery(row) for row in await db.execute(statement)]


async def attempts(db: AsyncConnection, tenant_id: str, delivery_id: str) -> list[Tried]:
    """Return the attempts of a delivery, first first."""
    a = webhook_attempts
    statement = select(a).where(a.c.delivery_id == delivery_id, a.c.tenant_id == tenant_id).order_by(a.c.number)
    rows = await db.execute(statement)
    return [Tried(row.number, row.at, row.status, row.error, row.detail, row.answer, row.ms) for row in rows]


_AGAIN: dict[str, Any] = {  # columns and expressions
    "state": "pending",
    "attempt": 0,
    "run_at": now_plus(),
    "finished_at": null(),
}


async def replay(db: AsyncConnection, tenant_id: str, webhook_id: str, delivery_id: str) -> bool:
    """Deliver again from the start of the schedule. False: it is being sent at this moment, or there is none."""
    idle = d.c.state != "sending"
    statement = update(d).where(_of(tenant_id, webhook_id), d.c.id == delivery_id, idle).values(_AGAIN)
    return bool((await db.execute(statement)).rowcount)


@dataclass(frozen=True)
class Span:
    """Deliveries of a time."""

    since: datetime
    until: datetime
    states: Sequence[str]


async def replay_span(db: AsyncConnection, tenant_id: str, webhook_id: str, span: Span, limit: int) -> int:
    """Deliver up to `limit` of a time again, oldest first; return how many."""
    chosen = (
        select(d.c.id)
        .where(
            _of(tenant_id, webhook_id),
            d.c.created_at >= span.since,
            d.c.created_at < span.until,
            d.c.state.in_(span.states),
        )
        .order_by(d.c.id)
        .limit(limit)
    )
    return (await db.execute(update(d).where(d.c.id.in_(chosen)).values(_AGAIN))).rowcount
