"""A tenant's day: jobs held against its quota when accepted, given back when they fail, booked once they are done."""

import functools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Integer, bindparam, insert, null, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from contracts.errors import ErrorCode
from gateway.jobs.states import Claimed, Kind, State
from gateway.tables import jobs, usage, usage_days
from gateway.times import now_plus
from runtime.errors import ServiceError

_MICRO = Decimal(1_000_000)


@dataclass(frozen=True)
class Booked:
    """One job that was done, the day on which it was accepted, and its cost in millionths of a USD."""

    job_id: str
    tenant_id: str
    day: str
    kind: str
    cost: int


def micro(usd: Decimal) -> int:
    """Return an amount in millionths."""
    return int((usd * _MICRO).to_integral_value())


async def hold(db: AsyncConnection, tenant_id: str, kind: Kind, limit: int | None, count: int = 1) -> str:
    """Count jobs against today's quota, and return the day. Raises QUOTA_EXCEEDED above `limit` (None: no limit).

    The row is locked until the commit, so any number of requests together get no more than there is.
    """
    now = datetime.now(UTC)
    day = now.date().isoformat()
    row = {"tenant": tenant_id, "today": day, "job_kind": kind, "count": count}
    most = {} if limit is None else {"most": limit - count}
    statement = _holding(db.dialect.name, limited=limit is not None)
    if (limit is not None and count > limit) or (await db.execute(statement, {**row, **most})).first() is None:
        raise _used_up(kind, limit or 0, now)
    return day


@functools.cache
def _holding(dialect: str, *, limited: bool) -> ReturningInsert[int]:
    """Build the statement once: every submission runs it."""
    count = bindparam("count", type_=Integer)
    row = {
        "tenant_id": bindparam("tenant"),
        "day": bindparam("today"),
        "kind": bindparam("job_kind"),
        "held": count,
    }
    upsert = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(usage_days).values(row)
    return upsert.on_conflict_do_update(
        index_elements=[usage_days.c.tenant_id, usage_days.c.day, usage_days.c.kind],
        set_={"held": usage_days.c.held + count},
        where=usage_days.c.held <= bindparam("most", type_=Integer) if limited else true(),
    ).returning(usage_days.c.held)


def _used_up(kind: Kind, limit: int, now: datetime) -> ServiceError:
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    detail = f"Today's quota is used up: {limit} jobs of the kind {kind.value}. It is renewed at midnight UTC."
    return ServiceError(ErrorCode.QUOTA_EXCEEDED, detail, retry_after_s=(midnight - now).total_seconds())


async def give_back(db: AsyncConnection, tenant_id: str, job_id: str, outcome: State) -> None:
    """Take a job that failed or was cancelled off the quota of its day, and count it there."""
    counted: Any = usage_days.c.failed if outcome is State.FAILED else usage_days.c.cancelled
    values = {"held": usage_days.c.held - 1, counted.name: counted + 1}
    await db.execute(update(usage_days).where(_day_of(tenant_id, job_id)).values(values))


async def give_back_many(db: AsyncConnection, tenant_id: str, kind: Kind, days: Iterable[str | None]) -> None:
    """Take cancelled jobs of one kind off the quotas of their days."""
    for day, count in sorted(Counter(day for day in days if day).items()):
        mine = (usage_days.c.tenant_id == tenant_id) & (usage_days.c.day == day) & (usage_days.c.kind == kind)
        values = {"held": usage_days.c.held - count, "cancelled": usage_days.c.cancelled + count}
        await db.execute(update(usage_days).where(mine).values(values))


async def hold_many_again(db: AsyncConnection, tenant_id: str, kind: Kind, days: Iterable[str | None]) -> None:
    """Count revived jobs of one kind against the quotas of their days once more, whatever the limits."""
    for day, count in sorted(Counter(day for day in days if day).items()):
        mine = (usage_days.c.tenant_id == tenant_id) & (usage_days.c.day == day) & (usage_days.c.kind == kind)
        values = {"held": usage_days.c.held + count, "failed": usage_days.c.failed - count}
        await db.execute(update(usage_days).where(mine).values(values))


