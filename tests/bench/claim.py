"""How fast the queue is: `python -m tests.bench.claim [--rows 100000]`.

Claim: one job by one worker, transaction included, with many jobs of 200 tenants queued.
Enqueue to claim: from before the insert until a worker in the same process holds the job, everything else idle.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert

from contracts.analyze import Preset
from contracts.errors import ErrorCode
from gateway.blobs.files import open_files
from gateway.db import Database
from gateway.hints import QUEUE, LocalHints
from gateway.jobs import intake, leases, outcomes
from gateway.jobs.states import Claimed, NewJob, Priority, Stage, State
from gateway.migrate import migrate
from gateway.pipeline import Ports
from gateway.settings import GatewaySettings
from gateway.tables import jobs
from gateway.times import now_plus
from gateway.worker import Worker
from runtime import logging
from runtime.client import ServiceClient
from runtime.errors import ServiceError
from tests.fixtures.postgres import running_postgres

LEASE = timedelta(seconds=30)
TENANTS = 200
CHUNK = 5_000
CLAIMS = 500
PINGS = 200


async def fill(db: Database, rows: int) -> None:
    """Queue `rows` jobs of 200 tenants, in the order that fair queueing gives them."""
    for start in range(0, rows, CHUNK):
        chunk = [
            {
                "id": f"an_{number:032x}",
                "tenant_id": f"t{number % TENANTS}",
                "kind": "analysis",
                "url": f"https://shop.test/{number}",
                "preset": Preset.RULES,
                "priority": int(Priority.BATCH),
                "order_key": float(number // TENANTS),
                "state": State.QUEUED,
                "stage": Stage.RENDER,
            }
            for number in range(start, min(start + CHUNK, rows))
        ]
        async with db.begin() as connection:
            statement = insert(jobs).values(run_at=now_plus(timedelta(minutes=-1)), created_at=now_plus())
            await connection.execute(statement, chunk)


async def claims(db: Database) -> list[float]:
    """Return milliseconds of claims one by one."""
    taken: list[float] = []
    for _ in range(CLAIMS):
        begun = time.perf_counter()
        async with db.once() as connection:
            assert await leases.claim(connection, "bench", 1, LEASE)
        taken.append((time.perf_counter() - begun) * 1_000)
    return taken


async def enqueues(db: Database) -> list[float]:
    """Return milliseconds of fair enqueues one by one."""
    taken: list[float] = []
    for number in range(CLAIMS):
        begun = time.perf_counter()
        async with db.begin() as connection:
            await intake.enqueue(connection, NewJob(f"t{number % 7}", "https://shop.test/", Preset.RULES))
        taken.append((time.perf_counter() - begun) * 1_000)
    return taken


async def wake_ups(db: Database, folder: Path) -> list[float]:
    """Return milliseconds from before the insert until an idle worker holds the job."""
    hints = LocalHints()
    blobs = open_files(f"file://{folder}", "http://bench.test", "")
    taken: list[float] = []
    claimed = asyncio.Event()

    async def note(job: Claimed) -> None:
        taken.append((time.perf_counter() - begun) * 1_000)
        async with db.begin() as connection:
            await outcomes.fail(connection, job, ServiceError(ErrorCode.INTERNAL, "Measured."))
        claimed.set()

    async with ServiceClient("none", "http://127.0.0.1:1") as client:
        worker = Worker(db, Ports(client, client, blobs), hints, GatewaySettings())
        worker._attempts.work = note  # type: ignore[method-assign]
        task = asyncio.create_task(worker.run())
        for _ in range(PINGS):
            await asyncio.sleep(0.05)  # the worker is idle again
            claimed.clear()
            begun = time.perf_counter()
            async with db.begin() as connection:
                await intake.enqueue(connection, NewJob("local", "https://shop.test/", Preset.RULES))
            await hints.notify(QUEUE)
            await claimed.wait()
        worker.stop()
        await task
    return taken


async def measure(full_url: str, empty_url: str, rows: int) -> dict[str, list[float]]:
    """Return what was measured on one kind of database, in milliseconds."""
    for url in (full_url, empty_url):
        await asyncio.to_thread(migrate, url)
    full, empty = Database(full_url), Database(empty_url)
    await fill(full, rows)
    with tempfile.TemporaryDirectory() as folder:
        figures = {
            f"claim, {rows:,} queued": await claims(full),
            f"enqueue, {rows:,} queued": await enqueues(full),
            "enqueue to claim, idle": await wake_ups(empty, Path(folder)),
        }
    await full.aclose()
    await empty.aclose()
    return figures


async def report(rows: int = 100_000) -> list[str]:
    """Measure both databases; return a Markdown table."""
    lines = ["| queue | database | p50 ms | p95 ms | p99 ms |", "|---|---|---:|---:|---:|"]
    with running_postgres() as server, tempfile.TemporaryDirectory() as folder:
        files = [f"sqlite+aiosqlite:///{folder}/{name}.db" for name in ("full", "empty")]
        servers = [server.create_database(), server.create_database()]
        for name, (full, empty) in (("PostgreSQL 18", servers), ("SQLite", files)):
            for what, taken in (await measure(full, empty, rows)).items():
                cuts = statistics.quantiles(taken, n=100)
                lines.append(f"| {what} | {name} | {cuts[49]:.2f} | {cuts[94]:.2f} | {cuts[98]:.2f} |")
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    logging.configure("bench", "WARNING")
    print("\n".join(asyncio.run(report(rows))))


if __name__ == "__main__":
    main()
