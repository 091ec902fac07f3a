"""Accepting a batch, ending it, holding it, letting it go on."""

import asyncio
import hashlib
from collections.abc import Iterable
from decimal import Decimal

from opentelemetry import propagate

from contracts.errors import ErrorCode
from gateway.batches import planning, store
from gateway.batches.entries import Entry
from gateway.batches.planning import Rules
from gateway.batches.schemas import BatchAsked
from gateway.batches.store import New, Record
from gateway.hints import QUEUE
from gateway.jobs.states import BatchState
from gateway.wiring import Caller, Parts
from runtime.errors import ServiceError

_MICRO = Decimal(1_000_000)


def batch_topic(batch_id: str) -> str:
    """Name the topic of one batch's state."""
    return f"batch:{batch_id}"


def missing() -> ServiceError:
    """Say that there is no such batch; another tenant's is none."""
    return ServiceError(ErrorCode.NOT_FOUND, "There is no batch with this id.")


def fingerprint(*parts: bytes) -> str:
    """Return what makes two requests the same."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


async def create(
    parts: Parts, caller: Caller, asked: BatchAsked, entries: Iterable[Entry], *, key: str | None, print_: str
) -> Record:
    """Accept a batch in one transaction: all of it, or none. With a key that was used before, return its batch.

    Raises `ServiceError`: INVALID_REQUEST, QUOTA_EXCEEDED, IDEMPOTENCY_MISMATCH.
    """
    if key is not None and (known := await _known(parts, caller, key, print_)):
        return known
    rules = Rules(parts.settings, parts.policy, caller.plan)
    # Ten thousand URLs are a third of a second: others are served meanwhile.
    plotted = await asyncio.to_thread(planning.plan, asked, entries, rules)
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    new = New(
        tenant_id=caller.tenant_id,
        kind=asked.kind,
        asked=plotted.asked,
        concurrency=plotted.concurrency,
        max_cost_microusd=None if asked.max_cost_usd is None else int(asked.max_cost_usd * _MICRO),
        unit_microusd=int(plotted.unit_usd * _MICRO),
        idempotency_key=key,
        fingerprint=print_,
        trace=carrier.get("traceparent", ""),
    )
    async with parts.db.begin() as db:
        batch_id = await store.add(db, new, plotted.items, plotted.rejects)
    if batch_id is None:
        assert key is not None
        known = await _known(parts, caller, key, print_)
        assert known is not None
        return known
    await parts.hints.notify(QUEUE)
    return await found(parts, caller, batch_id)


async def _known(parts: Parts, caller: Caller, key: str, print_: str) -> Record | None:
    async with parts.db.read() as db:
        record = await store.by_key(db, caller.tenant_id, key)
    if record is not None and record.fingerprint != print_:
        detail = "This Idempotency-Key made a batch of another request. Use a new key for a new request."
        raise ServiceError(ErrorCode.IDEMPOTENCY_MISMATCH, detail)
    return record


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
        await store.cancel(db, caller.tenant_id, batch_id)
    return await _changed(parts, caller, batch_id)


async def pause(parts: Parts, caller: Caller, batch_id: str) -> Record:
    """Start nothing more of it; what is in work is finished. Raises NOT_FOUND, CONFLICT where it has ended."""
    async with parts.db.begin() as db:
        paused = await store.pause(db, caller.tenant_id, batch_id)
    record = await _changed(parts, caller, batch_id)
    if not paused:
        raise ServiceError(ErrorCode.CONFLICT, f"The batch is {record.state.value}.")
    return record


async def resume(parts: Parts, caller: Caller, batch_id: str) -> Record:
    """Let it go on; doing it twice is no error. Raises NOT_FOUND, CONFLICT where it has ended."""
    async with parts.db.begin() as db:
        await store.resume(db, caller.tenant_id, batch_id)
    record = await _changed(parts, caller, batch_id)
    if record.state.final:
        raise ServiceError(ErrorCode.CONFLICT, f"The batch is {record.state.value}.")
    return record


async def retry_failed(parts: Parts, caller: Caller, batch_id: str) -> Record:
    """Try its failed URLs again. Raises NOT_FOUND, and CONFLICT where none can be."""
    record = await found(parts, caller, batch_id)
    async with parts.db.begin() as db:
        count = await store.retry_failed(db, caller.tenant_id, record)
    if not count:
        detail = "The batch has no failed URL that can be tried again."
        if record.failed:
            detail += " Their headers, cookies or password were dropped at their end: ask anew."
        raise ServiceError(ErrorCode.CONFLICT, detail)
    return await _changed(parts, caller, batch_id)


async def _changed(parts: Parts, caller: Caller, batch_id: str) -> Record:
    await parts.hints.notify(batch_topic(batch_id))
    await parts.hints.notify(QUEUE)
    return await found(parts, caller, batch_id)
