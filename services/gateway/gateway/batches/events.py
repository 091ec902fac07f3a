"""A batch's progress as server-sent events."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta

import structlog
from fastapi import Request, Response

from gateway.batches import service
from gateway.batches.schemas import read
from gateway.batches.store import Record
from gateway.events.stream import LONGEST_S, MEDIA_TYPE, RETRY_MS, Stream
from gateway.hints import batch_topic
from gateway.wiring import Caller, Parts
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

_LOOK_AGAIN = timedelta(seconds=1)
_SILENT_LOOKS = 15


async def answer(request: Request, parts: Parts, caller: Caller, batch_id: str) -> Response:
    """Answer with a batch's events. Raises `ServiceError`: not_found, rate_limited, unavailable."""
    record = await service.found(parts, caller, batch_id)
    parts.places.check(caller.tenant_id)
    if getattr(request.state, "head", False):
        return Response(media_type=MEDIA_TYPE)
    return Stream(_lines(parts, caller, record), parts.places, caller.tenant_id)


async def _lines(parts: Parts, caller: Caller, first: Record) -> AsyncIterator[str]:
    """Give an event `progress` whenever a counter has moved, at most one each second, and `ended` as the last one."""
    yield f"retry: {RETRY_MS}\n\n"
    ends = time.monotonic() + LONGEST_S
    shown: Record | None = None
    record, silent = first, 0
    try:
        while True:
            if shown is None or _moved(record, shown):
                yield _event(record)
                shown, silent = record, 0
            if record.state.final or parts.watch.closed or time.monotonic() > ends:
                return
            silent += 1
            if silent % _SILENT_LOOKS == 0:
                # Proxies close what is silent for long.
                yield ": still here\n\n"
            await parts.hints.wait(batch_topic(record.id), _LOOK_AGAIN)
            record = await service.found(parts, caller, record.id)
    except ServiceError as error:
        # The answer has begun: the end of it makes the client come again.
        log.warning("stream_ended", reason=error.reason)


def _moved(record: Record, shown: Record) -> bool:
    return record.counts != shown.counts


def _event(record: Record) -> str:
    name = "ended" if record.state.final else "progress"
    document = read(record, []).model_dump_json(exclude={"asked", "rejected"})
    return f"event: {name}\ndata: {document}\n\n"
