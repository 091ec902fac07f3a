"""Taking a file of URLs through batches to a file of results, from wherever it was left."""

import asyncio
import json
import time
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Protocol

from cro_analyzer.asking import Entry
from cro_analyzer.client import AsyncClient
from cro_analyzer.command import sources
from cro_analyzer.command.runs import Run, State
from cro_analyzer.errors import InvalidRequestError, NotFoundError
from cro_analyzer.flows.batches import set_aside_whole
from cro_analyzer.models.batches import BatchRead, BatchResult, NewResults

_LOOK_S = (0.2, 1.0)
_SAVES = 8
"""Contents that are read at once."""

_ENDINGS = {
    "text/html": "html",
    "text/markdown": "md",
    "text/plain": "txt",
    "application/json": "json",
    "application/pdf": "pdf",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
}


_WHOLE = ("report", "result")
"""What there is of an analysis."""


class Watcher(Protocol):
    """Who is told how far it is."""

    def show(self, state: State, batch: BatchRead | None) -> None:
        """Show how far it is."""
        ...


class BatchRun:
    """One run, from where it is to its end; a cancellation loses nothing."""

    def __init__(self, client: AsyncClient, run: Run, source: Path, save: Path | None, watcher: Watcher) -> None:
        """Begin nothing yet. `save`: where contents go."""
        self._client = client
        self._run = run
        self._source = source
        self._save = save
        self._watcher = watcher
        self._before = run.state.seconds
        self._begun = time.monotonic()

    async def finish(self) -> State:
        """Take every URL to its line; return the final state."""
        while (state := self._run.state).part * state.part_size < state.urls:
            await self._part()
        self._watcher.show(self._run.state, None)
        return self._run.state

    async def _part(self) -> None:
        if not self._run.state.batch_id:
            await self._submit()
        if not self._run.state.batch_id:
            return
        pause_s = _LOOK_S[0]
        while True:
            news = await self._client.batches.look(self._run.state.batch_id, self._run.state.bookmark)
            await self._take(news)
            self._watcher.show(self._run.state, news.batch)
            if news.complete:
                return
            pause_s = _LOOK_S[0] if news.results else min(_LOOK_S[1], pause_s * 2)
            if not news.more:
                await asyncio.sleep(pause_s)

    async def _submit(self) -> None:
        """Send the next part. Its key is that of the run: after a crash, the same batch is found again."""
        state = self._run.state
        urls = list(islice(sources.entries(self._source, state.part * state.part_size), state.part_size))
        try:
            batch = await self._made(urls)
        except InvalidRequestError as error:
            refused = set_aside_whole(error, urls)
            onward = replace(state, part=state.part + 1, seconds=self._seconds())
            self._run.write(_lines(refused, {}), onward.counted(refused))
            return
        refused = [one async for one in self._client.batches.set_aside(batch.id)] if batch.counts.rejected else []
        onward = replace(state, batch_id=batch.id, cursor=None, told=[], seconds=self._seconds())
        self._run.write(_lines(refused, {}), onward.counted(refused))

    async def _made(self, urls: list[str | Entry]) -> BatchRead:
        state = self._run.state
        order = state.order
        return await self._client.batches.create(
            urls,
            kind="capture" if order["kind"] == "capture" else "analysis",
            options=order["options"] if isinstance(order["options"], dict) else None,
            concurrency=order["concurrency"] if isinstance(order["concurrency"], int) else None,
            max_cost_usd=order["max_cost"] if isinstance(order["max_cost"], str) else None,
            idempotency_key=f"cro-{state.run_id}-{state.part}",
        )

    async def _take(self, news: NewResults) -> None:
        state = self._run.state
        if not news.results and not news.complete and news.bookmark == state.bookmark:
            return
        files = await self._saved(news.results)
        cost = Decimal(state.cost) + sum((one.cost for one in news.results), Decimal(0))
        onward = replace(state.counted(news.results).at(news.bookmark), cost=str(cost), seconds=self._seconds())
        if news.complete:
            onward = replace(onward, part=state.part + 1, batch_id="", cursor=None, told=[])
        self._run.write(_lines(news.results, files), onward)

    def _seconds(self) -> float:
        return self._before + time.monotonic() - self._begun

    async def _saved(self, results: list[BatchResult]) -> dict[str, dict[str, str]]:
        if self._save is None:
            return {}
        turn = asyncio.Semaphore(_SAVES)
        wanted = [(one, name) for one in results if one.ok for name in _contents(one)]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._saved_one(turn, one, name, self._save)) for one, name in wanted]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        files: dict[str, dict[str, str]] = {}
        for (one, name), task in zip(wanted, tasks, strict=True):
            if path := task.result():
                files.setdefault(one.id, {})[name] = path
        return files

    async def _saved_one(self, turn: asyncio.Semaphore, one: BatchResult, name: str, folder: Path) -> str:
        async with turn:
            try:
                data, ending = await self._content(one, name)
            except NotFoundError:  # deleted since
                return ""
            part = "" if name in _WHOLE else f".{name}"
            path = folder / f"{one.id}{part}.{ending}"
            await asyncio.to_thread(path.write_bytes, data)
            return str(path)

    async def _content(self, one: BatchResult, name: str) -> tuple[bytes, str]:
        if name == "report":
            return (await self._client.analyses.report(one.id)).encode(), "html"
        if name == "result":
            return await self._client.analyses.document(one.id), "json"
        kind = one.artifacts[name].content_type.partition(";")[0].strip()
        return await self._client.captures.content(one.id, name), _ENDINGS.get(kind, "bin")


def _contents(one: BatchResult) -> Iterable[str]:
    """Name what there is to save: a capture's artifacts, an analysis's report and document."""
    return _WHOLE if one.id.startswith("an_") else one.artifacts


def _lines(results: Iterable[BatchResult], files: dict[str, dict[str, str]]) -> list[str]:
    return [
        json.dumps({**one.raw, **({"files": files[one.id]} if one.id in files else {})}, separators=(",", ":"))
        for one in results
    ]
