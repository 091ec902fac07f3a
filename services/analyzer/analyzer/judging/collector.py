"""Prompts that wait for each other, so that many leave as one message batch."""

import asyncio
import contextvars
from dataclasses import dataclass, field

from analyzer.judging.batches import Batches, BatchItem, BatchRecord
from analyzer.judging.exchange import ClaudeUnavailable, Trouble
from analyzer.judging.settings import ClaudeSettings

_UNSENT = ClaudeUnavailable(Trouble.GARBLED, "the batch could not be sent")

_Sent = BatchRecord | ClaudeUnavailable


@dataclass
class _Group:
    """What will be one batch. `waiting` is by custom id; who has gone is not sent."""

    model: str
    waiting: dict[str, tuple[BatchItem, asyncio.Future[_Sent]]] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None

    @property
    def bytes(self) -> int:
        """Return the size of all pictures."""
        return sum(len(one.data) for item, _ in self.waiting.values() for _, one in item.prompt.pictures)


class Collector:
    """Collects prompts by model. Owns the sending: call `aclose`."""

    def __init__(self, batches: Batches, settings: ClaudeSettings) -> None:
        """Collect nothing yet."""
        self._batches = batches
        self._settings = settings
        self._groups: dict[str, _Group] = {}
        self._sending: set[asyncio.Task[None]] = set()

    async def hand_in(self, item: BatchItem, model: str) -> BatchRecord:
        """Wait until `item` has been sent with others; return the batch. Raises `ClaudeUnavailable`.

        Who is cancelled before that is left out of the batch.
        """
        group = self._group(model)
        answer: asyncio.Future[_Sent] = asyncio.get_running_loop().create_future()
        group.waiting[item.custom_id] = (item, answer)
        if len(group.waiting) >= self._settings.claude_bulk_requests or group.bytes >= self._settings.claude_bulk_bytes:
            self._leave(group)
        try:
            sent = await answer
        finally:
            group.waiting.pop(item.custom_id, None)
        if isinstance(sent, ClaudeUnavailable):
            raise sent.again()
        return sent

    async def aclose(self) -> None:
        """Send nothing more, and let those who wait know."""
        for group in list(self._groups.values()):
            if group.timer is not None:
                group.timer.cancel()
            _answer(group, {})
        self._groups.clear()
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    def _group(self, model: str) -> _Group:
        if model not in self._groups:
            group = self._groups[model] = _Group(model)
            wait_s = self._settings.claude_bulk_wait_seconds
            group.timer = asyncio.get_running_loop().call_later(wait_s, self._leave, group)
        return self._groups[model]

    def _leave(self, group: _Group) -> None:
        """Take no more prompts into a group, and send it."""
        if group.timer is not None:
            group.timer.cancel()
        self._groups.pop(group.model, None)
        # In no page's name: logs would lay the whole batch at the door of the last one.
        task = asyncio.create_task(self._send(group), context=contextvars.Context())
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, group: _Group) -> None:
        items = [item for item, answer in group.waiting.values() if not answer.done()]
        sent: dict[str, _Sent] = {}
        try:
            if items:
                records = await self._batches.submit(items, group.model)
                sent = {name: record for record in records for name in record.custom_ids}
        except ClaudeUnavailable as exc:
            sent = dict.fromkeys(group.waiting, exc)
        finally:
            # Whatever happened, nobody waits for ever.
            _answer(group, sent)


def _answer(group: _Group, sent: dict[str, _Sent]) -> None:
    for name, (_, answer) in group.waiting.items():
        if not answer.done():
            answer.set_result(sent.get(name, _UNSENT))
