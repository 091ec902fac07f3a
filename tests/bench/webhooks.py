"""How fast events reach their receivers: `python -m tests.bench.webhooks [--events 10000] [--rate 100]`.

Ten receivers, one of which never answers. Events are written at a steady rate, in turn for each receiver, as the end of
a job writes them. Latency: from before that commit until the receiver has read the request. Database, courier and
receivers share the CPUs.
"""

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from gateway.db import Database
from gateway.deliveries import records
from gateway.deliveries.courier import Courier
from gateway.deliveries.signing import new_secret
from gateway.hints import DELIVERIES, LocalHints
from gateway.migrate import migrate
from gateway.outbox import announce
from gateway.outbox.announce import Recipient
from gateway.outbox.events import TestEvent
from gateway.settings import GatewaySettings
from gateway.webhooks import store
from runtime import logging
from runtime.ids import new_id
from tests.fixtures.postgres import running_postgres
from tests.fixtures.receiver import Receiver, is_silent, receiving

RECEIVERS = 10


@dataclass
class Stage:
    """A database, a courier at work, and receivers of which the first hangs."""

    db: Database
    hints: LocalHints
    receivers: list[Receiver]
    endpoints: list[str]


@contextlib.asynccontextmanager
async def staged(url: str) -> AsyncIterator[Stage]:
    await asyncio.to_thread(migrate, url)
    db, hints = Database(url), LocalHints()
    async with contextlib.AsyncExitStack() as stack:
        receivers = [await stack.enter_async_context(receiving()) for _ in range(RECEIVERS)]
        receivers[0].answer = is_silent
        endpoints = [await _endpoint(db, one.url) for one in receivers]
        settings = GatewaySettings(egress_allow_private=",".join(one.host for one in receivers))
        courier = Courier("bench", db, hints, settings)
        running = asyncio.create_task(courier.run())
        yield Stage(db, hints, receivers, endpoints)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await db.aclose()


async def _endpoint(db: Database, url: str) -> str:
    async with db.begin() as connection:
        values = {"url": url, "events": None, "description": "", "concurrency": 5}
        endpoint_id = await store.add(connection, "local", values)
        await records.keep_secret(connection, "local", endpoint_id, new_secret())
    return endpoint_id


async def measure(url: str, events: int, rate: float) -> tuple[list[float], float, int]:
    """Return seconds from commit to healthy receivers, events offered a second, and requests to the hanging one."""
    written: dict[str, float] = {}
    read: dict[str, float] = {}
    async with staged(url) as stage:
        tasks = [asyncio.create_task(_note(one, read)) for one in stage.receivers[1:]]
        begun = time.perf_counter()
        for number in range(events):
            await asyncio.sleep(max(0, begun + number / rate - time.perf_counter()))
            target = number % RECEIVERS
            event_id = new_id("evt")
            if target:
                written[event_id] = time.perf_counter()
            event = TestEvent(event_id=event_id, timestamp="2026-11-21T12:00:00Z", endpoint_id=stage.endpoints[target])
            async with stage.db.begin() as connection:
                await announce.announce(connection, "local", event, [Recipient(stage.endpoints[target], None)])
            await stage.hints.notify(DELIVERIES)
        offered = events / (time.perf_counter() - begun)
        async with asyncio.timeout(120):
            while len(read) < len(written):
                await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        hanging = len(stage.receivers[0].got)
    return [read[event_id] - moment for event_id, moment in written.items()], offered, hanging


async def _note(receiver: Receiver, read: dict[str, float]) -> None:
    while True:
        got = await receiver.arrived.get()
        read.setdefault(got.headers["webhook-id"], time.perf_counter())


async def table(events: int, rate: float) -> list[str]:
    """Measure both databases; return a Markdown table."""
    lines = [
        "### Webhooks: ten receivers, one of which hangs",
        "",
        "| database | events | offered/s | healthy p50 s | p95 s | p99 s | requests to the hanging one |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    with running_postgres() as server, tempfile.TemporaryDirectory() as folder:
        for name, url in (
            ("PostgreSQL 18", server.create_database()),
            ("SQLite", f"sqlite+aiosqlite:///{folder}/cro.db"),
        ):
            taken, offered, hanging = await measure(url, events, rate)
            cuts = statistics.quantiles(taken, n=100)
            cells = f"{cuts[49]:.2f} | {cuts[94]:.2f} | {cuts[98]:.2f}"
            lines.append(f"| {name} | {events:,} | {offered:.0f} | {cells} | {hanging} |")
    return [*lines, ""]


def report() -> list[str]:
    """Measure the short form: 1,500 events."""
    return asyncio.run(table(1_500, 50))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=100)
    chosen = parser.parse_args()
    logging.configure("bench", "ERROR")
    print("\n".join(asyncio.run(table(chosen.events, chosen.rate))))


if __name__ == "__main__":
    main()
