"""What 1,000 waiting clients cost one API process: `python -m tests.bench.waiting [--clients 1000]`.

Half of them wait with `?wait=`, half hold an event stream, each for a job of its own that nobody works on. While they
wait, one more client reads a status again and again. Then every job is cancelled, and the time until the last of the
waiting has its answer is taken. The API is a process of its own on real sockets; so is the client.
"""

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx2
import psutil

from contracts.analyze import Preset
from gateway.db import Database
from gateway.jobs import intake, outcomes
from gateway.jobs.states import Kind, NewJob
from gateway.migrate import migrate
from runtime import logging
from tests.fixtures.postgres import running_postgres

CLIENTS = 1_000
READS = 500
TENANT = "local"


@contextmanager
def api(database_url: str, folder: Path, streams: int) -> Iterator[tuple[str, int, psutil.Process]]:
    """Run `python -m gateway api`; give its host, port and process."""
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "BLOBS_URL": f"file://{folder}/blobs",
        "EVENTS_PER_TENANT": str(streams),
        "PORT": "0",
        "LOG_LEVEL": "WARNING",
        "DRAIN_SECONDS": "1",
    }
    command = [sys.executable, "-m", "gateway", "api"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = line.split("http://")[1].split()[0]
        host, _, port = address.rpartition(":")
        try:
            yield host, int(port), psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()


async def waiter(host: str, port: int, path: str, ready: asyncio.Semaphore) -> float:
    """Send one GET over a plain socket; return when its answer was complete."""
    reader, writer = await asyncio.open_connection(host, port)
    head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode())
    await writer.drain()
    ready.release()
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
    assert b"cancelled" in answer
    return time.perf_counter()


async def reads(base: str, path: str) -> list[float]:
    """Return milliseconds of status reads one after the other."""
    taken = []
    async with httpx2.AsyncClient(base_url=base, trust_env=False, timeout=30) as http:
        for _ in range(READS):
            begun = time.perf_counter()
            assert (await http.get(path)).status_code == 200
            taken.append((time.perf_counter() - begun) * 1_000)
    return taken


async def made(db: Database, number: int) -> list[str]:
    """Queue jobs that nobody will work on."""
    async with db.begin() as connection:
        return [
            await intake.enqueue(connection, NewJob(TENANT, f"https://shop.test/{n}", Preset.RULES))
            for n in range(number)
        ]


async def ended(db: Database, ids: list[str]) -> float:
    """Cancel them behind the API's back, so that no hint helps; return when that was done."""
    async with db.begin() as connection:
        for job_id in ids:
            await outcomes.cancel(connection, Kind.ANALYSIS, TENANT, job_id)
    return time.perf_counter()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    db = Database(url)
    yield db
    await db.aclose()


async def measure(url: str, folder: Path, clients: int) -> list[str]:
    """Return the cells of one row of the table."""
    with api(url, folder, clients) as (host, port, process):
        async with opened(url) as db:
            ids = await made(db, clients)
            base = f"http://{host}:{port}"
            idle = await reads(base, f"/v1/analyses/{ids[0]}")
            before = process.memory_full_info().uss
            ready = asyncio.Semaphore(0)
            tails = ["?wait=120", "/events"]
            tasks = [
                asyncio.create_task(waiter(host, port, f"/v1/analyses/{job_id}{tails[number % 2]}", ready))
                for number, job_id in enumerate(ids)
            ]
            for _ in ids:
                await ready.acquire()
            await asyncio.sleep(3)
            cpu = sum(process.cpu_times()[:2])
            begun = time.perf_counter()
            await asyncio.sleep(5)
            share = (sum(process.cpu_times()[:2]) - cpu) / (time.perf_counter() - begun)
            grown = process.memory_full_info().uss - before
            busy = await reads(base, f"/v1/analyses/{ids[0]}")
            done = await ended(db, ids)
            last = max(await asyncio.gather(*tasks)) - done
    cuts = [statistics.quantiles(taken, n=100) for taken in (idle, busy)]
    return [
        f"{grown / 2**20:.0f} MiB ({grown / clients / 1_024:.0f} KiB each)",
        f"{share:.0%}",
        f"{cuts[0][49]:.1f} / {cuts[0][98]:.1f}",
        f"{cuts[1][49]:.1f} / {cuts[1][98]:.1f}",
        f"{last:.2f}",
    ]


def report(clients: int = CLIENTS) -> list[str]:
    """Measure both databases; return a Markdown table."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    columns = (
        "database",
        "memory grown",
        "CPU of one core while they wait",
        "status read, nobody waits: p50 / p99 ms",
        "while they wait: p50 / p99 ms",
        "last answer after the end of all, s",
    )
    title = f"### {clients:,} waiting clients on one process"
    lines = [title, "", f"| {' | '.join(columns)} |", f"|---|{'---:|' * (len(columns) - 1)}"]
    with running_postgres() as server, tempfile.TemporaryDirectory() as folder:
        urls = {"PostgreSQL 18": server.create_database(), "SQLite": f"sqlite+aiosqlite:///{folder}/cro.db"}
        for name, url in urls.items():
            migrate(url)
            lines.append(f"| {name} | {' | '.join(asyncio.run(measure(url, Path(folder), clients)))} |")
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    clients = parser.parse_args().clients
    logging.configure("bench", "WARNING")
    print("\n".join(report(clients)))


if __name__ == "__main__":
    main()
