"""Redis and Postgres restarted, emptied, frozen and cut off under load (F16 to F23), with real processes.

One API and one worker live through all of it; each fault has its own clients, whose history is checked afterwards.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil
import pytest

from gateway.migrate import migrate
from tests.fixtures.fleet import Fleet, served
from tests.fixtures.history import History, check
from tests.fixtures.postgres import Postgres, running_postgres
from tests.fixtures.postgres_wire import Wire, wired
from tests.fixtures.programs import Program, free_port, running
from tests.fixtures.redis import RedisServer

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(170)]

_STEADY = 12
"""Submissions before a fault and after it."""


@dataclass
class World:
    """Everything that runs."""

    api: Program
    wire: Wire
    postgres: Postgres
    redis: RedisServer
    database_url: str

    async def health(self) -> dict[str, object]:
        async with httpx2.AsyncClient(base_url=self.api.origin, trust_env=False, timeout=30) as http:
            found: dict[str, object] = (await http.get("/api/health")).json()
            return found


@pytest.fixture(scope="module")
def world(postgres: Postgres, redis_process: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("stores")
    assert postgres.socket_dir.exists(), "where no server can start, this fixture skips"
    fleet = Fleet()
    if redis_process.say("PING") != "+PONG":
        redis_process.restart()
    with ExitStack() as stack:
        # One of its own: what is killed here is nobody else's.
        postgres = stack.enter_context(running_postgres())
        url = postgres.create_database()
        migrate(url)
        wire = stack.enter_context(wired(postgres.socket_dir))
        environment = {
            "DATABASE_URL": wire.url(url),
            "REDIS_URL": redis_process.url,
            "BLOBS_URL": f"file://{folder / 'blobs'}",
            "BLOBS_SECRET": "0123456789abcdef0123456789abcdef",
            "RENDERER_URL": stack.enter_context(served(fleet.renderer())),
            "ANALYZER_URL": stack.enter_context(served(fleet.analyzer())),
            "EGRESS_ALLOW_PRIVATE": "shop.test",
            "PORT": str(free_port()),
            "LEASE_SECONDS": "3",
            "POLL_SECONDS": "0.5",
            "SHUTDOWN_GRACE_SECONDS": "0",
            "MAX_CRASHES": "50",
            "MAX_ATTEMPTS": "20",
        }
        environment["BLOBS_BASE_URL"] = f"http://127.0.0.1:{environment['PORT']}"
        with ThreadPoolExecutor(2) as threads:
            api, _ = threads.map(
                lambda command: stack.enter_context(running(command, environment, folder / "log")), ("api", "worker")
            )
        yield World(api, wire, postgres, redis_process, url)


@asynccontextmanager
async def load(world: World, name: str) -> AsyncIterator[History]:
    """Run clients before, during and after the fault of the body; then check what was promised."""
    history = History(world.api.origin, name)
    clients = asyncio.create_task(history.run())
    await more(history, _STEADY, 202)
    yield history
    await more(history, _STEADY, 202)
    history.stop()
    await clients
    await check(history, world.database_url)
    print(name, dict(history.statuses()), f"slowest {max(deed.took_s for deed in history.deeds):.2f} s")


async def more(history: History, count: int, status: int) -> None:
    """Wait for `count` further submissions with this answer."""
    wanted = sum(deed.status == status for deed in history.deeds) + count
    async with asyncio.timeout(60):
        while sum(deed.status == status for deed in history.deeds) < wanted:
            await asyncio.sleep(0.02)


def only(history: History, *statuses: int) -> None:
    assert set(history.statuses()) <= set(statuses), history.statuses()


async def test_f16_redis_restart(world: World) -> None:
    async with load(world, "f16") as history:
        world.redis.kill()
        await more(history, _STEADY, 202)
        world.redis.start()
    only(history, 200, 202)


async def test_f17_redis_flushall(world: World) -> None:
    async with load(world, "f17") as history:
        for _ in range(5):
            assert world.redis.say("FLUSHALL") == "+OK"
            await more(history, 3, 202)
    only(history, 200, 202)


async def test_f18_redis_hangs(world: World) -> None:
    async with load(world, "f18") as history:
        world.redis.freeze()
        try:
            await more(history, 3 * _STEADY, 202)
            assert (await world.health())["status"] == "degraded"
            async with httpx2.AsyncClient(base_url=world.api.origin, trust_env=False, timeout=30) as http:
                assert (await http.get("/readyz")).status_code == 200
                metrics = (await http.get("/metrics")).text
        finally:
            world.redis.thaw()
    only(history, 200, 202)
    counts = {
        how: float(line.rpartition(" ")[2])
        for line in metrics.splitlines()
        for how in ("failed", "skipped")
        if line.startswith(f'cro_broker_failures_total{{how="{how}"}}')
    }
    # Each failure may cost 0.1 s, what is skipped nothing: nearly everybody must be of the second sort.
    assert counts["skipped"] > counts["failed"]


@pytest.mark.parametrize("trouble", ["replica", "full"])
async def test_f19_redis_takes_no_writes(world: World, trouble: str) -> None:
    orders = {"full": ("CONFIG", "SET", "maxmemory", "1"), "replica": ("REPLICAOF", "127.0.0.1", "1")}
    async with load(world, f"f19-{trouble}") as history:
        world.redis.say(*orders[trouble])
        await more(history, _STEADY, 202)
        world.redis.say("REPLICAOF", "NO", "ONE")
        world.redis.say("CONFIG", "SET", "maxmemory", "0")
    only(history, 200, 202)


async def test_f20_postgres_fast_restart(world: World) -> None:
    async with load(world, "f20") as history:
        await asyncio.to_thread(world.postgres.stop, "fast")
        await more(history, 3, 503)
        await asyncio.to_thread(world.postgres.start)
    only(history, 200, 202, 503)


async def test_f21_postgres_kill(world: World) -> None:
    async with load(world, "f21") as history:
        postmaster = psutil.Process(world.postgres.pid)
        children = postmaster.children()
        os.kill(postmaster.pid, signal.SIGKILL)
        await asyncio.to_thread(psutil.wait_procs, children, 30)
        await more(history, 3, 503)
        await asyncio.to_thread(world.postgres.start)
    only(history, 200, 202, 503)


async def test_f22_connection_cut_after_commit(world: World) -> None:
    async with load(world, "f22") as history:
        before = world.wire.cuts
        for number in range(1, 6):
            world.wire.cut_after_commit()
            async with asyncio.timeout(90):
                while world.wire.cuts < before + number:
                    await asyncio.sleep(0.02)
    only(history, 200, 202, 503)


async def test_f23_postgres_hangs_and_the_pool_is_exhausted(world: World) -> None:
    async with load(world, "f23") as history:
        world.wire.block()
        async with httpx2.AsyncClient(base_url=world.api.origin, trust_env=False, timeout=30) as http:
            crowd = await asyncio.gather(*(history.submit(http, f"https://shop.test/f23/x/{n}") for n in range(40)))
            assert {deed.status for deed in crowd} == {503}
            begun = time.monotonic()
            later = [await history.submit(http, f"https://shop.test/f23/y/{n}") for n in range(40)]
            spent = time.monotonic() - begun
            assert {deed.status for deed in later} == {503}
            assert (await http.get("/livez")).status_code == 200
        world.wire.unblock()
        # No pile-up: one a second tries, and waits; nobody else does. Forty that waited would take a minute and more.
        assert spent < 30
    only(history, 200, 202, 503)
    health = await world.health()
    assert health["status"] == "healthy"
    pool = health["pool"]
    assert isinstance(pool, dict)
    assert pool["database_in_use"] == 0, "a connection is lost"
