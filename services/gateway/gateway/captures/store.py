"""Reading captures. Every query names the owner."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.fetch import FetchResult
from gateway.jobs.records import COLUMNS, Record, fields, owned
from gateway.jobs.states import Document, Kind
from gateway.tables import jobs, results


@dataclass(frozen=True, kw_only=True)
class Whole(Record):
    """A capture with what was asked and what came of it; `keys` are the blob keys of its artifacts."""

    options: Document
    result: FetchResult | None
    keys: dict[str, str]


async def get(db: AsyncConnection, tenant_id: str, capture_id: str) -> Whole | None:
    """Return one capture with its result."""
    source = jobs.outerjoin(results, results.c.job_id == jobs.c.id)
    columns = (*COLUMNS, jobs.c.options, results.c.document, results.c.blob_keys, results.c.saved_at)
    statement = select(*columns).select_from(source).where(owned(Kind.CAPTURE, tenant_id), jobs.c.id == capture_id)
    row = (await db.execute(statement)).first()
    if row is None:
        return None
    result = FetchResult.model_validate(row.document) if row.document is not None else None
    return Whole(
        **fields(row), options=row.options or {}, result=result, keys=row.blob_keys or {}, saved_at=row.saved_at
    )


async def page(db: AsyncConnection, tenant_id: str, limit: int, before: str | None) -> list[Record]:
    """Return up to `limit` captures older than `before`, newest first; ids sort by time."""
    statement = select(*COLUMNS).where(owned(Kind.CAPTURE, tenant_id)).order_by(jobs.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(jobs.c.id < before)
    return [Record(**fields(row)) for row in await db.execute(statement)]
