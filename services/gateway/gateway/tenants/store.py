"""Tenants' rows. Those of the command line name no owner: the operator sees all."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, insert, null, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.analyze import Overrides
from gateway.access.plans import Plan
from gateway.jobs.states import Kind
from gateway.tables import IS_ACTIVE, IS_WAITING, jobs, tenants
from gateway.times import now_plus


@dataclass(frozen=True)
class Tenant:
    """A customer."""

    id: str
    name: str
    plan: str
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True)
class Load:
    """How many of a tenant's jobs are in the queue or in work, and how many wait for their turn."""

    active: int
    waiting: int


_COLUMNS = (tenants.c.id, tenants.c.name, tenants.c.plan, tenants.c.created_at, tenants.c.disabled_at)


def _terms(plan: Plan) -> dict[str, Any]:
    budget = plan.ai_budget_usd_per_day
    return {
        "plan": plan.name,
        "max_active": plan.concurrency,
        "share": plan.share,
        "daily": plan.daily,
        "ai_budget_microusd": None if budget is None else int(budget * Decimal(1_000_000)),
    }


async def add(db: AsyncConnection, tenant_id: str, name: str, plan: Plan) -> None:
    """Make a tenant."""
    await db.execute(insert(tenants).values(id=tenant_id, name=name, created_at=now_plus(), **_terms(plan)))


async def get(db: AsyncConnection, tenant_id: str) -> Tenant | None:
    """Return one tenant."""
    row = (await db.execute(select(*_COLUMNS).where(tenants.c.id == tenant_id))).first()
    return None if row is None else Tenant(**row._asdict())


async def every(db: AsyncConnection) -> list[Tenant]:
    """Return all tenants, oldest first."""
    rows = await db.execute(select(*_COLUMNS).order_by(tenants.c.created_at, tenants.c.id))
    return [Tenant(**row._asdict()) for row in rows]


async def set_plan(db: AsyncConnection, tenant_id: str, plan: Plan) -> bool:
    """Give a tenant a plan. False: there is no such tenant."""
    statement = update(tenants).where(tenants.c.id == tenant_id).values(_terms(plan))
    return bool((await db.execute(statement)).rowcount)


async def set_thresholds(db: AsyncConnection, tenant_id: str, thresholds: Overrides) -> bool:
    """Write a tenant's own thresholds; none at all means the defaults. False: there is no such tenant."""
    statement = update(tenants).where(tenants.c.id == tenant_id).values(thresholds=thresholds or null())
    return bool((await db.execute(statement)).rowcount)


async def set_enabled(db: AsyncConnection, tenant_id: str, *, enabled: bool) -> bool:
    """Disable a tenant or enable it again. False: there is no such tenant."""
    at = null() if enabled else now_plus()
    statement = update(tenants).where(tenants.c.id == tenant_id).values(disabled_at=at)
    return bool((await db.execute(statement)).rowcount)


async def apply(db: AsyncConnection, plans: Mapping[str, Plan]) -> None:
    """Write the terms of all plans to the tenants that have them: the file may have changed since."""
    for plan in plans.values():
        await db.execute(update(tenants).where(tenants.c.plan == plan.name).values(_terms(plan)))


async def load(db: AsyncConnection, tenant_id: str) -> Load:
    """Count a tenant's unfinished jobs."""
    mine = (jobs.c.tenant_id == tenant_id) & (jobs.c.kind != Kind.ENRICHMENT)
    active, waiting = (
        select(func.count()).select_from(jobs).where(mine, state).scalar_subquery() for state in (IS_ACTIVE, IS_WAITING)
    )
    row = (await db.execute(select(active, waiting).where(true()))).one()
    return Load(*row)
