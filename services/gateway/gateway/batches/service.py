"""Accepting a batch, ending it, holding it, letting it go on."""

import asyncio
from dataclasses import dataclass, replace
from decimal import Decimal

from contracts.errors import ErrorCode
from gateway.batches import changes, filling, planning, store
from gateway.batches.filling import New
from gateway.batches.planning import Plotted, Rules
from gateway.batches.schemas import BatchAsked, WebhookEvents
from gateway.batches.store import Record
from gateway.batches.uploads import Submission
from gateway.hints import DELIVERIES, QUEUE, batch_topic, cancel_topic
from gateway.idempotency import store as promises
from gateway.idempotency.keys import Ticket
from gateway.idempotency.store import Promise
from gateway.jobs.states import BatchState, Document
from gateway.metrics import ACCEPTED
from gateway.receivers import receiver
from gateway.wiring import Caller, Parts
from runtime import netguard
from runtime.errors import ServiceError
from runtime.telemetry import traceparent

_MICRO = Decimal(1_000_000)


def missing() -> ServiceError:
    """Say that there is no such batch; another tenant's is none."""
    return ServiceError(ErrorCode.NOT_FOUND, "There is no batch with this id.")


@dataclass(frozen=True)
class Made:
    """The batch that answers a request; `replayed`: the request's key was used before."""

    record: Record
    replayed: bool = False


async def create(parts: Parts, caller: Caller, sent: Submission, ticket: Ticket | None) -> Made:
    """Accept a batch in one transaction: all of it, or none. With a key that was used before, return its batch.

    Raises `ServiceError`: INVALID_REQUEST, URL_INVALID, URL_FORBIDDEN, QUOTA_EXCEEDED, IDEMPOTENCY_MISMATCH.
    """
    if ticket is not None:
        async with parts.db.read() as db:
            promise = await promises.find(db, ticket)
        if promise is not None:
            return await _replayed(parts, caller, promise, ticket)
    rules = Rules(parts.settings, parts.policy, caller.plan, caller.options)
    sitemap = _sitemap(parts, sent)
    if sitemap is None:
        # Ten thousand URLs are a third of a second: others are served meanwhile.
        plotted = await asyncio.to_thread(planning.plan, sent.asked, sent.entries, rules)
    else:
        plotted = planning.plan_empty(sent.asked, rules)
    webhook_url = receiver(parts, sent.asked.webhook_url)
    new = replace(_new(caller, sent.asked, plotted, sitemap), webhook_url=webhook_url)
    async with parts.turns.taken(("tenant", caller.tenant_id)), parts.db.begin() as db:
        promise = None if ticket is None else await promises.claim(db, ticket)
        if promise is None:
            batch_id = await filling.add(db, new, plotted.items, plotted.rejects)
            if ticket is not None:
                await promises.point(db, ticket, batch_id, "made")
    if promise is not None:
        assert ticket is not None
        return await _replayed(parts, caller, promise, ticket)
    ACCEPTED.labels(sent.asked.job_kind.value, "batch").inc(len(plotted.items))
    await parts.hints.notify(QUEUE)
    return Made(await found(parts, caller, batch_id))


def _sitemap(parts: Parts, sent: Submission) -> str | None:
    if sent.sitemap is None:
        return None
    target = netguard.parse(sent.sitemap)
    parts.policy.check_target(target)
    return target.url


def _new(caller: Caller, asked: BatchAsked, plotted: Plotted, sitemap: str | None) -> New:
    return New(
        tenant_id=caller.tenant_id,
        kind=asked.job_kind,
        asked={**plotted.asked, "sitemap": sitemap},
        concurrency=plotted.concurrency,
        max_cost_microusd=None if asked.max_cost_usd is None else int(asked.max_cost_usd * _MICRO),
        unit_microusd=int(plotted.unit_usd * _MICRO),
        trace=traceparent(),
        sitemap_url=sitemap,
        wanted=_wanted(caller, asked) if sitemap else None,
        webhook_each=int(asked.webhook_events is WebhookEvents.EACH),
    )


