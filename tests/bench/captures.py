"""Viewport JPEGs a second on six real pages: launch per request, bare Playwright, our renderer over HTTP."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from tests.bench import ceiling
from tests.bench.contenders import Contender, bare, cpu_seconds, launch_per_request, renderer
from tests.fixtures import pages

MIN_BYTES = 10_000


@dataclass
class Cell:
    """Figures of one contender at one concurrency, one entry for each repeat."""

    pages_per_s: list[float] = field(default_factory=list)
    cpu_per_page: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p95: list[float] = field(default_factory=list)
    errors: int = 0


async def _run(contender: Contender, urls: list[str], in_flight: int, requests: int, cell: Cell) -> None:
    queue = iter(itertools.islice(itertools.cycle(urls), requests))
    seconds: list[float] = []

    async def client() -> None:
        for url in queue:
            begun = time.perf_counter()
            picture = await contender.shoot(url)
            cell.errors += len(picture) < MIN_BYTES
            seconds.append(time.perf_counter() - begun)

    cpu, begun = cpu_seconds(contender.pid), time.perf_counter()
    await asyncio.gather(*(client() for _ in range(in_flight)))
    wall = time.perf_counter() - begun
    cell.pages_per_s.append(requests / wall)
    cell.cpu_per_page.append((cpu_seconds(contender.pid) - cpu) / requests)
    cell.p50.append(statistics.median(seconds))
    cell.p95.append(sorted(seconds)[int(len(seconds) * 0.95) - 1])


async def _measure(
    opening: AbstractAsyncContextManager[Contender],
    urls: list[str],
    in_flight: int,
    requests: int,
    cells: dict[str, Cell],
) -> None:
    async with opening as contender:
        await asyncio.gather(*(contender.shoot(url) for url in urls[:in_flight]))
        await _run(contender, urls, in_flight, requests, cells.setdefault(contender.name, Cell()))


def _row(name: str, cell: Cell, base: Cell) -> str:
    rate, cpu = statistics.median(cell.pages_per_s), statistics.median(cell.cpu_per_page)
    ratios = [ours / theirs for ours, theirs in zip(cell.pages_per_s, base.pages_per_s, strict=True)]
    ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
    cpu_ratio = cpu / statistics.median(base.cpu_per_page)
    times = f"{statistics.median(cell.p50):.2f} / {statistics.median(cell.p95):.2f}"
    return f"| {name} | {rate:.2f} | {ratio} | {times} | {cpu:.2f} | {cpu_ratio:.2f} | {cell.errors} |"


async def compare(in_flight: int, repeats: int, requests: int) -> list[str]:
    """Measure the old way, bare Playwright and our renderer in turn; return the table's lines."""
    few = max(requests // 5, in_flight * 2)

    def contenders(host: str) -> list[tuple[AbstractAsyncContextManager[Contender], int]]:
        return [
            (bare(), requests),
            (renderer(host, min(in_flight, 4), in_flight), requests),
            (launch_per_request(), few),
        ]

    title = f"### Viewport JPEG, {in_flight} in flight ({repeats} interleaved repeats of {requests})"
    return [title, "", *await _table(contenders, in_flight, repeats)]


async def layers(in_flight: int, repeats: int, requests: int) -> list[str]:
    """Measure what each layer of the renderer costs; return the table's lines."""

    def contenders(host: str) -> list[tuple[AbstractAsyncContextManager[Contender], int]]:
        steps = [ceiling.contender(step, host) for step in ceiling.ladder(in_flight)]
        return [(opening, requests) for opening in (bare(), *steps, renderer(host, in_flight, in_flight))]

    title = f"### What each layer costs, {in_flight} in flight ({repeats} interleaved repeats of {requests})"
    return [title, "", *await _table(contenders, in_flight, repeats)]


async def _table(
    contenders: Callable[[str], list[tuple[AbstractAsyncContextManager[Contender], int]]], in_flight: int, repeats: int
) -> list[str]:
    for name in pages.PACKAGES:
        pages.fetch(name)
    server = pages.serve(pages.CACHE)
    host = f"127.0.0.1:{server.server_port}"
    urls = [f"http://{host}/{name}/index.html" for name in pages.PACKAGES]
    cells: dict[str, Cell] = {}
    for _ in range(repeats):
        for opening, requests in contenders(host):
            await _measure(opening, urls, in_flight, requests, cells)
    server.shutdown()
    server.server_close()
    base = cells["bare Playwright"]
    head = [
        "| contender | pages/s | ratio to bare (min–max) | p50 / p95 s | CPU-s/page | CPU ratio | errors |",
        "|---|---|---|---|---|---|---|",
    ]
    return [*head, *(_row(name, cell, base) for name, cell in cells.items()), ""]
