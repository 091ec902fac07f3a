"""The gateway under load, with made-up renderer and analyzer: `python -m tests.bench.gateway_load [--full] [part …]`.

Real processes on PostgreSQL and Redis; the client shares their CPUs. Parts: reads, accept, overload, wakeups.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil
import uvicorn
from fastapi import FastAPI, Response
from sqlalchemy import func, select

from contracts.render import RenderRequest
from gateway.db import Database
from gateway.migrate import migrate
from gateway.tables import jobs
from runtime import logging
from tests.bench.hose import Samples, flat_out, request, steady
from tests.fixtures.fleet import Fleet, served
from tests.fixtures.postgres import running_postgres
from tests.fixtures.programs import Program, running
from tests.fixtures.redis import running_redis

LINES = 200
ACCEPT_PER_S = 300
JOB = json.dumps({"url": "https://shop.test/", "preset": "rules", "refresh": True}).encode()
"""Each makes a job of its own: identical requests would share one."""
_JSON = {"content-type": "application/json"}
WORKERS = 8
"""Jobs in progress in the one worker of the overload: with renders of 0.2 s it does about forty a second at most."""


@dataclass(frozen=True)
class Bench:
    """Running servers, and the environment of a gateway's processes."""

    environment: dict[str, str]
    database_url: str
    folder: Path

    def program(self, command: str, **changes: str) -> AbstractContextManager[Program]:
        return running(command, {**self.environment, **changes})


@contextmanager
def bench(fleet: Fleet) -> Iterator[Bench]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = stack.enter_context(running_postgres())
        redis = stack.enter_context(running_redis())
        url = postgres.create_database()
        # It has a loop of its own, and so have the callers of this.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(migrate, url).result()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        environment = {
            "DATABASE_URL": url,
            "REDIS_URL": redis.url,
            "BLOBS_URL": f"file://{folder / 'blobs'}",
            "BLOBS_SECRET": "0123456789abcdef0123456789abcdef",
            "BLOBS_BASE_URL": f"http://127.0.0.1:{port}",
            "RENDERER_URL": stack.enter_context(served(fleet.renderer())),
            "ANALYZER_URL": stack.enter_context(served(fleet.analyzer())),
            "EGRESS_ALLOW_PRIVATE": "shop.test",
            "LOG_LEVEL": "ERROR",
            "PORT": str(port),
            "SHUTDOWN_GRACE_SECONDS": "0",
            "QUEUE_LIMIT": "1000000",
        }
        yield Bench(environment, url, folder)


async def rows(url: str) -> int:
    db = Database(url)
    async with db.read() as connection:
        found: int = (await connection.execute(select(func.count()).select_from(jobs))).scalar_one()
    await db.aclose()
    return found


def _line(name: str, samples: Samples, seconds: float) -> str:
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(samples.statuses().items()))
    rate = len(samples.all) / seconds
    cuts = " | ".join(f"{samples.cut(percent):.0f}" for percent in (50, 95, 99))
    return f"| {name} | {rate:.0f} | {cuts} | {statuses} |"


_HEAD = ["| what | requests/s | p50 ms | p95 ms | p99 ms | answers |", "|---|---:|---:|---:|---:|---|"]


def _serve_bare(listener: socket.socket, answer: bytes) -> None:
    app = FastAPI()

    @app.get("/v1/analyses/{analysis_id}")
    async def show(analysis_id: str) -> Response:
        return Response(answer, media_type="application/json")

    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")).run([listener])


