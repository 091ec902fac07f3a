"""What came of an attempt, written down. Every write is fenced."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, insert, null, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.deliveries import claims
from gateway.deliveries.parcels import REQUEST, Parcel
from gateway.deliveries.schedule import delay, pause
from gateway.deliveries.sending import Attempt, Verdict
from gateway.deliveries.signing import Wrapping
from gateway.outbox import announce
from gateway.outbox.events import EndpointDisabledEvent, EventType, instant
from gateway.tables import (
    IS_PENDING,
    IS_SENDING,
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    webhook_lanes,
    webhook_secrets,
)
from gateway.times import now_plus
from runtime.ids import new_id

CLOSED = "endpoint_disabled"
"""The error of a delivery whose endpoint was disabled before it got through."""

_ON, _OFF = 1, 0
d = webhook_deliveries


@dataclass(frozen=True)
class Settled:
    """What was written: nothing when the delivery was not ours any more. `disabled`: why its endpoint now is."""

    ours: bool
    again_in: timedelta | None = None
    disabled: str | None = None


async def settle(
    db: AsyncConnection,
    parcel: Parcel,
    attempt: Attempt,
    patience: timedelta,
    wait: Callable[[int, timedelta | None], timedelta | None] = delay,
) -> Settled:
    """Write down an attempt and what follows from it; an endpoint that failed for all of `patience` is disabled."""
    again_in = None
    if attempt.verdict in {Verdict.FAILED, Verdict.THROTTLED}:
        again_in = wait(parcel.attempt, attempt.asked)
    if not await _written(db, parcel, attempt, again_in):
        return Settled(ours=await _settled_by_us(db, parcel))
    await _log(db, parcel, attempt)
    if attempt.verdict is Verdict.DELIVERED:
        await db.execute(delete(webhook_lanes).where(webhook_lanes.c.lane == parcel.lane))
        return Settled(ours=True)
    await _in_trouble(db, parcel, pause(attempt.asked) if attempt.verdict is Verdict.THROTTLED else None)
    return Settled(ours=True, again_in=again_in, disabled=await _given_up(db, parcel, attempt, patience))


async def _written(db: AsyncConnection, parcel: Parcel, attempt: Attempt, again_in: timedelta | None) -> bool:
    values: dict[str, Any] = {  # columns and expressions
        "worker_id": null(),
        "lease_until": null(),
        "last_status": attempt.status,
        "last_error": attempt.error,
    }
    if again_in is not None:
        values |= {"state": "pending", "run_at": now_plus(again_in)}
    else:
        state = "delivered" if attempt.verdict is Verdict.DELIVERED else "failed"
        values |= {"state": state, "finished_at": now_plus()}
    ours = (d.c.id == parcel.id) & (d.c.fence == parcel.fence) & IS_SENDING
    return bool((await db.execute(update(d).where(ours).values(values))).rowcount)


async def _settled_by_us(db: AsyncConnection, parcel: Parcel) -> bool:
    # The connection may have been lost after the commit and before its answer: our line in the log means it was ours.
    a = webhook_attempts
    statement = select(a.c.number).where(a.c.delivery_id == parcel.id, a.c.number == parcel.number)
    return (await db.execute(statement)).first() is not None


async def _log(db: AsyncConnection, parcel: Parcel, attempt: Attempt) -> None:
    row = {
        "delivery_id": parcel.id,
        "number": parcel.number,
        "tenant_id": parcel.tenant_id,
        "status": attempt.status,
        "error": attempt.error,
        "detail": attempt.detail,
        "answer": attempt.answer,
        "ms": attempt.ms,
        "at": now_plus(),
    }
    await db.execute(insert(webhook_attempts).values(row))


async def _in_trouble(db: AsyncConnection, parcel: Parcel, paused: timedelta | None) -> None:
    """Note since when a lane fails; leave it alone for `paused`."""
    upsert: Any = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    until = null() if paused is None else now_plus(paused)
    row = {"lane": parcel.lane, "tenant_id": parcel.tenant_id, "failing_since": now_plus(), "paused_until": until}
    statement = upsert(webhook_lanes).values(row)
    changed = {"lane": webhook_lanes.c.lane} if paused is None else {"paused_until": statement.excluded.paused_until}
    await db.execute(statement.on_conflict_do_update(index_elements=["lane"], set_=changed))


async def _given_up(db: AsyncConnection, parcel: Parcel, attempt: Attempt, patience: timedelta) -> str | None:
    if parcel.endpoint_id is None:
        return None
    if attempt.verdict is Verdict.GONE:
        reason = "gone"
    else:
        too_long = webhook_lanes.c.failing_since <= now_plus(-patience)
        statement = select(webhook_lanes.c.lane).where(webhook_lanes.c.lane == parcel.lane, too_long)
        if (await db.execute(statement)).first() is None:
            return None
        reason = "failing"
    return reason if await disable(db, parcel.tenant_id, parcel.endpoint_id, reason) else None


async def disable(db: AsyncConnection, tenant_id: str, endpoint_id: str, reason: str) -> bool:
    """Send nothing more to an endpoint; what waits for it has failed. The tenant's others are told, unless it asked.

    False: it was disabled already.
    """
    # Before any row is locked: a claim takes deliveries of several endpoints, in another order.
    await claims.serialised(db)
    e = webhook_endpoints
    values = {"enabled": _OFF, "disabled_reason": reason, "disabled_at": now_plus()}
    statement = update(e).where(e.c.id == endpoint_id, e.c.tenant_id == tenant_id, e.c.enabled == _ON).values(values)
    row = (await db.execute(statement.returning(e.c.url, now_plus().label("now")))).first()
    if row is None:
        return False
    closed = {"state": "failed", "last_error": CLOSED, "finished_at": now_plus()}
    await db.execute(update(d).where(d.c.endpoint_id == endpoint_id, IS_PENDING).values(closed))
    if reason != "owner":
        await _tell(db, tenant_id, endpoint_id, row, reason)
    return True


async def _tell(db: AsyncConnection, tenant_id: str, endpoint_id: str, row: Any, reason: str) -> None:  # noqa: ANN401  # a row
    lane = webhook_lanes.c.lane == endpoint_id
    since = (await db.execute(select(webhook_lanes.c.failing_since).where(lane))).scalar_one_or_none()
    to = announce.wanting(await announce.listening(db, tenant_id), EventType.ENDPOINT_DISABLED)
    if not to:
        return
    event = EndpointDisabledEvent(
        event_id=new_id("evt"),
        timestamp=instant(row.now),
        endpoint_id=endpoint_id,
        url=row.url,
        reason=reason,
        failing_since=instant(since) if since else None,
        api_url=f"/v1/webhooks/{endpoint_id}",
    )
    await announce.announce(db, tenant_id, event, to)


async def keep_secret(db: AsyncConnection, tenant_id: str, owner: str, wrapped: str) -> None:
    """Store a new secret of an endpoint, or of a tenant's request URLs (`request`)."""
    row = {"id": new_id("whs"), "tenant_id": tenant_id, "owner": owner, "wrapped": wrapped, "created_at": now_plus()}
    await db.execute(insert(webhook_secrets).values(row))


async def wrap_anew(db: AsyncConnection, wrapping: Wrapping) -> int:
    """Wrap by the present key what was stored under an earlier one, or under none; return how many there were."""
    s = webhook_secrets
    count = 0
    for row in (await db.execute(select(s.c.id, s.c.wrapped))).all():
        renewed = wrapping.renewed(row.wrapped)
        if renewed is not None:
            count += 1
            await db.execute(update(s).where(s.c.id == row.id, s.c.wrapped == row.wrapped).values(wrapped=renewed))
    return count


async def first_secret(db: AsyncConnection, tenant_id: str, wrapped: str) -> list[str]:
    """Store the first secret of a tenant's request URLs, unless somebody else just has; return what is valid."""
    s = webhook_secrets
    await claims.serialised(db)
    of_requests = select(s.c.wrapped).where(s.c.tenant_id == tenant_id, s.c.owner == REQUEST)
    found = list((await db.execute(of_requests.where(s.c.expires_at.is_(None)))).scalars())
    if not found:
        await keep_secret(db, tenant_id, REQUEST, wrapped)
    return found or [wrapped]
