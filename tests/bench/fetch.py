"""The static fetch tier: pages per second of one core's time, and what ten thousand pages leave in memory.

The site answers from a process of its own, the service runs as users run it, and what counts is the processor time of
the service alone: client and site share this machine's cores with it.
"""

import asyncio
import gzip
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import psutil

ABREAST = 20
PAGES = 3_000
LONG_RUN = 10_000

_ROW = "<article><h2>Bag number {n}</h2><p>Sewn by hand from waxed canvas. <a href='/bag/{n}'>See it</a></p></article>"


def _page(rows: int) -> bytes:
    body = "".join(_ROW.format(n=n) for n in range(rows))
    return f"<!doctype html><html><head><title>Bags</title></head><body><h1>Bags</h1>{body}</body></html>".encode()


SMALL, LARGE = _page(40), _page(800)
SHELL = (
    b"<!doctype html><html><head><title>Bags</title></head><body><div id='root'></div><script>"
    b"document.getElementById('root').innerHTML = '<article><h2>Bag</h2><p>Sewn by hand from waxed canvas.</p>"
    b"</article>'.repeat(40)</script></body></html>"
)


class _Answers(asyncio.Protocol):
    """A site as fast as asyncio allows: `/small…`; packed, `/large…`; `/shell…`, which scripts fill."""

    packed = gzip.compress(LARGE)
    transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        large = b" /large" in data[:20]
        body = self.packed if large else SHELL if b" /shell" in data[:20] else SMALL
        packing = b"content-encoding: gzip\r\n" if large else b""
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\n%bcontent-length: %d\r\n\r\n"
        self.transport.write(head % (packing, len(body)) + body)


def _serve(ports: "Queue[int]") -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(_Answers, "127.0.0.1", 0)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


@contextmanager
def site() -> Iterator[int]:
    """Serve the pages; yield the port."""
    context = multiprocessing.get_context("spawn")
    ports: Queue[int] = context.Queue()
    process = context.Process(target=_serve, args=(ports,), daemon=True)
    process.start()
    try:
        yield ports.get(timeout=30)
    finally:
        process.terminate()
        process.join()


@contextmanager
def renderer(site_port: int) -> Iterator[tuple[str, psutil.Process]]:
    """Run the service with one browser, which nothing here uses."""
    with TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o755)
        settings = {
            "PORT": "0",
            "RENDERER_SLOTS": "1",
            "RENDERER_SCRATCH": scratch,
            "EGRESS_ALLOW_PRIVATE": f"127.0.0.1:{site_port}",
            "LOG_LEVEL": "WARNING",
        }
        command = [sys.executable, "-m", "renderer"]
        with subprocess.Popen(command, env={**os.environ, **settings}, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield process.stdout.readline().split()[-1], psutil.Process(process.pid)
            finally:
                process.terminate()


@dataclass(frozen=True)
class Load:
    """What is asked for, and how often."""

    name: str
    path: str
    kinds: tuple[str, ...]
    pages: int = PAGES


@dataclass(frozen=True)
class Cost:
    """Processor milliseconds of the service per page, pages per second of wall clock, memory in MB at both ends."""

    cpu_ms: float
    rate: float
    before_mb: float
    after_mb: float


async def run(base: str, service: psutil.Process, port: int, load: Load) -> Cost:
    """Fetch the pages, some at a time."""
    numbers = iter(range(load.pages))

    async def worker(client: httpx2.AsyncClient) -> None:
        for number in numbers:
            body: dict[str, Any] = {
                "url": f"http://127.0.0.1:{port}{load.path}{number}",
                "outputs": [{"kind": kind} for kind in load.kinds],
                "max_tier": "static",
            }
            answer = await client.post("/fetch", json=body)
            assert answer.status_code == 200, answer.text

    limits = httpx2.Limits(max_connections=ABREAST)
    async with httpx2.AsyncClient(base_url=base, timeout=60, trust_env=False, limits=limits) as client:
        begun, cpu, memory = time.monotonic(), service.cpu_times(), service.memory_info().rss
        await asyncio.gather(*(worker(client) for _ in range(ABREAST)))
        used = service.cpu_times()
        seconds = time.monotonic() - begun
    cpu_s = used.user + used.system - cpu.user - cpu.system
    after = service.memory_info().rss
    return Cost(cpu_s / load.pages * 1_000, load.pages / seconds, memory / 1e6, after / 1e6)


def report(long_run: int = LONG_RUN) -> list[str]:
    """Measure; return a Markdown table."""
    small, large = f"{len(SMALL) // 1_000} KB", f"{len(LARGE) // 1_000} KB, gzip"
    loads = [
        Load("warm-up", "/small", ("html",), 500),
        Load(f"html, {small}", "/small", ("html",)),
        Load(f"markdown, {small}", "/small", ("markdown",)),
        Load(f"all five documents, {small}", "/small", ("html", "markdown", "text", "links", "metadata")),
        Load(f"html, {large}", "/large", ("html",), PAGES // 3),
        Load(f"html, {small}, {long_run:,} pages", "/small", ("html",), long_run),
    ]
    lines = [
        "### The static fetch tier, over HTTP",
        "",
        "| what | CPU ms/page | pages/s of one core | pages/s here | RSS before → after, MB |",
        "|---|---:|---:|---:|---:|",
    ]
    with site() as port, renderer(port) as (base, service):
        for load in loads:
            cost = asyncio.run(run(base, service, port, load))
            shown = f"{cost.before_mb:.0f} → {cost.after_mb:.0f}"
            lines.append(f"| {load.name} | {cost.cpu_ms:.2f} | {1_000 / cost.cpu_ms:.0f} | {cost.rate:.0f} | {shown} |")
    return [*lines, ""]
