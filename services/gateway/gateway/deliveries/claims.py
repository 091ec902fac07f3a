"""Who delivers what: claim, give back, take from the dead. Receivers take turns; none gets more than its share."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Select, case, delete, exists, func, null, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.deliveries.parcels import REQUEST, Parcel, Space
from gateway.deliveries.schedule import ATTEMPTS
from gateway.tables import (
    IS_PENDING,
    IS_SENDING,
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
    webhook_lanes,
    webhook_secrets,
)
from gateway.times import now_plus

# One number for "claims of deliveries"; the lock lasts as long as the transaction, so it works through a pooler.
_LOCK = 7_301_120_611_846_242
_LANES_AT_ONCE = 500
_SWEEP = 500

d = webhook_deliveries


@dataclass(frozen=True)
class _Lane:
    name: str
    room: int
    troubled: bool


def waiting_lanes(usual: int) -> Select[*tuple[Any, ...]]:
    """Select the lanes in which something is due: one probe of the index for each lane that has anything pending.

    Never a scan of deliveries: what waits for a dead receiver may be long.
    """
    first = select(func.min(d.c.lane).label("lane")).where(IS_PENDING).cte("waiting", recursive=True)
    following = select(func.min(d.c.lane)).where(IS_PENDING, d.c.lane > first.c.lane).scalar_subquery()
    waiting = first.union_all(select(following).where(first.c.lane.is_not(None)))
    due = select(func.min(d.c.run_at)).where(IS_PENDING, d.c.lane == waiting.c.lane).scalar_subquery()
    running = select(func.count()).where(IS_SENDING, d.c.lane == waiting.c.lane).scalar_subquery()
    # In the index's own order, or the planner reads the table for the one row.
    first_due = select(d.c.tenant_id).where(IS_PENDING, d.c.lane == waiting.c.lane).order_by(d.c.run_at).limit(1)
    owner = first_due.scalar_subquery()
    columns = (waiting.c.lane, due.label("due"), running.label("running"), owner.label("tenant_id"))
    lanes = select(*columns).subquery()
    source = lanes.outerjoin(webhook_lanes, webhook_lanes.c.lane == lanes.c.lane).outerjoin(
        webhook_endpoints, webhook_endpoints.c.id == lanes.c.lane
    )
    troubled = webhook_lanes.c.lane.is_not(None)
    # A receiver in trouble is asked by one delivery at a time, until one gets through.
    allowed = case((troubled, 1), else_=func.coalesce(webhook_endpoints.c.concurrency, usual))
    # Tenants take turns before receivers do: a thousand names of one tenant's make a thousand receivers.
    turn = func.row_number().over(partition_by=lanes.c.tenant_id, order_by=(troubled, lanes.c.due))
    return (
        select(lanes.c.lane, (allowed - lanes.c.running).label("room"), troubled.label("troubled"))
        .select_from(source)
        .where(
            lanes.c.due <= now_plus(),
            lanes.c.running < allowed,
            or_(webhook_lanes.c.paused_until.is_(None), webhook_lanes.c.paused_until <= now_plus()),
        )
        .order_by(troubled, turn, lanes.c.due)
        .limit(_LANES_AT_ONCE)
    )


async def anything_due(db: AsyncConnection, usual: int) -> bool:
    """Whether a claim would find something: a look takes no lock, which the claim itself would."""
    return (await db.execute(waiting_lanes(usual).limit(1))).first() is not None


async def serialised(db: AsyncConnection) -> None:
    """Let one claim happen at a time, until the commit: what each receiver has in progress is counted and then used."""
    if db.dialect.name == "postgresql":
        await db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


async def claim(db: AsyncConnection, worker_id: str, space: Space, lease: timedelta, usual: int) -> list[Parcel]:
    """Take what is due, as far as there is `space`; no receiver gets more at once than its endpoint (or `usual`) says.

    Several workers claim after one another, so that this holds for all of them together.
    """
    await serialised(db)
    rows = (await db.execute(waiting_lanes(usual))).all()
    lanes = [_Lane(row.lane, row.room, bool(row.troubled)) for row in rows]
    taken: list[Row[Any]] = []
    for lane, share in _shares(lanes, space):
        first = (
            select(d.c.id)
            .where(IS_PENDING, d.c.lane == lane, d.c.run_at <= now_plus())
            .order_by(d.c.run_at, d.c.id)
            .limit(share)
        )
        values = {
            "state": "sending",
            "attempt": d.c.attempt + 1,
            "tries": d.c.tries + 1,
            "fence": d.c.fence + 1,
            "worker_id": worker_id,
            "lease_until": now_plus(lease),
        }
        claimed = update(d).where(d.c.id.in_(first), IS_PENDING).values(values)
        taken += (await db.execute(claimed.returning(*d.c))).all()
    return await _parcels(db, taken) if taken else []


def _shares(lanes: Sequence[_Lane], space: Space) -> list[tuple[str, int]]:
    """Share out the space, one delivery to each lane in turn."""
    left, troubled = space.all, space.troubled
    shares: dict[str, int] = defaultdict(int)
    open_lanes = list(lanes)
    while left > 0 and open_lanes:
        for lane in list(open_lanes):
            if left <= 0:
                break
            if shares[lane.name] >= lane.room or (lane.troubled and troubled <= 0):
                open_lanes.remove(lane)
                continue
            shares[lane.name] += 1
            left -= 1
            troubled -= lane.troubled
    return [(name, share) for name, share in shares.items() if share]


async def _parcels(db: AsyncConnection, rows: Sequence[Row[Any]]) -> list[Parcel]:
    source = d.join(webhook_events, webhook_events.c.id == d.c.event_id).outerjoin(
        webhook_endpoints, webhook_endpoints.c.id == d.c.endpoint_id
    )
    statement = select(
        d.c.id,
        webhook_events.c.type,
        webhook_events.c.document,
        webhook_endpoints.c.url.label("endpoint_url"),
        webhook_endpoints.c.enabled,
    ).select_from(source)
    known = {row.id: row for row in await db.execute(statement.where(d.c.id.in_([row.id for row in rows])))}
    secrets = await _secrets(db, rows)
    return [
        Parcel(
            id=row.id,
            tenant_id=row.tenant_id,
            event_id=row.event_id,
            event_type=known[row.id].type,
            endpoint_id=row.endpoint_id,
            url=known[row.id].endpoint_url or row.url,
            lane=row.lane,
            attempt=row.attempt,
            number=row.tries,
            fence=row.fence,
            document=known[row.id].document,
            wrapped=secrets[row.tenant_id, row.endpoint_id or REQUEST],
            open=row.endpoint_id is None or bool(known[row.id].enabled),
        )
        for row in rows
    ]


async def _secrets(db: AsyncConnection, rows: Sequence[Row[Any]]) -> dict[tuple[str, str], list[str]]:
    s = webhook_secrets
    statement = (
        select(s.c.tenant_id, s.c.owner, s.c.wrapped)
        .where(
            s.c.tenant_id.in_({row.tenant_id for row in rows}),
            s.c.owner.in_({row.endpoint_id or REQUEST for row in rows}),
            or_(s.c.expires_at.is_(None), s.c.expires_at > now_plus()),
        )
        .order_by(s.c.id.desc())
    )
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in await db.execute(statement):
        found[row.tenant_id, row.owner].append(row.wrapped)
    return found


_BACK = {"state": "pending", "worker_id": null(), "lease_until": null(), "run_at": now_plus()}


async def release(db: AsyncConnection, parcel: Parcel, wait: timedelta = timedelta()) -> bool:  # immutable
    """Give a delivery back without spending an attempt, to be tried after `wait`. False: it was no longer ours."""
    ours = (d.c.id == parcel.id) & (d.c.fence == parcel.fence) & IS_SENDING
    statement = update(d).where(ours).values({**_BACK, "attempt": d.c.attempt - 1, "run_at": now_plus(wait)})
    return bool((await db.execute(statement)).rowcount)


async def reap(db: AsyncConnection) -> int:
    """Take back what silent couriers hold: it may have arrived, and arrives once more with the same id.

    It has cost an attempt, so that one which ends every courier ends, too. Return how many there were.
    """
    over = d.c.attempt >= ATTEMPTS
    values = {
        **_BACK,
        "state": case((over, "failed"), else_="pending"),
        "finished_at": case((over, now_plus()), else_=null()),
    }
    return (await db.execute(update(d).where(IS_SENDING, d.c.lease_until < now_plus()).values(values))).rowcount


async def pending(db: AsyncConnection) -> int:
    """Count what waits."""
    return int((await db.execute(select(func.count()).where(IS_PENDING))).scalar_one())


async def forget(db: AsyncConnection, age: timedelta) -> int:
    """Remove events older than `age` with their deliveries, expired secrets, and lanes that nothing uses."""
    old = select(webhook_events.c.id).where(webhook_events.c.created_at < now_plus(-age)).limit(_SWEEP)
    gone = (await db.execute(delete(webhook_events).where(webhook_events.c.id.in_(old)))).rowcount
    await db.execute(delete(webhook_secrets).where(webhook_secrets.c.expires_at < now_plus()))
    used = exists().where(d.c.lane == webhook_lanes.c.lane, IS_PENDING | IS_SENDING)
    known = exists().where(webhook_endpoints.c.id == webhook_lanes.c.lane)
    await db.execute(delete(webhook_lanes).where(~used, ~known))
    return gone
