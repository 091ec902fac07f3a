"""Telling of what happened to jobs and batches, in the transaction that makes it true.

Whoever calls notifies `hints.DELIVERIES` after the commit.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.fetch import FetchResult
from contracts.result import Analysis, Severity
from contracts.wire import Wire
from gateway.jobs.states import Kind, State
from gateway.outbox import announce
from gateway.outbox.announce import Recipient
from gateway.outbox.events import AnalysisEvent, BatchEvent, CaptureEvent, EventType, JobEvent, instant
from gateway.tables import jobs, results
from gateway.times import now_plus
from runtime.ids import new_id

_ORDER = list(Severity)
_TOP = 3
_TYPES = {event_type.value: event_type for event_type in EventType}
_NAMES = 50


@dataclass(frozen=True)
class BatchEnd:
    """A batch whose last URL has just ended, or which was cancelled. `state`: `completed` or `cancelled`."""

    id: str
    tenant_id: str
    kind: Kind
    state: str
    total: int
    succeeded: int
    failed: int
    cancelled: int
    rejected: int
    cost_usd: Decimal
    created_at: datetime
    finished_at: datetime


async def ended(
    db: AsyncConnection, tenant_id: str, job_id: str, result: Wire | None = None, *, also: str | None = None
) -> None:
    """Write the event of a job that has just reached a final state, where somebody wants it; once for each state.

    `also`: a URL to tell besides, of a batch that wants to hear of each of its jobs.
    """
    listening = await announce.listening(db, tenant_id, job_id)
    if not listening and also is None:
        return
    row = await _row(db, tenant_id, job_id)
    event_type = None if row is None else _TYPES.get(f"{row.kind}.{row.state}")
    if row is None or event_type is None:
        return
    to = [*announce.wanting(listening, event_type), *([Recipient(None, also)] if also else [])]
    await announce.announce(db, tenant_id, _event(row, event_type, result), to, once_key=f"{job_id}:{event_type}")


async def enriched(db: AsyncConnection, tenant_id: str, analysis_id: str, analysis: Analysis) -> None:
    """Write that the model has completed a result, for those who were told of its first form; once."""
    listening = await announce.listening(db, tenant_id, analysis_id)
    to = announce.wanting(listening, EventType.ANALYSIS_ENRICHED)
    row = await _row(db, tenant_id, analysis_id) if to else None
    if row is not None:
        event = _event(row, EventType.ANALYSIS_ENRICHED, analysis, at=row.now)
        await announce.announce(db, tenant_id, event, to, once_key=f"{analysis_id}:{EventType.ANALYSIS_ENRICHED}")


async def given_again(db: AsyncConnection, tenant_id: str, job_id: str, url: str | None) -> bool:
    """Tell the tenant's endpoints, and `url`, of a job that ended before a request was answered with it.

    Each such request is an event of its own, marked `cached`. False: nobody wants it.
    """
    listening = await announce.listening(db, tenant_id)
    row = await _row(db, tenant_id, job_id)
    if row is None:
        return False
    event_type = _TYPES[f"{row.kind}.{row.state}"]
    to = [*announce.wanting(listening, event_type), *([Recipient(None, url)] if url else [])]
    if not to:
        return False
    document = select(results.c.document).where(results.c.job_id == job_id, results.c.tenant_id == tenant_id)
    found = (await db.execute(document)).scalar_one_or_none()
    shape = FetchResult if row.kind == Kind.CAPTURE else Analysis
    result = None if found is None else shape.model_validate(found)
    event = _event(row, event_type, result, at=row.now).model_copy(update={"cached": True})
    return bool(await announce.announce(db, tenant_id, event, to))


async def batch_ended(db: AsyncConnection, batch: BatchEnd, *, also: str | None = None) -> None:
    """Write the event of a batch that has just ended, for the tenant's endpoints and the batch's own URL (`also`).

    Once for each end: a batch whose failed URLs are tried again ends again.
    """
    event_type = EventType(f"batch.{batch.state}")
    to = announce.wanting(await announce.listening(db, batch.tenant_id), event_type)
    to += [Recipient(None, also)] if also else []
    if not to:
        return
    own = f"/v1/batches/{batch.id}"
    event = BatchEvent(
        type=event_type,
        event_id=new_id("evt"),
        timestamp=instant(batch.finished_at),
        id=batch.id,
        status=batch.state,
        kind=batch.kind,
        total=batch.total,
        succeeded=batch.succeeded,
        failed=batch.failed,
        cancelled=batch.cancelled,
        rejected=batch.rejected,
        cost_usd=str(batch.cost_usd),
        created_at=instant(batch.created_at),
        finished_at=instant(batch.finished_at),
        api_url=own,
        results_url=f"{own}/results",
    )
    once_key = f"{batch.id}:{event_type}:{instant(batch.finished_at)}"
    await announce.announce(db, batch.tenant_id, event, to, once_key=once_key)


async def _row(db: AsyncConnection, tenant_id: str, job_id: str) -> Row[Any] | None:
    columns = (*jobs.c, now_plus().label("now"))
    return (await db.execute(select(*columns).where(jobs.c.id == job_id, jobs.c.tenant_id == tenant_id))).first()


def _event(row: Row[Any], event_type: EventType, result: Wire | None, *, at: datetime | None = None) -> JobEvent:
    failed = row.state in {State.FAILED, State.CANCELLED}
    fields: dict[str, Any] = {  # whatever the columns hold
        "type": event_type,
        "event_id": new_id("evt"),
        "timestamp": instant(at or row.finished_at),
        "id": row.id,
        "status": row.state,
        "url": row.url,
        "attempt": row.attempt,
        "created_at": instant(row.created_at),
        "finished_at": instant(row.finished_at),
        "error_code": row.error_code if failed else None,
        "error": row.error_detail if failed else None,
    }
    if row.kind == Kind.CAPTURE:
        return CaptureEvent(**fields, api_url=f"/v1/captures/{row.id}", **_captured(result))
    own = f"/v1/analyses/{row.id}"
    report = f"{own}/report" if result else None
    return AnalysisEvent(**fields, api_url=own, preset=row.preset, report_url=report, **_analysed(result))


def _analysed(result: Wire | None) -> dict[str, Any]:
    if not isinstance(result, Analysis):
        return {}
    worst_first = sorted(result.findings, key=lambda finding: _ORDER.index(finding.severity))
    counts = {
        f"findings_{severity.value}": sum(finding.severity is severity for finding in result.findings)
        for severity in (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW)
    }
    return {
        **counts,
        "final_url": result.url.final,
        "title": result.page.title,
        "page_type": result.page.type,
        "score": result.scores.overall,
        "findings": len(result.findings),
        "top_findings": [finding.title for finding in worst_first[:_TOP]],
        "engine": result.engine.mode,
        "degraded": result.engine.degraded,
        "ai_pending": result.engine.ai_pending,
    }


def _captured(result: Wire | None) -> dict[str, Any]:
    if not isinstance(result, FetchResult):
        return {}
    return {
        "final_url": result.final_url,
        "title": result.title,
        "http_status": result.http_status,
        "tier": result.tier,
        "cost_usd": str(result.cost_usd),
        "partial": result.partial,
        "artifacts": list(result.artifacts)[:_NAMES],
    }
