"""Asking for an analysis, waiting for it, ending it, showing it."""

import asyncio
from datetime import UTC, datetime

from opentelemetry import propagate

from contracts.analyze import Preset
from contracts.errors import ErrorCode
from contracts.result import Analysis
from gateway.analyses import store
from gateway.analyses.store import Record
from gateway.blobs.base import BlobStore
from gateway.hints import DELIVERIES, QUEUE, job_topic
from gateway.jobs import intake, outcomes
from gateway.jobs.states import Kind, NewJob, State
from gateway.metrics import FINISHED
from gateway.patience import RETRY_AFTER_S, Patience, until_final
from gateway.receivers import receiver
from gateway.report import page as report_page
from gateway.wiring import Caller, Parts
from runtime import netguard
from runtime.errors import ServiceError


def missing() -> ServiceError:
    """Say that there is no such analysis; another tenant's is none."""
    return ServiceError(ErrorCode.NOT_FOUND, "There is no analysis with this id.")


async def create(parts: Parts, caller: Caller, url: str, preset: Preset, webhook_url: str | None = None) -> str:
    """Accept an analysis and return its id. Raises `ServiceError` for an address that may not be opened."""
    target = netguard.parse(url)
    parts.policy.check_target(target)
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    trace = carrier.get("traceparent", "")
    told = receiver(parts, webhook_url)
    job = NewJob(caller.tenant_id, target.url, preset, trace=trace, webhook_url=told)
    async with parts.db.begin() as db:
        analysis_id = await intake.enqueue(db, job)
    await parts.hints.notify(QUEUE)
    return analysis_id


async def waited_for(parts: Parts, caller: Caller, analysis_id: str, patience: Patience) -> Record:
    """Return an analysis once it is final, the time is over or the caller has gone. Raises NOT_FOUND."""
    await until_final(parts, caller, Kind.ANALYSIS, analysis_id, patience)
    async with parts.db.read() as db:
        record = await store.get(db, caller.tenant_id, analysis_id)
    if record is None:
        raise missing()
    return record


async def cancel(parts: Parts, caller: Caller, analysis_id: str) -> Record:
    """End an analysis; doing it twice is no error. Raises NOT_FOUND, and CONFLICT where it is finished already."""
    async with parts.db.begin() as db:
        ended = await outcomes.cancel(db, Kind.ANALYSIS, caller.tenant_id, analysis_id)
        record = await store.get(db, caller.tenant_id, analysis_id)
    if record is None:
        raise missing()
    if record.state is not State.CANCELLED:
        raise ServiceError(ErrorCode.CONFLICT, f"The analysis has already {record.state.value}.")
    if ended:
        FINISHED.labels(State.CANCELLED.value, ErrorCode.CANCELLED.value).inc()
        await parts.hints.notify(job_topic(analysis_id))
        await parts.hints.notify(DELIVERIES)
    return record


async def report(parts: Parts, caller: Caller, analysis_id: str) -> str:
    """Return the report as one HTML page. Raises NOT_FOUND, and CONFLICT where there is no result."""
    async with parts.db.read() as db:
        record = await store.get(db, caller.tenant_id, analysis_id)
    if record is None:
        raise missing()
    if record.result is None:
        retry = None if record.state.final else RETRY_AFTER_S
        detail = f"The analysis has no report: its status is {record.state.value}."
        raise ServiceError(ErrorCode.CONFLICT, detail, retry_after_s=retry)
    pictures = await _pictures(parts.blobs, caller, record.id, record.result)
    generated_at = datetime.now(UTC)
    return await asyncio.to_thread(report_page.render, record.result, pictures, generated_at=generated_at)


async def _pictures(blobs: BlobStore, caller: Caller, job_id: str, analysis: Analysis) -> dict[str, bytes]:
    """Read the pictures of a result; one that is gone is left out, and the report says so."""
    own = f"{caller.tenant_id}/{job_id}/"
    pictures: dict[str, bytes] = {}
    for asset in analysis.capture.assets:
        # The key comes out of a document: it may name nothing but this very job's objects.
        if asset.key.startswith(own) and await blobs.size(asset.key) is not None:
            pictures[asset.key] = await blobs.read(asset.key)
    return pictures
