"""Bulk work at half the price: many prompts as message batches, whose results may come a day and a restart later.

`Batches.submit` sends and returns records; `look` asks once, `collect` until the end; `done` forgets. The caller keeps
the records where a restart finds them (`BatchStore`; `FileStore` for one machine) and may look again at any time, so
nothing is lost between the provider's answer and the caller's own commit.
"""

import asyncio
import random
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from analyzer.judging.body import Params, params, written
from analyzer.judging.claude import Claude, Sleep
from analyzer.judging.deadline import Clock, Deadline
from analyzer.judging.exchange import ClaudeUnavailable, Prompt, Reply, Trouble
from analyzer.judging.failures import Failure
from analyzer.judging.keys import Key, NoKey, choose
from analyzer.judging.ledger import Ledger
from analyzer.judging.pictures import Picture
from contracts.analyze import Preset
from contracts.result import AiRun
from contracts.wire import Wire
from runtime.ids import new_id

log = structlog.get_logger(__name__)

MAX_BYTES, MAX_REQUESTS = 256_000_000, 100_000
"""The provider's limits for one batch."""
LIFE_S = 86_400
"""A batch that has not ended by then expires."""
_FILES_LAST_S = LIFE_S + 7_200
_FRAME_BYTES = 100
_UPLOADS = 8
_CALL_MS = 120_000
_FIRST_POLL_S, _LONGEST_POLL_S = 5.0, 120.0
NO_RESULT = Failure(Trouble.GARBLED, "the batch ended without a result for it")
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True)
class BatchItem:
    """One prompt. `custom_id` is the caller's name for it: letters, digits, - and _, at most 64, unique in the bulk."""

    custom_id: str
    prompt: Prompt


class BatchRecord(Wire):
    """All that a restart needs to know about one batch.

    `key` is the fingerprint of the API key that owns it. While `batch_id` is empty it was being sent: whether the
    provider has it is unknown, and to send it again may cost twice.
    """

    id: str
    batch_id: str = ""
    base_url: str
    key: str
    model: str
    preset: Preset
    custom_ids: tuple[str, ...]
    created_s: float
    expires_s: float


class BatchStore(Protocol):
    """Where records outlive the process."""

    async def save(self, record: BatchRecord) -> None:
        """Write a record, in place of the one with its id."""
        ...

    async def records(self) -> list[BatchRecord]:
        """Return every record that was saved and not removed, oldest first."""
        ...

    async def remove(self, record_id: str) -> None:
        """Forget a record; one that is not there is no error."""
        ...


@dataclass(frozen=True)
class Collected:
    """What became of one item; `run` is what it cost, refusals and truncations included."""

    outcome: Reply | Failure
    run: AiRun | None = None


class FileStore:
    """Records as files in a folder."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, which is made when the first record is saved."""
        self._folder = folder

    async def save(self, record: BatchRecord) -> None:
        """Write a record whole or not at all."""
        await asyncio.to_thread(self._write, record)

    def _write(self, record: BatchRecord) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self._folder / f"{record.id}.new"
        new.write_text(record.model_dump_json(), encoding="utf-8")
        new.replace(self._folder / f"{record.id}.json")

    async def records(self) -> list[BatchRecord]:
        """Return every record, oldest first."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> list[BatchRecord]:
        found = [BatchRecord.model_validate_json(path.read_bytes()) for path in self._folder.glob("*.json")]
        return sorted(found, key=lambda record: record.created_s)

    async def remove(self, record_id: str) -> None:
        """Delete a record's file."""
        await asyncio.to_thread((self._folder / f"{record_id}.json").unlink, missing_ok=True)


