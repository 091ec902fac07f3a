"""Telling of a job's end, in the transaction that ends it."""

from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.fetch import FetchResult
from contracts.result import Analysis, Severity
from contracts.wire import Wire
from gateway.jobs.states import Kind
from gateway.outbox import announce
from gateway.outbox.events import AnalysisEvent, CaptureEvent, EventType, JobEvent, instant
from gateway.tables import jobs
from runtime.ids import new_id

_ORDER = list(Severity)
_TOP = 3
_TYPES = {event_type.value: event_type for event_type in EventType}
_NAMES = 50


async def ended(db: AsyncConnection, tenant_id: str, job_id: str, result: Wire | None = None) -> None:
    """Write the event of a job that has just reached a final state, where somebody wants it; once for each state."""
    row = (await db.execute(select(*jobs.c).where(jobs.c.id == job_id, jobs.c.tenant_id == tenant_id))).one()
    event_type = _TYPES.get(f"{row.kind}.{row.state}")
    if event_type is None:
        return
    to = await announce.recipients(db, tenant_id, event_type, job_id)
    if to:
        event = _event(row, event_type, result)
        await announce.announce(db, tenant_id, event, to, once_key=f"{job_id}:{event_type}")


def _event(row: Row[Any], event_type: EventType, result: Wire | None) -> JobEvent:
    fields: dict[str, Any] = {  # whatever the columns hold
        "type": event_type,
        "event_id": new_id("evt"),
        "timestamp": instant(row.finished_at),
        "id": row.id,
        "status": row.state,
        "url": row.url,
        "attempt": row.attempt,
        "created_at": instant(row.created_at),
        "finished_at": instant(row.finished_at),
        "error_code": row.error_code,
        "error": row.error_detail if row.error_code else None,
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
