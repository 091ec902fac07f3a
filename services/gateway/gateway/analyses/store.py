"""Reading analyses. Every query names the owner."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.analyze import Preset
from contracts.errors import ErrorCode
from contracts.result import Analysis
from gateway.jobs.records import Version, owned
from gateway.jobs.states import Kind, State
from gateway.tables import jobs, results


@dataclass(frozen=True)
class Record:
    """One analysis as it is stored."""

    id: str
    state: State
    url: str
    preset: Preset
    attempt: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error_code: ErrorCode | None
    error_detail: str | None
    result: Analysis | None = None
    saved_at: datetime | None = None

    @property
    def version(self) -> Version:
        """What changes whenever the representation does."""
        return Version(self.state, self.attempt, self.finished_at, self.saved_at)


_COLUMNS = (
    jobs.c.id,
    jobs.c.state,
    jobs.c.url,
    jobs.c.preset,
    jobs.c.attempt,
    jobs.c.created_at,
    jobs.c.started_at,
    jobs.c.finished_at,
    jobs.c.error_code,
    jobs.c.error_detail,
)


# Built once: every submission and every read runs it.
_ONE = (
    select(*_COLUMNS, results.c.document, results.c.saved_at)
    .select_from(jobs.outerjoin(results, results.c.job_id == jobs.c.id))
    .where(jobs.c.tenant_id == bindparam("tenant"), jobs.c.kind == Kind.ANALYSIS, jobs.c.id == bindparam("analysis"))
)

_CODES = {code.value: code for code in ErrorCode}


def _record(row: Row[*tuple[Any, ...]], result: Analysis | None = None, saved_at: datetime | None = None) -> Record:
    return Record(
        id=row.id,
        state=State(row.state),
        url=row.url,
        preset=Preset(row.preset),
        attempt=row.attempt,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        error_code=_CODES.get(row.error_code),
        error_detail=row.error_detail,
        result=result,
        saved_at=saved_at,
    )


async def get(db: AsyncConnection, tenant_id: str, analysis_id: str) -> Record | None:
    """Return one analysis with its result."""
    row = (await db.execute(_ONE, {"tenant": tenant_id, "analysis": analysis_id})).first()
    if row is None:
        return None
    result = Analysis.model_validate(row.document) if row.document is not None else None
    return _record(row, result, row.saved_at)


async def page(db: AsyncConnection, tenant_id: str, limit: int, before: str | None) -> list[Record]:
    """Return up to `limit` analyses older than `before`, newest first; ids sort by time."""
    statement = select(*_COLUMNS).where(owned(Kind.ANALYSIS, tenant_id)).order_by(jobs.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(jobs.c.id < before)
    return [_record(row) for row in await db.execute(statement)]