async def reads(seconds: float) -> list[str]:
    """A finished result, read over 200 connections, beside a bare route that returns the same bytes; in turns."""
    with ExitStack() as stack:
        made = stack.enter_context(bench(Fleet()))
        api = stack.enter_context(made.program("api"))
        stack.enter_context(made.program("worker"))
        async with httpx2.AsyncClient(base_url=api.origin, trust_env=False, timeout=60) as http:
            answer = await http.post("/v1/analyses", content=JOB, headers={**_JSON, "prefer": "wait=30"})
            document = (await http.get(f"/v1/analyses/{answer.json()['id']}")).content
        message = request("GET", f"/v1/analyses/{answer.json()['id']}")
        listener = socket.create_server(("127.0.0.1", 0), backlog=1_024)
        bare = multiprocessing.get_context("fork").Process(target=_serve_bare, args=(listener, document))
        bare.start()
        rates: dict[str, list[float]] = {"bare": [], "gateway": []}
        costs: dict[str, list[float]] = {"bare": [], "gateway": []}
        servers = {"bare": psutil.Process(bare.pid), "gateway": psutil.Process(api.process.pid)}
        lines = []
        for turn in range(4):
            for name, port in (("bare", listener.getsockname()[1]), ("gateway", api.port)):
                spent = _cpu_s(servers[name])
                samples = await flat_out(port, message, seconds / 4, LINES)
                spent = _cpu_s(servers[name]) - spent
                if turn:
                    costs[name].append(spent / len(samples.all) * 1_000)
                    rates[name].append(len(samples.all) / (seconds / 4))
                    lines.append(_line(f"{name}, {len(document)} bytes", samples, seconds / 4))
        bare.terminate()
        bare.join()
        listener.close()
        calm = await steady(
            api.port, itertools.repeat(message), statistics.median(rates["gateway"]) / 2, seconds, LINES
        )
    ratio = statistics.median(rates["gateway"]) / statistics.median(rates["bare"])
    calm_line = _line("gateway at half of its ceiling", calm, seconds)
    bare_ms, our_ms = (statistics.median(costs[name]) for name in ("bare", "gateway"))
    verdict = (
        f"Ratio of requests/s {ratio:.2f}; of server CPU {bare_ms / our_ms:.2f} ({bare_ms:.3f} and {our_ms:.3f} ms)"
    )
    return ["### Reading a finished result", "", *_HEAD, *lines, calm_line, "", verdict, ""]


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


async def accept(seconds: float) -> list[str]:
    """300 submissions a second over 200 connections; every accepted one must be a row."""
    with ExitStack() as stack:
        made = stack.enter_context(bench(Fleet()))
        workers = os.environ.get("BENCH_WORKERS", "1")
        api = stack.enter_context(made.program("api", WORKERS=workers))
        message = request("POST", "/v1/analyses", JOB)
        await steady(api.port, itertools.repeat(message), 50, 2, 10)
        before = await rows(made.database_url)
        begun = time.perf_counter()
        samples = await steady(api.port, itertools.repeat(message), ACCEPT_PER_S, seconds, LINES)
        took = time.perf_counter() - begun
        found = await rows(made.database_url) - before
    accepted = samples.statuses()[202]
    verdict = f"{accepted} accepted, {found} rows, API processes: {workers}"
    return ["### Accepting", "", *_HEAD, _line("submissions", samples, took), "", verdict, ""]


async def overload(seconds: float) -> list[str]:
    """Five times what the worker does; refusals, goodput, and how soon it is over."""

    async def render_time(_: RenderRequest) -> None:
        await asyncio.sleep(0.2)

    with ExitStack() as stack:
        made = stack.enter_context(bench(Fleet(before_render=render_time)))
        api = stack.enter_context(made.program("api", QUEUE_LIMIT="100"))
        stack.enter_context(made.program("worker", WORKER_CONCURRENCY=str(WORKERS)))
        message = request("POST", "/v1/analyses", JOB)
        db = Database(made.database_url)

        async def done() -> int:
            async with db.read() as connection:
                statement = select(func.count()).select_from(jobs).where(jobs.c.finished_at.is_not(None))
                found: int = (await connection.execute(statement)).scalar_one()
            return found

        peak = await _peak(api.port, message, done)
        before = await done()
        begun = time.perf_counter()
        samples = await steady(api.port, itertools.repeat(message), 5 * peak, seconds, LINES)
        goodput = (await done() - before) / (time.perf_counter() - begun)
        over = time.perf_counter()
        probes = await _recovered(api.port, message)
        recovery = time.perf_counter() - over
        await db.aclose()
    hints = [one.retry_after_s for one in samples.all if one.status == 503]  # HTTP's own
    return [
        "### Overload, five times what is done",
        "",
        *_HEAD,
        _line("submissions", samples, seconds),
        "",
        (
            f"Peak {peak:.1f} jobs/s, under overload {goodput:.1f} ({goodput / peak:.0%}). Refusals p50 "
            f"{samples.cut(50, 503):.0f} ms, p99 {samples.cut(99, 503):.0f} ms; Retry-After "
            f"{min(hints, default=0):.0f} to {max(hints, default=0):.0f} s, on all: {all(hints)}. "
            f"Accepting again {recovery:.1f} s after it ended ({probes} tries)."
        ),
        "",
    ]


