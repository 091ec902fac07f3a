"""How much of one tenant is let into the queue at a time; the rest of it waits for its turn, in order.

The tenant's row is locked from the count to the commit: two that are accepted, or one that is accepted while another
ends, take turns. Whoever ends a job lets the next one in, in the same commit. See docs/adr/0017.
"""

from dataclasses import dataclass

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.jobs.states import Kind, State
from gateway.tables import IS_ACTIVE, IS_WAITING, jobs, tenants

_SWEEP_LIMIT = 100
_ALL = 1_000
_LOCKED = (
    select(tenants.c.max_active, tenants.c.share, tenants.c.daily)
    .where(tenants.c.id == bindparam("tenant"))
    # Not the key itself: rows that refer to it need not wait.
    .with_for_update(key_share=True)
)


@dataclass(frozen=True)
class Terms:
    """What a tenant may have of the queue. `daily`: jobs a day by kind; `share`: its weight; None: no limit."""

    max_active: int | None = None
    share: float = 1.0
    daily: dict[str, int] | None = None


UNLIMITED = Terms()


async def terms(db: AsyncConnection, tenant_id: str) -> Terms:
    """Lock a tenant's row, and return what it says; the local tenant has none, and no limits."""
    row = (await db.execute(_LOCKED, {"tenant": tenant_id})).first()
    return UNLIMITED if row is None else Terms(row.max_active, row.share, row.daily)


async def first_state(db: AsyncConnection, tenant_id: str, allowed: Terms) -> State:
    """Return the state in which a new job begins. Needs the lock that `terms` takes."""
    if allowed.max_active is None or await active(db, tenant_id) < allowed.max_active:
        return State.QUEUED
    return State.WAITING


async def promote(db: AsyncConnection, tenant_id: str) -> int:
    """Let in as many waiting jobs of a tenant as there is room for, in order; return how many."""
    row = (await db.execute(_LOCKED, {"tenant": tenant_id})).first()
    if row is None:
        return 0
    room = _ALL if row.max_active is None else row.max_active - await active(db, tenant_id)
    if room <= 0:
        return 0
    chosen = (
        select(jobs.c.id)
        .where(jobs.c.tenant_id == tenant_id, IS_WAITING)
        .order_by(jobs.c.priority, jobs.c.order_key, jobs.c.id)
        .limit(room)
        # One that is being cancelled is passed: its canceller holds it, and waits for the lock that we hold.
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    statement = update(jobs).where(jobs.c.id.in_(select(chosen.c.id))).values(state=State.QUEUED)
    # Returned and counted: SQLite's driver counts no rows of a statement that begins with WITH.
    return len((await db.execute(statement.returning(jobs.c.id))).all())


async def sweep(db: AsyncConnection) -> int:
    """Let in what a plan that has grown, or a crash between two releases, left waiting; return how many."""
    statement = select(jobs.c.tenant_id).where(IS_WAITING).distinct().order_by(jobs.c.tenant_id).limit(_SWEEP_LIMIT)
    waiting = (await db.execute(statement)).scalars().all()
    return sum([await promote(db, tenant_id) for tenant_id in waiting])


async def active(db: AsyncConnection, tenant_id: str) -> int:
    """Count a tenant's jobs that are in the queue or in work."""
    # What waits for the model, a day perhaps, holds up nothing that has not begun.
    mine = (jobs.c.tenant_id == tenant_id) & (jobs.c.kind != Kind.ENRICHMENT)
    statement = select(func.count()).select_from(jobs).where(mine, IS_ACTIVE)
    return int((await db.execute(statement)).scalar_one())
