"""Reading analyses. Every query names the owner."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.analyze import Preset
from contracts.result import Analysis
from gateway.jobs import records
from gateway.jobs.records import owned
from gateway.jobs.states import Kind
from gateway.tables import jobs, results


@dataclass(frozen=True, kw_only=True)
class Record(records.Record):
    """One analysis as it is stored."""

    preset: Preset
    result: Analysis | None = None


_COLUMNS = (*records.COLUMNS, jobs.c.preset)

# Built once: every submission and every read runs it.
_ONE = (
    select(*_COLUMNS, results.c.document, results.c.saved_at)
    .select_from(jobs.outerjoin(results, results.c.job_id == jobs.c.id))
    .where(jobs.c.tenant_id == bindparam("tenant"), jobs.c.kind == Kind.ANALYSIS, jobs.c.id == bindparam("analysis"))
)


def _record(row: Row[*tuple[Any, ...]], result: Analysis | None = None, saved_at: datetime | None = None) -> Record:
    return Record(**records.fields(row), preset=Preset(row.preset), result=result, saved_at=saved_at)


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
