"""Reading usage. Every query names the owner."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.tables import usage_days

_MICRO = Decimal(1_000_000)


@dataclass(frozen=True)
class Day:
    """One kind of work in one day (UTC, of acceptance). `held`: accepted, less what failed and was cancelled."""

    day: date
    kind: str
    held: int
    succeeded: int
    failed: int
    cancelled: int
    cost_usd: Decimal


async def days(db: AsyncConnection, tenant_id: str, first: date, last: date) -> list[Day]:
    """Return the days from `first` to `last` on which there was something, latest first."""
    statement = (
        select(usage_days)
        .where(usage_days.c.tenant_id == tenant_id, usage_days.c.day.between(first.isoformat(), last.isoformat()))
        .order_by(usage_days.c.day.desc(), usage_days.c.kind)
    )
    return [
        Day(
            day=date.fromisoformat(row.day),
            kind=row.kind,
            held=row.held,
            succeeded=row.succeeded,
            failed=row.failed,
            cancelled=row.cancelled,
            cost_usd=row.cost_microusd / _MICRO,
        )
        for row in await db.execute(statement)
    ]
