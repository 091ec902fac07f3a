"""Asking for an analysis, waiting for it, showing it."""

import asyncio
import hashlib
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Literal

from contracts import comparison
from contracts.analyze import Preset
from contracts.comparison import Comparison
from contracts.errors import ErrorCode, FieldError
from contracts.result import Analysis
from gateway.acceptance import Accepted, Terms, accept
from gateway.analyses import pictures, store
from gateway.analyses.schemas import AnalysisCreate, PictureCreate
from gateway.analyses.store import Record
from gateway.analyses.submissions import Submission
from gateway.blobs.base import BlobStore, whole
from gateway.idempotency.keys import ticket
from gateway.jobs import enrichment
from gateway.jobs.states import Kind, NewJob
from gateway.owned import missing
from gateway.patience import RETRY_AFTER_S, Patience, until_final
from gateway.receivers import receiver
from gateway.report import page as report_page
from gateway.reuse.policy import cache_key
from gateway.wiring import Caller, Parts
from runtime import netguard
from runtime.errors import ServiceError
from runtime.telemetry import traceparent


async def accepted(parts: Parts, caller: Caller, asked: Submission, idempotency_key: str | None) -> Accepted:
    """Accept what a body asks for. Raises as `create` and `pictures.create` do."""
    fields, ai = asked.create.fingerprinted, asked.create.ai
    sent = hashlib.sha256(asked.form.data).hexdigest() if asked.form else ""
    secret = parts.settings.signing_key
    key = ticket(idempotency_key, caller.tenant_id, "POST /v1/analyses", [fields, sent], secret)
    terms = Terms(asked.create.wish, key, receiver(parts, asked.create.webhook_url))
    if asked.form is None:
        assert isinstance(asked.create, AnalysisCreate)
        return await create(parts, caller, asked.create.url, asked.create.preset, terms, ai)
    assert isinstance(asked.create, PictureCreate)
    name = asked.create.name or asked.form.file_name
    return await pictures.create(parts, caller, pictures.Sent(asked.form.data, name, asked.create.preset, ai), terms)


async def create(
    parts: Parts, caller: Caller, url: str, preset: Preset, terms: Terms, ai: Literal["now", "bulk"] = "now"
) -> Accepted:
    """Accept an analysis, whose model is asked at once or in bulk.

    Raises `ServiceError` for an address that may not be opened, and as `accept` does.
    """
    target = netguard.parse(url)
    parts.policy.check_target(target)
    options = enrichment.options(caller.options, ai)
    key = cache_key(Kind.ANALYSIS, target.url, {"preset": preset, **(options or {})})
    job = NewJob(caller.tenant_id, target.url, preset, trace=traceparent(), cache_key=key, options=options)
    return await accept(parts, job, terms)


async def waited_for(parts: Parts, caller: Caller, analysis_id: str, patience: Patience) -> Record:
    """Return an analysis once it is final, the time is over or the caller has gone. Raises NOT_FOUND."""
    await until_final(parts, caller, Kind.ANALYSIS, analysis_id, patience)
    async with parts.watch.reading if patience.wait else nullcontext():
        return await found(parts, caller, analysis_id)


async def found(parts: Parts, caller: Caller, analysis_id: str) -> Record:
    """Return an analysis as it is. Raises NOT_FOUND."""
    async with parts.db.read() as db:
        record = await store.get(db, caller.tenant_id, analysis_id)
    if record is None:
        raise missing(Kind.ANALYSIS)
    return record


async def report(parts: Parts, caller: Caller, analysis_id: str) -> str:
    """Return the report as one HTML page. Raises NOT_FOUND, and CONFLICT where there is no result."""
    async with parts.db.read() as db:
        record = await store.get(db, caller.tenant_id, analysis_id)
    if record is None:
        raise missing(Kind.ANALYSIS)
    if record.result is None:
        retry = None if record.state.final else RETRY_AFTER_S
        detail = f"The analysis has no report: its status is {record.state.value}."
        raise ServiceError(ErrorCode.CONFLICT, detail, retry_after_s=retry)
    pictures = await _pictures(parts.blobs, caller, record.id, record.result)
    generated_at = datetime.now(UTC)
    return await asyncio.to_thread(report_page.render, record.result, pictures, generated_at=generated_at)


async def compare(parts: Parts, caller: Caller, analysis_id: str, other_id: str) -> Comparison:
    """Compare two finished analyses of one address, the earlier as `before`.

    Raises NOT_FOUND, CONFLICT where one has no result, INVALID_REQUEST where the addresses differ.
    """
    async with parts.db.read() as db:
        records = [await store.get(db, caller.tenant_id, one) for one in (analysis_id, other_id)]
    found = sorted((record for record in records if record is not None), key=lambda record: record.id)
    if len(found) < len(records):
        raise missing(Kind.ANALYSIS)
    if found[0].url != found[-1].url:
        error = FieldError(field="with", message="It must be an analysis of the same address.")
        raise ServiceError(ErrorCode.INVALID_REQUEST, "The analyses are of different addresses.", errors=[error])
    before, after = (_result(record) for record in found)
    return await asyncio.to_thread(comparison.compare, before, after)


def _result(record: Record) -> Analysis:
    if record.result is None:
        retry = None if record.state.final else RETRY_AFTER_S
        detail = f"The analysis {record.id} has no result: its status is {record.state.value}."
        raise ServiceError(ErrorCode.CONFLICT, detail, retry_after_s=retry)
    return record.result


async def _pictures(blobs: BlobStore, caller: Caller, job_id: str, analysis: Analysis) -> dict[str, bytes]:
    """Read the pictures of a result; one that is gone or spoilt is left out, and the report says so."""
    own = f"{caller.tenant_id}/{job_id}/"
    pictures: dict[str, bytes] = {}
    for asset in analysis.capture.assets:
        # The key comes out of a document: it may name nothing but this very job's objects.
        if asset.key.startswith(own) and await blobs.size(asset.key) is not None:
            data = await blobs.read(asset.key)
            if whole(data, asset.sha256):
                pictures[asset.key] = data
    return pictures