async def hold_again(db: AsyncConnection, tenant_id: str, job_id: str) -> None:
    """Count a revived job against the quota of its day once more, whatever its limit."""
    values = {"held": usage_days.c.held + 1, "failed": usage_days.c.failed - 1}
    await db.execute(update(usage_days).where(_day_of(tenant_id, job_id)).values(values))


async def book(db: AsyncConnection, job: Claimed, cost_usd: Decimal) -> None:
    """Write down that a job was done and what it cost with providers: once, in the commit that ends it."""
    cost = micro(cost_usd)
    day = select(jobs.c.quota_day).where(jobs.c.id == job.id)
    # Jobs of a release that did not note the day were accepted on the day of its end, give or take one.
    today = datetime.now(UTC).date().isoformat()
    noted = (await db.execute(day)).scalar_one_or_none() or today
    row = {"job_id": job.id, "tenant_id": job.tenant_id, "day": noted, "kind": job.kind, "cost_microusd": cost}
    await db.execute(insert(usage).values(**row, at=now_plus()))
    values = {"succeeded": usage_days.c.succeeded + 1, "cost_microusd": usage_days.c.cost_microusd + cost}
    await db.execute(update(usage_days).where(_day_of(job.tenant_id, job.id)).values(values))


async def book_later(db: AsyncConnection, tenant_id: str, job_id: str, cost_usd: Decimal) -> None:
    """Add to what a job that was booked before has cost: more of it came after its end."""
    cost = micro(cost_usd)
    mine = (usage.c.job_id == job_id) & (usage.c.tenant_id == tenant_id)
    values = {"cost_microusd": usage.c.cost_microusd + cost}
    row = (await db.execute(update(usage).where(mine).values(values).returning(usage.c.day, usage.c.kind))).first()
    if row is not None:
        on = (usage_days.c.tenant_id == tenant_id) & (usage_days.c.day == row.day) & (usage_days.c.kind == row.kind)
        added = {"cost_microusd": usage_days.c.cost_microusd + cost}
        await db.execute(update(usage_days).where(on).values(added))


async def book_many(db: AsyncConnection, booked: Sequence[Booked]) -> None:
    """Do for many jobs what `book` does for one; `day` is that of acceptance."""
    rows = [
        {"job_id": one.job_id, "tenant_id": one.tenant_id, "day": one.day, "kind": one.kind, "cost_microusd": one.cost}
        for one in booked
    ]
    await db.execute(insert(usage).values(at=now_plus()), rows)
    counts, costs = Counter[tuple[str, str, str]](), Counter[tuple[str, str, str]]()
    for one in booked:
        counts[one.tenant_id, one.day, one.kind] += 1
        costs[one.tenant_id, one.day, one.kind] += one.cost
    for (tenant_id, day, kind), count in sorted(counts.items()):
        mine = (usage_days.c.tenant_id == tenant_id) & (usage_days.c.day == day) & (usage_days.c.kind == kind)
        cost = usage_days.c.cost_microusd + costs[tenant_id, day, kind]
        values = {"succeeded": usage_days.c.succeeded + count, "cost_microusd": cost}
        await db.execute(update(usage_days).where(mine).values(values))


def _day_of(tenant_id: str, job_id: str) -> Any:  # noqa: ANN401  # a condition
    mine = (jobs.c.id == job_id) & (jobs.c.tenant_id == tenant_id)
    day = select(jobs.c.quota_day).where(mine, jobs.c.quota_day.is_not(null())).scalar_subquery()
    kind = select(jobs.c.kind).where(mine).scalar_subquery()
    return (usage_days.c.tenant_id == tenant_id) & (usage_days.c.day == day) & (usage_days.c.kind == kind)
