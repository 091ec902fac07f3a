"""A batch's progress as server-sent events."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

from gateway.batches import service, store
from gateway.batches.schemas import read
from gateway.batches.store import Record
from gateway.wiring import Caller, Parts
from runtime.errors import ServiceError

_LOOK_AGAIN = timedelta(seconds=1)
_SILENT_LOOKS = 15


async def stream(
    parts: Parts, caller: Caller, first: Record, gone: Callable[[], Awaitable[bool]]
) -> AsyncIterator[bytes]:
    """Give an event `progress` whenever a counter has moved, at most one each second, and `ended` as the last one."""
    shown: tuple[object, ...] = ()
    record, silent = first, 0
    while not await gone():
        now = (record.state, record.held, record.in_queue, record.succeeded, record.failed, record.cancelled)
        if record.state.final or now != shown:
            yield await _event(parts, caller, record)
            shown, silent = now, 0
        if record.state.final:
            return
        silent += 1
        if silent % _SILENT_LOOKS == 0:
            # Proxies close what is silent for long.
            yield b": still here\n\n"
        await parts.hints.wait(service.batch_topic(record.id), _LOOK_AGAIN)
        try:
            record = await service.found(parts, caller, record.id)
        except ServiceError:
            return


async def _event(parts: Parts, caller: Caller, record: Record) -> bytes:
    async with parts.db.read() as db:
        running = await store.running(db, caller.tenant_id, record.id)
    name = "ended" if record.state.final else "progress"
    document = read(record, running, []).model_dump_json(exclude={"asked", "rejected"})
    return f"event: {name}\ndata: {document}\n\n".encode()