class Batches:
    """Sends and collects batches over `claude`, which the caller closes."""

    def __init__(
        self, claude: Claude, store: BatchStore, *, sleep: Sleep = asyncio.sleep, wall: Clock = time.time
    ) -> None:
        """`sleep` waits between looks; `wall` gives seconds since 1970, as the provider's times do."""
        self._claude = claude
        self._store = store
        self._sleep = sleep
        self._wall = wall
        self.max_bytes = MAX_BYTES
        self.max_requests = MAX_REQUESTS

    async def submit(self, items: Sequence[BatchItem], model: str, preset: Preset) -> list[BatchRecord]:
        """Upload the pictures and send as few batches as the limits allow; return one record for each.

        Raises `ValueError` for ids that cannot be used, and `ClaudeUnavailable`: what was sent until then is in the
        store.
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
        return [await self._send(part, key, model, preset) for part in self._parts(requests)]

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

    async def _send(self, part: Sequence[tuple[str, bytes]], key: Key, model: str, preset: Preset) -> BatchRecord:
        now = self._wall()
        record = BatchRecord(
            id=new_id("bat"),
            base_url=self._claude.base_url,
            key=key.name,
            model=model,
            preset=preset,
            custom_ids=tuple(custom_id for custom_id, _ in part),
            created_s=now,
            expires_s=now + LIFE_S,
        )
        await self._store.save(record)
        body = b'{"requests":[' + b",".join(text for _, text in part) + b"]}"
        try:
            status = await self._claude.create_batch(body, key, Deadline.after_ms(_CALL_MS))
        except ClaudeUnavailable as exc:
            # A refusal leaves nothing behind; a lost connection may have left a batch.
            if exc.trouble not in {Trouble.CONNECTION, Trouble.TIMEOUT, Trouble.GARBLED}:
                await self._store.remove(record.id)
            raise
        record = record.model_copy(update={"batch_id": status.id, "expires_s": status.expires_s})
        await self._store.save(record)
        log.info("claude_batch_sent", batch_id=status.id, requests=len(part), bytes=len(body), model=model)
        return record

    async def look(self, record: BatchRecord) -> dict[str, Collected] | None:
        """Ask once: None while the batch runs, else what became of each of its items.

        Raises `ClaudeUnavailable`, also for a record of another provider address or of a key that is not configured.
        """
        found = await self.outcomes(record)
        if found is None:
            return None
        for custom_id in found.keys() - set(record.custom_ids):
            log.warning("claude_batch_result_unknown", batch_id=record.batch_id, custom_id=custom_id)
        return {
            custom_id: _collected(found.get(custom_id, NO_RESULT), record.preset) for custom_id in record.custom_ids
        }

    async def outcomes(self, record: BatchRecord) -> dict[str, Reply | Failure] | None:
        """Ask once: None while the batch runs, else every result that it has, whoever's. Nothing is booked.

        Raises as `look` does.
        """
        key = self._owner(record)
        status = await self._claude.batch(record.batch_id, key, Deadline.after_ms(_CALL_MS))
        if not status.ended:
            return None
        lines = await self._claude.batch_results(record.batch_id, record.model, key, Deadline.after_ms(_CALL_MS))
        # Of two results with one name the first counts.
        return dict(reversed(lines))

    async def collect(self, record: BatchRecord) -> dict[str, Collected]:
        """Look until the batch has ended, 24 hours at most, less and less often. Raises as `look` does."""
        wait_s = _FIRST_POLL_S
        while True:
            found = await self.look(record)
            if found is not None:
                return found
            if self._wall() > record.expires_s + _LONGEST_POLL_S:
                await self.cancel(record)
                late = Collected(Failure(Trouble.EXPIRED, "the provider did not end the batch in its time"))
                return dict.fromkeys(record.custom_ids, late)
            await self._sleep(wait_s * random.uniform(0.8, 1.2))  # noqa: S311  # spreads load, guards nothing
            wait_s = min(_LONGEST_POLL_S, wait_s * 1.5)

    async def cancel(self, record: BatchRecord) -> None:
        """End a batch; `look` then says what had run. Raises `ClaudeUnavailable`."""
        await self._claude.cancel_batch(record.batch_id, self._owner(record), Deadline.after_ms(_CALL_MS))

    async def open(self) -> list[BatchRecord]:
        """Return the records that an earlier process left, oldest first."""
        return await self._store.records()

    async def done(self, record: BatchRecord) -> None:
        """Forget a record whose results the caller has stored."""
        await self._store.remove(record.id)

    def reachable(self, record: BatchRecord) -> bool:
        """Say whether this is the provider, and one of our keys the one, that has the batch."""
        return record.base_url == self._claude.base_url and self._claude.keys.named(record.key) is not None

    def _owner(self, record: BatchRecord) -> Key:
        if record.base_url != self._claude.base_url:
            raise ClaudeUnavailable(Trouble.REQUEST, f"batch {record.batch_id} was sent to {record.base_url}")
        key = self._claude.keys.named(record.key)
        if key is None or not record.batch_id:
            raise ClaudeUnavailable(Trouble.CREDENTIALS, f"no key {record.key} for batch {record.batch_id!r}")
        return key


def _collected(outcome: Reply | Failure, preset: Preset) -> Collected:
    if isinstance(outcome, Failure):
        return Collected(outcome)
    ledger = Ledger(preset)
    ledger.record(outcome)
    return Collected(outcome, ledger.run())