async def _peak(port: int, message: bytes, done: Callable[[], Awaitable[int]]) -> float:
    """Return jobs a second with a queue that is never empty and never full."""
    filled = await flat_out(port, message, 1, 4)
    while filled.statuses()[503] == 0 and len(filled.all) < 95:  # below the queue's limit
        filled.all += (await flat_out(port, message, 0.2, 4)).all
    await asyncio.sleep(1)
    before, begun = await done(), time.perf_counter()
    while time.perf_counter() - begun < 8:  # seconds
        await flat_out(port, message, 0.2, 4)
        await asyncio.sleep(0.3)
    return (await done() - before) / (time.perf_counter() - begun)


async def _recovered(port: int, message: bytes) -> int:
    for tries in itertools.count(1):
        samples = await flat_out(port, message, 0.01, 1)
        if samples.statuses()[202]:
            return tries
        await asyncio.sleep(0.5)
    raise AssertionError


async def wakeups(count: int) -> list[str]:
    """From the sending of a submission to the renderer's hearing of it, API and worker in processes of their own."""
    heard: asyncio.Queue[float] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    async def note(_: RenderRequest) -> None:
        now = time.perf_counter()
        loop.call_soon_threadsafe(heard.put_nowait, now)

    taken: dict[str, list[float]] = {}
    for name, redis in (("Redis", None), ("polling each second, without", "")):
        with ExitStack() as stack:
            made = stack.enter_context(bench(Fleet(before_render=note)))
            changes = {} if redis is None else {"REDIS_URL": redis}
            api = stack.enter_context(made.program("api", **changes))
            stack.enter_context(made.program("worker", **changes))
            async with httpx2.AsyncClient(base_url=api.origin, trust_env=False, timeout=60) as http:
                taken[name] = []
                for _ in range(count):
                    await asyncio.sleep(0.25)
                    begun = time.perf_counter()
                    await http.post("/v1/analyses", content=JOB, headers=_JSON)
                    taken[name].append((await heard.get() - begun) * 1_000)
    lines = ["| wake-ups by | p50 ms | p95 ms |", "|---|---:|---:|"]
    for name, values in taken.items():
        cuts = statistics.quantiles(values, n=20)
        lines.append(f"| {name} | {cuts[9]:.1f} | {cuts[18]:.1f} |")
    return ["### From submission to render, two processes", "", *lines, ""]


async def report(*, full: bool, parts: list[str]) -> list[str]:
    """Measure the named parts, or all."""
    kinds: dict[str, Callable[[], Awaitable[list[str]]]] = {
        "reads": lambda: reads(40 if full else 12),
        "accept": lambda: accept(60 if full else 10),
        "overload": lambda: overload(120 if full else 20),
        "wakeups": lambda: wakeups(100 if full else 20),
    }
    return [line for name in parts or list(kinds) for line in await kinds[name]()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="as long as the figures in the documentation")
    parser.add_argument("part", nargs="*", choices=[[], "reads", "accept", "overload", "wakeups"])
    arguments = parser.parse_args()
    # The fleet of each part still works when its gateway ends, and would say so at length.
    logging.configure("bench", "CRITICAL")
    print("\n".join(asyncio.run(report(full=arguments.full, parts=arguments.part))))


if __name__ == "__main__":
    main()