def _wanted(caller: Caller, asked: BatchAsked) -> Document:
    fields = asked.model_dump(mode="json", include=set(BatchAsked.model_fields))
    return {"asked": fields, "going_by": caller.options}


async def _replayed(parts: Parts, caller: Caller, promise: Promise, ticket: Ticket) -> Made:
    if promise.fingerprint != ticket.fingerprint:
        detail = "This Idempotency-Key was used for another request in the last 24 hours."
        raise ServiceError(ErrorCode.IDEMPOTENCY_MISMATCH, detail)
    return Made(await found(parts, caller, promise.job_id), replayed=True)


async def found(parts: Parts, caller: Caller, batch_id: str) -> Record:
    """Return a batch as it is. Raises NOT_FOUND."""
    async with parts.db.read() as db:
        record = await store.get(db, caller.tenant_id, batch_id)
    if record is None:
        raise missing()
    return record


async def cancel(parts: Parts, caller: Caller, batch_id: str) -> Record:
    """End what has not ended; doing it twice is no error. Raises NOT_FOUND, CONFLICT where it was completed."""
    record = await found(parts, caller, batch_id)
    if record.state is BatchState.COMPLETED:
        raise ServiceError(ErrorCode.CONFLICT, "The batch has already completed.")
    async with parts.db.begin() as db:
        working = await changes.cancel(db, caller.tenant_id, batch_id)
    for job_id in working:
        await parts.hints.notify(cancel_topic(job_id))
    await parts.hints.notify(DELIVERIES)
    return await _changed(parts, caller, batch_id)


async def pause(parts: Parts, caller: Caller, batch_id: str) -> Record:
    """Start nothing more of it; what is in work is finished. Raises NOT_FOUND, CONFLICT where it has ended."""
    async with parts.db.begin() as db:
        paused = await changes.pause(db, caller.tenant_id, batch_id)
    record = await _changed(parts, caller, batch_id)
    if not paused:
        raise ServiceError(ErrorCode.CONFLICT, f"The batch is {record.state.value}.")
    return record


async def resume(parts: Parts, caller: Caller, batch_id: str) -> Record:
    """Let it go on; doing it twice is no error. Raises NOT_FOUND, CONFLICT where it has ended."""
    async with parts.db.begin() as db:
        await changes.resume(db, caller.tenant_id, batch_id)
    record = await _changed(parts, caller, batch_id)
    if record.state.final:
        raise ServiceError(ErrorCode.CONFLICT, f"The batch is {record.state.value}.")
    return record


async def retry_failed(parts: Parts, caller: Caller, batch_id: str) -> Record:
    """Try its failed URLs again. Raises NOT_FOUND, and CONFLICT where none can be."""
    record = await found(parts, caller, batch_id)
    async with parts.db.begin() as db:
        count = await changes.retry_failed(db, caller.tenant_id, record)
    if not count:
        detail = "The batch has no failed URL that can be tried again."
        if record.failed:
            detail += " Their headers, cookies or password were dropped at their end: ask anew."
        raise ServiceError(ErrorCode.CONFLICT, detail)
    return await _changed(parts, caller, batch_id)


async def remove(parts: Parts, caller: Caller, batch_id: str) -> None:
    """Remove a batch with all results; what the blob store holds of them follows. Raises NOT_FOUND, CONFLICT."""
    async with parts.db.begin() as db:
        removed = await changes.remove(db, caller.tenant_id, batch_id)
    if not removed:
        record = await found(parts, caller, batch_id)
        raise ServiceError(ErrorCode.CONFLICT, f"The batch is {record.state.value}. Cancel it first.")


async def _changed(parts: Parts, caller: Caller, batch_id: str) -> Record:
    await parts.hints.notify(batch_topic(batch_id))
    await parts.hints.notify(QUEUE)
    return await found(parts, caller, batch_id)
