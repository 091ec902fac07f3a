"""What a tenant's day may cost with the model provider: held before an analysis, settled by its bill after it.

What is held for a ticket lies apart from what its job holds while it runs: it stays when the job is given back, for as
long as the batch takes, and counts on the day on which it was held. A ticket whose bill nobody learns is booked at the
most that it may have cost, so that nobody gets a day's work for nothing by deleting it.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.jobs.states import State
from gateway.tables import IS_RUNNING, ai_reservations, ai_spend, jobs, tenants

_MICRO = Decimal(1_000_000)
_TICKET = "ticket:"
_FINAL = [state for state in State if state.final]


@dataclass(frozen=True)
class Purse:
    """Whose money it is, and of which day (UTC, 2026-01-31)."""

    tenant_id: str
    day: str

    @classmethod
    def today(cls, tenant_id: str) -> "Purse":
        """Return the tenant's purse of today."""
        return cls(tenant_id, datetime.now(UTC).date().isoformat())

    @property
    def row(self) -> ColumnElement[bool]:
        """The condition that finds it."""
        return (ai_spend.c.tenant_id == self.tenant_id) & (ai_spend.c.day == self.day)


async def limit_of(db: AsyncConnection, tenant_id: str, otherwise: Decimal | None) -> Decimal | None:
    """Return what a tenant's day may cost by its plan; `otherwise` for one whose plan does not say. None: no limit."""
    statement = select(tenants.c.ai_budget_microusd).where(tenants.c.id == tenant_id)
    amount = (await db.execute(statement)).scalar_one_or_none()
    return otherwise if amount is None else Decimal(amount) / _MICRO


async def reserve(db: AsyncConnection, job_id: str, purse: Purse, wanted: Decimal, limit: Decimal) -> Decimal:
    """Hold up to `wanted` USD of a purse that holds `limit`, and return how much: what is left where that is less.

    What the job held before, in the hands of a worker that died, is given back first. The row is locked from the look
    to the commit, so that any number of workers together never hold more than there is.
    """
    await release(db, job_id)
    await _open(db, purse)
    amounts = select(ai_spend.c.reserved_microusd, ai_spend.c.spent_microusd).where(purse.row).with_for_update()
    row = (await db.execute(amounts)).one()
    left = int(limit * _MICRO) - row.reserved_microusd - row.spent_microusd
    held = max(0, min(int(wanted * _MICRO), left))
    if held:
        await _add(db, purse, reserved=held)
        values = {"job_id": job_id, "tenant_id": purse.tenant_id, "day": purse.day, "microusd": held}
        await db.execute(insert(ai_reservations).values(values))
    return Decimal(held) / _MICRO


async def settle(
    db: AsyncConnection, job_id: str, tenant_id: str, cost: Decimal, otherwise: Purse | None = None
) -> None:
    """Give back what the job held and book what it cost, on the day on which it was held.

    Where it held nothing, the bill is that of `otherwise`, or of today.
    """
    purse = await release(db, job_id) or otherwise or Purse.today(tenant_id)
    if cost:
        await _open(db, purse)
        await _add(db, purse, spent=int((cost * _MICRO).to_integral_value()))


async def release(db: AsyncConnection, job_id: str) -> Purse | None:
    """Give back what a job holds, and return whose it was. None: it holds nothing."""
    taken = delete(ai_reservations).where(ai_reservations.c.job_id == job_id).returning(*ai_reservations.c)
    row = (await db.execute(taken)).first()
    if row is None:
        return None
    purse = Purse(row.tenant_id, row.day)
    await _add(db, purse, reserved=-row.microusd)
    return purse


def for_ticket(job_id: str) -> str:
    """Return under which name the money for a job's ticket is held."""
    return f"{_TICKET}{job_id}"


async def purse_of(db: AsyncConnection, name: str) -> Purse | None:
    """Return out of which purse a job holds something."""
    mine = ai_reservations.c.job_id == name
    row = (await db.execute(select(ai_reservations.c.tenant_id, ai_reservations.c.day).where(mine))).first()
    return None if row is None else Purse(row.tenant_id, row.day)


async def held(db: AsyncConnection, name: str) -> Decimal | None:
    """Return how much is held. None: nothing."""
    statement = select(ai_reservations.c.microusd).where(ai_reservations.c.job_id == name)
    amount = (await db.execute(statement)).scalar_one_or_none()
    return None if amount is None else Decimal(amount) / _MICRO


async def hold_for_ticket(db: AsyncConnection, job_id: str, purse: Purse, most: Decimal) -> None:
    """Hold what a ticket may cost, in the commit that gives back as much or more."""
    amount = int((most * _MICRO).to_integral_value())
    await _add(db, purse, reserved=amount)
    values = {"job_id": for_ticket(job_id), "tenant_id": purse.tenant_id, "day": purse.day, "microusd": amount}
    await db.execute(insert(ai_reservations).values(values))


async def forfeit(db: AsyncConnection, job_id: str) -> None:
    """Book what is held for a ticket: it may have been paid, and nobody will ever know."""
    name = for_ticket(job_id)
    amount, purse = await held(db, name), await release(db, name)
    if amount is not None and purse is not None:
        await settle(db, name, purse.tenant_id, amount, purse)


async def sweep(db: AsyncConnection) -> int:
    """Give back what is held for jobs that nobody works on: cancelled ones, and those of dead workers.

    Tickets of jobs that have ended, or are gone, are booked.
    """
    ticketed = ai_reservations.c.job_id.startswith(_TICKET)
    job_id = func.substr(ai_reservations.c.job_id, len(_TICKET) + 1)
    waiting = exists().where(jobs.c.id == job_id, jobs.c.state.not_in(_FINAL))
    running = exists().where(jobs.c.id == ai_reservations.c.job_id, IS_RUNNING)
    over = (ticketed & ~waiting) | (~ticketed & ~running)
    rows = (await db.execute(delete(ai_reservations).where(over).returning(*ai_reservations.c))).all()
    sums: Counter[Purse] = Counter()
    booked: Counter[Purse] = Counter()
    for row in rows:
        purse = Purse(row.tenant_id, row.day)
        sums[purse] += row.microusd
        booked[purse] += row.microusd if row.job_id.startswith(_TICKET) else 0
    # In one order everywhere, so that two sweeps do not wait for each other.
    for purse in sorted(sums, key=lambda one: (one.tenant_id, one.day)):
        await _add(db, purse, reserved=-sums[purse], spent=booked[purse])
    return len(rows)


async def _open(db: AsyncConnection, purse: Purse) -> None:
    """Make the row of a day, if nobody has."""
    row = {"tenant_id": purse.tenant_id, "day": purse.day, "reserved_microusd": 0, "spent_microusd": 0}
    upsert: Any = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    await db.execute(upsert(ai_spend).values(row).on_conflict_do_nothing())


async def _add(db: AsyncConnection, purse: Purse, *, reserved: int = 0, spent: int = 0) -> None:
    values = {
        "reserved_microusd": ai_spend.c.reserved_microusd + reserved,
        "spent_microusd": ai_spend.c.spent_microusd + spent,
    }
    await db.execute(update(ai_spend).where(purse.row).values(values))
