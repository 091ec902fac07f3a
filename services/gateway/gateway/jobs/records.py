"""Reading jobs of any kind. Every query names the owner; `glimpses`, which serves many at once, returns it instead."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, String, case, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import ErrorCode, Problem
from gateway.jobs.states import Kind, State
from gateway.outbox.events import EventType
from gateway.tables import events, jobs, results

_AT_ONCE = 200

CODES = {code.value: code for code in ErrorCode}
"""By what a column says: one that only a newer release knows is none."""


@dataclass(frozen=True)
class Glimpse:
    """How far a job is, as those who wait need to know it. `fence` tells one attempt from the next.

    `pending`: it has succeeded, and the model is to complete its result later; `enriched`: it has.
    """

    state: State
    attempt: int
    fence: int
    error_code: str | None
    finished_at: datetime | None
    pending: bool = False
    enriched: bool = False


@dataclass(frozen=True)
class Version:
    """What changes whenever a job's representation does."""

    state: State
    attempt: int
    finished_at: datetime | None
    saved_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Record:
    """What every kind of job shows of itself. `saved_at`: when its result was written, where it was read too."""

    id: str
    state: State
    url: str
    attempt: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error_code: ErrorCode | None
    error_detail: str | None
    saved_at: datetime | None = None

    @property
    def version(self) -> Version:
        """What changes whenever the representation does."""
        return Version(self.state, self.attempt, self.finished_at, self.saved_at)

    def problem(self, instance: str) -> Problem | None:
        """Return why it failed or was cancelled; None where it was not."""
        if self.error_code is None or self.state not in {State.FAILED, State.CANCELLED}:
            return None
        return Problem.of(self.error_code, self.error_detail or "", instance=instance)


COLUMNS = tuple(jobs.c[name] for name in Record.__dataclass_fields__ if name in jobs.c)


def fields(row: Row[Any]) -> dict[str, Any]:
    """Return of a row with these `COLUMNS` what makes a `Record`."""
    named = {column.name: getattr(row, column.name) for column in COLUMNS}
    return {**named, "state": State(row.state), "error_code": CODES.get(row.error_code)}


def owned(kind: Kind, tenant_id: str) -> ColumnElement[bool]:
    """Return the condition for the jobs of one kind that a tenant may see."""
    return (jobs.c.tenant_id == tenant_id) & (jobs.c.kind == kind)


async def version(db: AsyncConnection, kind: Kind, tenant_id: str, job_id: str) -> Version | None:
    """Return only what tells whether anything has changed."""
    source = jobs.outerjoin(results, results.c.job_id == jobs.c.id)
    columns = (jobs.c.state, jobs.c.attempt, jobs.c.finished_at, results.c.saved_at)
    statement = select(*columns).select_from(source).where(owned(kind, tenant_id), jobs.c.id == job_id)
    row = (await db.execute(statement)).first()
    return None if row is None else Version(State(row.state), row.attempt, row.finished_at, row.saved_at)


async def cancelled(db: AsyncConnection, tenant_id: str, job_id: str) -> bool:
    """Whether a job was cancelled or removed: whoever works on it works for nobody."""
    statement = select(jobs.c.state).where(jobs.c.tenant_id == tenant_id, jobs.c.id == job_id)
    return (await db.execute(statement)).scalar_one_or_none() in {None, State.CANCELLED}


_later = jobs.alias("later")
# The ids of an analysis and its enrichment differ only in what stands before them.
_OF_THE_SAME = (jobs.c.state == State.SUCCEEDED) & (jobs.c.kind == Kind.ANALYSIS)
_BARE = func.substr(jobs.c.id, len(Kind.ANALYSIS.id_prefix) + 2, type_=String)
_LATER = _OF_THE_SAME & (_later.c.id == literal(f"{Kind.ENRICHMENT.id_prefix}_", String).concat(_BARE))
_ENRICHED = (
    select(events.c.id)
    .where(events.c.job_id == jobs.c.id, events.c.type == EventType.ANALYSIS_ENRICHED)
    .limit(1)
    .scalar_subquery()
)
_GLIMPSE = (
    jobs.c.tenant_id,
    jobs.c.kind,
    jobs.c.id,
    jobs.c.state,
    jobs.c.attempt,
    jobs.c.fence,
    jobs.c.error_code,
    jobs.c.finished_at,
    _later.c.state.label("later"),
    case((_later.c.id.is_not(None), _ENRICHED)).label("enriched_by"),
)


async def glimpses(db: AsyncConnection, job_ids: Sequence[str]) -> dict[tuple[str, str, str], Glimpse]:
    """Look at many jobs at once, by owner, kind and id: only who knows all three may be told."""
    seen: dict[tuple[str, str, str], Glimpse] = {}
    for start in range(0, len(job_ids), _AT_ONCE):
        source = jobs.outerjoin(_later, _LATER)
        statement = select(*_GLIMPSE).select_from(source).where(jobs.c.id.in_(job_ids[start : start + _AT_ONCE]))
        seen |= {(row.tenant_id, row.kind, row.id): _glimpse(row) for row in await db.execute(statement)}
    return seen


def _glimpse(row: Row[*tuple[Any, ...]]) -> Glimpse:
    pending = row.later is not None and not State(row.later).final
    seen = (State(row.state), row.attempt, row.fence, row.error_code, row.finished_at)
    return Glimpse(*seen, pending=pending, enriched=row.enriched_by is not None)
