"""Bulk work at half the price: many prompts as message batches, whose results may come a day and a restart later.

`Batches.submit` sends and returns records, which the caller keeps where a restart finds them; `outcomes` asks once, and
may be asked again, so that nothing is lost between the provider's answer and the caller's own commit.
"""

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from analyzer.judging.body import Params, params, written
from analyzer.judging.claude import Claude
from analyzer.judging.deadline import Clock, Deadline
from analyzer.judging.exchange import ClaudeUnavailable, Prompt, Reply, Trouble
from analyzer.judging.failures import Failure
from analyzer.judging.keys import Key, NoKey, choose
from analyzer.judging.pictures import Picture
from contracts.wire import Wire

log = structlog.get_logger(__name__)

MAX_BYTES, MAX_REQUESTS = 256_000_000, 100_000
"""The provider's limits for one batch."""
LIFE_S = 86_400
"""A batch that has not ended by then expires."""
_FILES_LAST_S = LIFE_S + 7_200
_FRAME_BYTES = 100
_UPLOADS = 8
_CALL_MS = 120_000
NO_RESULT = Failure(Trouble.GARBLED, "the batch ended without a result for it")
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True)
class BatchItem:
    """One prompt. `custom_id` is the caller's name for it: letters, digits, - and _, at most 64, unique in the bulk."""

    custom_id: str
    prompt: Prompt


class BatchRecord(Wire):
    """All that a restart needs to know about one batch.

    `key` is the fingerprint of the API key that owns it.
    """

    batch_id: str
    base_url: str
    key: str
    model: str
    custom_ids: tuple[str, ...]
    created_s: float


class Batches:
    """Sends and collects batches over `claude`, which the caller closes."""

    def __init__(self, claude: Claude, *, wall: Clock = time.time) -> None:
        """`wall` gives seconds since 1970, as the provider's times do."""
        self._claude = claude
        self._wall = wall
        self.max_bytes = MAX_BYTES
        self.max_requests = MAX_REQUESTS

    async def submit(self, items: Sequence[BatchItem], model: str) -> list[BatchRecord]:
        """Upload the pictures and send as few batches as the limits allow; return one record for each.

        Raises `ValueError` for ids that cannot be used, and `ClaudeUnavailable`.
        """
        ids = [item.custom_id for item in items]
        if len(set(ids)) != len(ids) or not all(_CUSTOM_ID.fullmatch(one) for one in ids):
            raise ValueError("custom ids must be unique, and at most 64 letters, digits, - and _")
        try:
            key = choose(self._claude.keys.all, model, 0)
        except NoKey as none:
            raise ClaudeUnavailable(none.trouble, str(none), none.wait_s) from none
        files = await self._uploaded(items, key)
        requests = [(item.custom_id, written(self._request(item, model, files))) for item in items]
        return [await self._send(part, key, model) for part in self._parts(requests)]

    async def _uploaded(self, items: Sequence[BatchItem], key: Key) -> dict[str, str]:
        """Store every different picture once; return file ids by hash."""
        room = asyncio.Semaphore(_UPLOADS)
        different = {picture.sha256: picture for item in items for _, picture in item.prompt.pictures}

        async def one(picture: Picture) -> str:
            async with room:
                return await self._claude.upload(picture, _FILES_LAST_S, key, Deadline.after_ms(_CALL_MS))

        try:
            async with asyncio.TaskGroup() as group:
                tasks = {name: group.create_task(one(picture)) for name, picture in different.items()}
        except ExceptionGroup as several:
            raise several.exceptions[0] from several
        return {name: task.result() for name, task in tasks.items()}

    def _request(self, item: BatchItem, model: str, files: dict[str, str]) -> Params:
        order = self._claude.order(item.prompt.answer, model)

        def source(picture: Picture) -> Params:
            return {"type": "file", "file_id": files[picture.sha256]}

        return {"custom_id": item.custom_id, "params": params(item.prompt, order, source)}

    def _parts(self, requests: Sequence[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
        part: list[tuple[str, bytes]] = []
        size = _FRAME_BYTES
        for custom_id, text in requests:
            if part and (size + len(text) + 1 > self.max_bytes or len(part) >= self.max_requests):
                yield part
                part, size = [], _FRAME_BYTES
            part.append((custom_id, text))
            size += len(text) + 1
        if part:
            yield part

    async def _send(self, part: Sequence[tuple[str, bytes]], key: Key, model: str) -> BatchRecord:
        now = self._wall()
        body = b'{"requests":[' + b",".join(text for _, text in part) + b"]}"
        status = await self._claude.create_batch(body, key, Deadline.after_ms(_CALL_MS))
        log.info("claude_batch_sent", batch_id=status.id, requests=len(part), bytes=len(body), model=model)
        return BatchRecord(
            batch_id=status.id,
            base_url=self._claude.base_url,
            key=key.name,
            model=model,
            custom_ids=tuple(custom_id for custom_id, _ in part),
            created_s=now,
        )

    async def outcomes(self, record: BatchRecord) -> dict[str, Reply | Failure] | None:
        """Ask once: None while the batch runs, else every result that it has, whoever's. Nothing is booked.

        Raises `ClaudeUnavailable`, also for a record of another provider address or of a key that is not configured.
        """
        key = self._owner(record)
        status = await self._claude.batch(record.batch_id, key, Deadline.after_ms(_CALL_MS))
        if not status.ended:
            return None
        lines = await self._claude.batch_results(record.batch_id, record.model, key, Deadline.after_ms(_CALL_MS))
        # Of two results with one name the first counts.
        return dict(reversed(lines))

    def reachable(self, record: BatchRecord) -> bool:
        """Say whether this is the provider, and one of our keys the one, that has the batch."""
        return record.base_url == self._claude.base_url and self._claude.keys.named(record.key) is not None

    def _owner(self, record: BatchRecord) -> Key:
        if record.base_url != self._claude.base_url:
            raise ClaudeUnavailable(Trouble.REQUEST, f"batch {record.batch_id} was sent to {record.base_url}")
        key = self._claude.keys.named(record.key)
        if key is None:
            raise ClaudeUnavailable(Trouble.CREDENTIALS, f"no key {record.key} for batch {record.batch_id!r}")
        return key
