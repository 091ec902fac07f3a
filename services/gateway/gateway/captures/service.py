"""Asking for a capture, waiting for it, handing it out."""

from contextlib import nullcontext
from dataclasses import dataclass

import structlog

from contracts.errors import ErrorCode
from contracts.fetch import FetchRequest
from contracts.render import Artifact
from gateway.acceptance import Accepted, Terms, accept
from gateway.blobs.base import whole
from gateway.captures import limits, store
from gateway.captures.store import Whole
from gateway.jobs import outcomes
from gateway.jobs.states import Kind, NewJob, State
from gateway.orders import stored_form
from gateway.owned import missing, tell_of_cancel
from gateway.patience import RETRY_AFTER_S, Patience, until_final
from gateway.reuse import store as reuse
from gateway.reuse.policy import cache_key
from gateway.wiring import Caller, Parts
from runtime import netguard
from runtime.errors import ServiceError
from runtime.telemetry import traceparent

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Content:
    """An artifact with its bytes."""

    artifact: Artifact
    data: bytes


async def create(parts: Parts, caller: Caller, request: FetchRequest, terms: Terms) -> Accepted:
    """Accept a capture. Raises `ServiceError` for what may not be opened, or not in this way."""
    target = netguard.parse(request.url)
    parts.policy.check_target(target)
    limits.check(request, parts.settings, caller.plan)
    if request.max_cost_usd is None:
        request = request.model_copy(update={"max_cost_usd": parts.settings.capture_max_cost_usd})
    options, secrets = stored_form(request)
    # What a visitor with a login or cookies saw is for nobody else, and the options do not even say who it was.
    key = None if secrets else cache_key(Kind.CAPTURE, target.url, options)
    job = NewJob(
        caller.tenant_id,
        target.url,
        kind=Kind.CAPTURE,
        trace=traceparent(),
        options=options,
        secrets=secrets,
        cache_key=key,
    )
    accepted = await accept(parts, job, terms)
    if request.prepare.wait_for.function:
        log.warning("capture_script_taken", job_id=accepted.id)
    return accepted


async def waited_for(parts: Parts, caller: Caller, capture_id: str, patience: Patience) -> Whole:
    """Return a capture once it is final, the time is over or the caller has gone. Raises NOT_FOUND."""
    await until_final(parts, caller, Kind.CAPTURE, capture_id, patience)
    async with parts.watch.reading if patience.wait else nullcontext():
        return await found(parts, caller, capture_id)


async def found(parts: Parts, caller: Caller, capture_id: str) -> Whole:
    """Return a capture as it is. Raises NOT_FOUND."""
    async with parts.db.read() as db:
        record = await store.get(db, caller.tenant_id, capture_id)
    if record is None:
        raise missing(Kind.CAPTURE)
    return record


async def leave(parts: Parts, caller: Caller, capture_id: str) -> None:
    """End a capture that nobody will fetch any more: its only caller went away before it learnt the id."""
    async with parts.db.begin() as db:
        if not await reuse.leave(db, caller.tenant_id, capture_id):
            return
        ended = await outcomes.cancel(db, Kind.CAPTURE, caller.tenant_id, capture_id)
    if ended:
        await tell_of_cancel(parts, capture_id)


async def content(parts: Parts, record: Whole, name: str) -> Content:
    """Return one artifact. Raises the capture's own error where it failed, CONFLICT while it has no result."""
    if record.state in {State.FAILED, State.CANCELLED}:
        raise failure(record)
    if record.result is None:
        detail = f"The capture has no artifacts yet: its status is {record.state.value}."
        raise ServiceError(ErrorCode.CONFLICT, detail, retry_after_s=RETRY_AFTER_S)
    if name not in record.result.artifacts or name not in record.keys:
        raise ServiceError(ErrorCode.NOT_FOUND, "The capture has no artifact of this name.")
    artifact = record.result.artifacts[name]
    data = await parts.blobs.read(record.keys[name])
    if not whole(data, artifact.sha256):
        detail = "The artifact store does not answer as it should. Try again later."
        raise ServiceError(ErrorCode.STORAGE_FAILED, detail, reason=f"{name} is not what was stored")
    return Content(artifact, data)


def failure(record: Whole) -> ServiceError:
    """Return what ended a capture as the error that it was."""
    return ServiceError(record.error_code or ErrorCode.INTERNAL, record.error_detail or "")
