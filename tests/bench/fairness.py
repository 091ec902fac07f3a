"""What a small tenant notices of a big one: `python -m tests.bench.fairness [--seconds 40]`.

One gateway with keys, one worker of four places, a made-up fleet whose renders take half a second to one and a half:
with all of one length the places would become free all at once, which real pages never do. Tenant B asks for one page
after another and waits for each; first alone, then while tenant A keeps fifty times as many unfinished. No plan caps A,
so this is the queue's order alone; a second run gives A the cap of a plan.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
from pydantic import SecretStr
from sqlalchemy import func, select

from contracts.render import RenderRequest
from gateway.access.plans import Plan
from gateway.app import create_app
from gateway.hints import LocalHints
from gateway.migrate import migrate
from gateway.pipeline import Ports
from gateway.settings import GatewaySettings
from gateway.tables import jobs
from gateway.wiring import Parts
from runtime import logging
from runtime.client import ServiceClient
from tests.fixtures.accounts import PEPPER, Account, account
from tests.fixtures.fleet import Fleet
from tests.fixtures.gateway import BASE, Platform
from tests.fixtures.postgres import running_postgres

RENDER_S = 0.5, 1.5
PLACES = 4
BIG = 50
CAP = 8


@asynccontextmanager
async def running(url: str, folder: Path) -> AsyncIterator[Platform]:
    settings = GatewaySettings(
        database_url=url,
        blobs_url=f"file://{folder}",
        blobs_base_url=BASE,
        api_key_pepper=SecretStr(PEPPER),
        worker_concurrency=PLACES,
    )
    app = create_app(settings, hints=LocalHints())

    chosen = random.Random(1)

    async def slow(_: RenderRequest) -> None:
        await asyncio.sleep(chosen.uniform(*RENDER_S))

    async with AsyncExitStack() as stack:
        to_app = httpx2.ASGITransport(app=app)
        fleet = Fleet(before_render=slow, uploads_over=to_app)
        clients = [
            await stack.enter_async_context(ServiceClient(name, BASE, httpx2.ASGITransport(app=service)))
            for name, service in (("renderer", fleet.renderer()), ("analyzer", fleet.analyzer()))
        ]
        http = await stack.enter_async_context(httpx2.AsyncClient(transport=to_app, base_url=BASE, trust_env=False))
        parts: Parts = app.state.parts
        platform = Platform(app, http, parts, fleet, Ports(clients[0], clients[1], parts.blobs))
        worker = platform.worker()
        task = asyncio.create_task(worker.run())
        yield platform
        worker.stop()
        await task
        await parts.db.aclose()


async def one(who: Account) -> float:
    """Return the seconds from asking to the result."""
    begun = time.perf_counter()
    # Each makes a job of its own: an earlier result, or a job in work, would be shared.
    body = {"url": "https://shop.test/", "preset": "rules", "wait": 120, "refresh": True}
    answer = await who.http.post("/v1/analyses", json=body)
    assert answer.json()["status"] == "succeeded", answer.text
    return time.perf_counter() - begun


async def waits(who: Account, seconds: float) -> list[float]:
    taken: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        taken.append(await one(who))
    return taken


async def flood(who: Account) -> None:
    while True:
        await one(who)


async def passed(platform: Platform) -> list[int]:
    """Return for each of B's jobs how many of A's were begun between its acceptance and its own begin."""
    other = jobs.alias()
    between = other.c.started_at.between(jobs.c.created_at, jobs.c.started_at) & (other.c.tenant_id == "big")
    overtaking = select(func.count()).select_from(other).where(between).scalar_subquery()
    statement = (
        select(overtaking).where(jobs.c.tenant_id == "small", jobs.c.started_at.is_not(None)).order_by(jobs.c.id)
    )
    async with platform.parts.db.read() as db:
        return list((await db.execute(statement)).scalars())


async def measure(url: str, seconds: float, cap: int | None) -> tuple[list[float], list[float], list[int]]:
    """Return what B waited alone and beside A, and how many of A's jobs went before each of B's beside it."""
    await asyncio.to_thread(migrate, url)
    with tempfile.TemporaryDirectory() as folder:
        async with running(url, Path(folder)) as platform:
            a = await account(platform, "big", plan=Plan(name="standard", concurrency=cap))
            b = await account(platform, "small", plan=Plan(name="standard"))
            await one(b)
            idle = await waits(b, seconds)
            crowd = [asyncio.create_task(flood(a)) for _ in range(BIG)]
            await asyncio.sleep(2)  # the queue is full now
            beside = await waits(b, seconds)
            for task in crowd:
                task.cancel()
            await asyncio.gather(*crowd, return_exceptions=True)
            before = (await passed(platform))[-len(beside) :]
    return idle, beside, before


def _p(taken: list[float], percent: int) -> float:
    return statistics.quantiles(taken, n=100, method="inclusive")[percent - 1]


async def report(seconds: float = 40) -> list[str]:
    """Measure both databases; return a Markdown table."""
    lines = [
        (
            f"B asks for one page after another; A keeps {BIG} unfinished "
            f"({PLACES} places, renders of {RENDER_S[0]} to {RENDER_S[1]} s)."
        ),
        "",
        (
            "| database | cap of A | B alone, p50 / p95 ms | B beside A, p50 / p95 ms | ratio of p95 (bound: 2) "
            "| jobs of A begun first: mean / most |"
        ),
        "|---|---|---:|---:|---:|---:|",
    ]
    with running_postgres() as server, tempfile.TemporaryDirectory() as folder:
        for name in ("PostgreSQL 18", "SQLite"):
            for cap in (None, CAP):
                file = f"sqlite+aiosqlite:///{folder}/{cap}.db"
                url = server.create_database() if name.startswith("P") else file
                idle, beside, before = await measure(url, seconds, cap)
                alone, crowded = (
                    f"{_p(taken, 50) * 1_000:.0f} / {_p(taken, 95) * 1_000:.0f}" for taken in (idle, beside)
                )
                order = f"{statistics.mean(before):.1f} / {max(before)}"
                ratio = _p(beside, 95) / _p(idle, 95)
                lines.append(f"| {name} | {cap or 'none'} | {alone} | {crowded} | {ratio:.2f} | {order} |")
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=40)
    seconds = parser.parse_args().seconds
    logging.configure("bench", "WARNING")
    print("\n".join(asyncio.run(report(seconds))))


if __name__ == "__main__":
    main()
