"""Reading captures. Every query names the owner."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import ErrorCode
from contracts.fetch import FetchResult
from gateway.jobs.records import Version, owned
from gateway.jobs.states import Document, Kind, State
from gateway.tables import jobs, results

_CODES = {code.value: code for code in ErrorCode}


@dataclass(frozen=True)
class Record:
    """One capture as it is listed."""

    id: str
    state: State
    url: str
    attempt: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error_code: ErrorCode | None
    error_detail: str | None


@dataclass(frozen=True)
class Whole(Record):
    """A capture with what was asked and what came of it; `keys` are the blob keys of its artifacts."""

    options: Document
    result: FetchResult | None
    keys: dict[str, str]
    saved_at: datetime | None

    @property
    def version(self) -> Version:
        """What changes whenever the representation does."""
        return Version(self.state, self.attempt, self.finished_at, self.saved_at)


_COLUMNS = (
    jobs.c.id,
    jobs.c.state,
    jobs.c.url,
    jobs.c.attempt,
    jobs.c.created_at,
    jobs.c.started_at,
    jobs.c.finished_at,
    jobs.c.error_code,
    jobs.c.error_detail,
)


def _fields(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    named = {column.name: getattr(row, column.name) for column in _COLUMNS}
    return {**named, "state": State(row.state), "error_code": _CODES.get(row.error_code)}


async def get(db: AsyncConnection, tenant_id: str, capture_id: str) -> Whole | None:
    """Return one capture with its result."""
    source = jobs.outerjoin(results, results.c.job_id == jobs.c.id)
    columns = (*_COLUMNS, jobs.c.options, results.c.document, results.c.blob_keys, results.c.saved_at)
    statement = select(*columns).select_from(source).where(owned(Kind.CAPTURE, tenant_id), jobs.c.id == capture_id)
    row = (await db.execute(statement)).first()
    if row is None:
        return None
    result = FetchResult.model_validate(row.document) if row.document is not None else None
    return Whole(
        **_fields(row), options=row.options or {}, result=result, keys=row.blob_keys or {}, saved_at=row.saved_at
    )


async def page(db: AsyncConnection, tenant_id: str, limit: int, before: str | None) -> list[Record]:
    """Return up to `limit` captures older than `before`, newest first; ids sort by time."""
    statement = select(*_COLUMNS).where(owned(Kind.CAPTURE, tenant_id)).order_by(jobs.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(jobs.c.id < before)
    return [Record(**_fields(row)) for row in await db.execute(statement)]
