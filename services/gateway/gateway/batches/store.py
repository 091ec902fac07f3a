"""Reading batches, and the lines of their results. Every query names the owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, case, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.jobs.states import BatchState, Document, Kind, State
from gateway.tables import IS_RUNNING, batch_rejects, batches, jobs, tenants
from gateway.times import now_plus


@dataclass(frozen=True)
class Reject:
    """One URL that is set aside."""

    place: int
    url: str
    code: str
    detail: str


@dataclass(frozen=True)
class Record:
    """A batch at one moment: `running` of its URLs are in work, and `now` is the database's clock."""

    id: str
    tenant_id: str
    kind: Kind
    state: BatchState
    asked: Document
    concurrency: int
    error_code: str | None
    error_detail: str | None
    total: int
    rejected: int
    held: int
    succeeded: int
    failed: int
    cancelled: int
    by_static: int
    by_browser: int
    by_unblocker: int
    cost_microusd: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    running: int
    now: datetime

    @property
    def counts(self) -> tuple[object, ...]:
        """What a look at its progress shows."""
        return self.state, self.held, self.in_queue, self.succeeded, self.failed, self.cancelled

    @property
    def in_queue(self) -> int:
        """URLs that wait for a worker, or are in work."""
        return self.total - self.held - self.succeeded - self.failed - self.cancelled


# Of what all batches have in work, never of a whole batch; in the statement of the counters, or they would not agree.
_RUNNING = (
    select(func.count())
    .select_from(jobs)
    .where(jobs.c.batch_id == batches.c.id, jobs.c.tenant_id == batches.c.tenant_id, IS_RUNNING)
    .correlate(batches)
    .scalar_subquery()
)
_NAMES = [name for name in Record.__dataclass_fields__ if name in batches.c]
_COLUMNS = (*(batches.c[name] for name in _NAMES), _RUNNING.label("running"), now_plus().label("now"))


def _record(row: Row[*tuple[Any, ...]]) -> Record:
    fields = {**dict(row._mapping), "kind": Kind(row.kind), "state": BatchState(row.state)}  # noqa: SLF001  # SQLAlchemy's public name
    return Record(**fields)


async def plan_of(db: AsyncConnection, tenant_id: str) -> str | None:
    """Return the name of a tenant's plan; None for the local tenant, which has no row."""
    found: str | None = (await db.execute(select(tenants.c.plan).where(tenants.c.id == tenant_id))).scalar_one_or_none()
    return found


async def get(db: AsyncConnection, tenant_id: str, batch_id: str) -> Record | None:
    """Return a batch."""
    return await _one(db, (batches.c.tenant_id == tenant_id) & (batches.c.id == batch_id))


async def _one(db: AsyncConnection, condition: Any) -> Record | None:  # noqa: ANN401  # a condition
    row = (await db.execute(select(*_COLUMNS).where(condition))).first()
    return None if row is None else _record(row)


async def page(db: AsyncConnection, tenant_id: str, limit: int, before: str | None) -> list[Record]:
    """Return up to `limit` batches older than `before`, newest first."""
    statement = select(*_COLUMNS).where(batches.c.tenant_id == tenant_id)
    if before is not None:
        statement = statement.where(batches.c.id < before)
    return [_record(row) for row in await db.execute(statement.order_by(batches.c.id.desc()).limit(limit))]


async def rejects(db: AsyncConnection, tenant_id: str, batch_id: str, limit: int, after: int) -> list[Reject]:
    """Return up to `limit` URLs that were set aside, behind the place `after`."""
    mine = (batch_rejects.c.tenant_id == tenant_id) & (batch_rejects.c.batch_id == batch_id)
    columns = [batch_rejects.c[name] for name in Reject.__dataclass_fields__]
    statement = select(*columns).where(mine, batch_rejects.c.place > after).order_by(batch_rejects.c.place)
    return [Reject(*row) for row in await db.execute(statement.limit(limit))]


@dataclass(frozen=True)
class Line:
    """One URL of the results; `brief` is its line where it has succeeded."""

    seq: int
    id: str
    url: str
    state: str
    brief: str | None
    error_code: str | None
    error_detail: str | None


_LINE = [jobs.c[name] for name in Line.__dataclass_fields__]


async def lines(
    db: AsyncConnection, tenant_id: str, batch_id: str, limit: int, after: int, *, states: Sequence[State] = ()
) -> list[Line]:
    """Return up to `limit` URLs behind the place `after`, in the order of the request."""
    mine = (jobs.c.batch_id == batch_id) & (jobs.c.tenant_id == tenant_id) & (jobs.c.seq > after)
    statement = select(*_LINE).where(mine).order_by(jobs.c.seq).limit(limit)
    if states:
        statement = statement.where(jobs.c.state.in_(states))
    return [Line(*row) for row in await db.execute(statement)]


_WRITTEN: list[ColumnElement[str]] = [literal_column("'succeeded'"), literal_column("'failed'")]


@dataclass(frozen=True)
class Block:
    """Many lines of results as one text, without a last line break; `last`: the place of the last of them."""

    text: str
    last: int


async def block(
    db: AsyncConnection, tenant_id: str, batch_id: str, limit: int, after: int, *, states: Sequence[State] = ()
) -> Block | None:
    """Return up to `limit` lines behind the place `after` put together by the database, if all of them are written.

    None: there are none, or one of them is not; `lines` tells.
    """
    mine = (jobs.c.batch_id == batch_id) & (jobs.c.tenant_id == tenant_id) & (jobs.c.seq > after)
    written = case((jobs.c.state.in_(_WRITTEN), jobs.c.brief))
    rows = select(jobs.c.seq, written.label("line")).where(mine).order_by(jobs.c.seq).limit(limit)
    part = (rows.where(jobs.c.state.in_(states)) if states else rows).subquery()
    # In the order of the inner query: neither database sorts again what it only has to put together.
    text = (func.string_agg if db.dialect.name == "postgresql" else func.group_concat)(part.c.line, "\n")
    numbers = (
        func.count().label("there"),
        func.count(part.c.line).label("written"),
        func.max(part.c.seq).label("last"),
    )
    row = (await db.execute(select(text.label("text"), *numbers).select_from(part))).one()
    return Block(row.text, row.last) if row.there and row.there == row.written else None
