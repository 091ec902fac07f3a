"""What customers receive about usage."""

import datetime as dt
from decimal import Decimal

from pydantic import Field

from contracts.wire import Wire
from gateway.usage.store import Day


class UsageDay(Wire):
    """One kind of work in one day."""

    day: dt.date = Field(description="UTC, of acceptance")
    kind: str
    accepted: int
    succeeded: int
    failed: int
    cancelled: int
    cost_usd: Decimal = Field(description="what providers (Claude, unblocker) billed for what succeeded")


class UsageTotal(Wire):
    """All days together."""

    accepted: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    cost_usd: Decimal = Decimal(0)


class UsageRead(Wire):
    """Days, latest first; those without work are left out."""

    data: list[UsageDay]
    total: UsageTotal


def read(days: list[Day]) -> UsageRead:
    """Show days and their sum."""
    data = [
        UsageDay(
            day=one.day,
            kind=one.kind,
            accepted=one.held + one.failed + one.cancelled,
            succeeded=one.succeeded,
            failed=one.failed,
            cancelled=one.cancelled,
            cost_usd=one.cost_usd,
        )
        for one in days
    ]
    total = UsageTotal(
        accepted=sum(one.accepted for one in data),
        succeeded=sum(one.succeeded for one in data),
        failed=sum(one.failed for one in data),
        cancelled=sum(one.cancelled for one in data),
        cost_usd=sum((one.cost_usd for one in data), Decimal(0)),
    )
    return UsageRead(data=data, total=total)
