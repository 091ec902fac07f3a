"""Real processes, real kills: nothing that was accepted is lost, nothing is done twice."""

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import func, select

from contracts.analyze import AnalyzeRequest
from contracts.render import RenderRequest
from gateway.db import Database
from gateway.tables import jobs, results
from tests.fixtures.fleet import Fleet, served

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

JOBS = 40
WORKERS = 6
KILLS = 5


@contextmanager
def gateway(command: str, environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a gateway command until it says that it is ready; give the process and that line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", command],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@dataclass
class Stage:
    """The processes of one run."""

    stack: ExitStack
    environment: dict[str, str]
    workers: list[subprocess.Popen[str]] = field(default_factory=list)

    def start_worker(self) -> None:
        process, line = self.stack.enter_context(gateway("worker", self.environment))
        assert "ready" in line
        self.workers.append(process)

    def kill_one(self, chance: random.Random) -> None:
        victim = self.workers.pop(chance.randrange(len(self.workers)))
        victim.send_signal(chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))


@pytest.fixture
def fleet() -> Fleet:
    async def some_work(_: RenderRequest | AnalyzeRequest) -> None:
        await asyncio.sleep(random.uniform(0.1, 1.0))

    return Fleet(before_render=some_work, before_analysis=some_work)


@pytest.fixture
def stage(database_url: str, tmp_path: Path, fleet: Fleet) -> Iterator[tuple[Stage, str]]:
    with ExitStack() as stack:
        environment = {
            "DATABASE_URL": database_url,
            "BLOBS_URL": f"file://{tmp_path / 'blobs'}",
            "RENDERER_URL": stack.enter_context(served(fleet.renderer())),
            "ANALYZER_URL": stack.enter_context(served(fleet.analyzer())),
            "LEASE_SECONDS": "1.5",
            "POLL_SECONDS": "0.1",
            "MAX_CRASHES": "100",
            "WORKER_CONCURRENCY": "2",
            "DRAIN_SECONDS": "3",
            "EGRESS_ALLOW_PRIVATE": "shop.test",
            "PORT": "0",
        }
        _, line = stack.enter_context(gateway("api", environment))
        origin = re.findall(r"http://\S+", line)[0]
        yield Stage(stack, {**environment, "BLOBS_BASE_URL": origin}), origin


@pytest.mark.timeout(180)
async def test_workers_killed_at_any_moment_lose_nothing_and_repeat_nothing(
    stage: tuple[Stage, str], database_url: str, fleet: Fleet
) -> None:
    world, origin = stage
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201  # a failing seed can be replayed
    chance = random.Random(seed)
    await asyncio.gather(*(asyncio.to_thread(world.start_worker) for _ in range(WORKERS)))
    async with httpx2.AsyncClient(base_url=origin, trust_env=False) as http:
        accepted = [await _submit(http, number) for number in range(JOBS)]
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(0, 0.3))
            world.kill_one(chance)
        ends = [await _end(http, job_id) for job_id in accepted]
    assert Counter(ends) == {"succeeded": JOBS}
    await _check(database_url, fleet, accepted)


async def _submit(http: httpx2.AsyncClient, number: int) -> str:
    answer = await http.post("/v1/analyses", json={"url": f"https://shop.test/{number}"})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def _end(http: httpx2.AsyncClient, job_id: str) -> str:
    for _ in range(2):
        answer = (await http.get(f"/v1/analyses/{job_id}", params={"wait": 60}, timeout=70)).json()
        if answer["finished_at"]:
            break
    return str(answer["status"])


async def _check(database_url: str, fleet: Fleet, accepted: list[str]) -> None:
    db = Database(database_url)
    async with db.read() as connection:
        rows = {row.id: row for row in await connection.execute(select(jobs))}
        finished = (await connection.execute(select(results.c.job_id))).scalars().all()
        crashes = (await connection.execute(select(func.sum(jobs.c.crash_count)))).scalar_one()
    await db.aclose()
    assert sorted(finished) == sorted(accepted)
    assert set(rows) == set(accepted)
    renders = Counter(order.job_id for order in fleet.renders)
    # Work is repeated only for those whose worker died with them; each claim renders at most once.
    assert all(renders[job_id] <= rows[job_id].fence for job_id in accepted)
    assert crashes > 0, "no job was ever hit: the test shows nothing"


async def test_a_stopped_worker_that_wakes_up_is_fenced_off(
    stage: tuple[Stage, str], database_url: str, fleet: Fleet
) -> None:
    """SIGSTOP in the middle of a job, longer than its lease; then SIGCONT."""
    world, origin = stage
    world.start_worker()
    loop = asyncio.get_running_loop()
    rendering, go = asyncio.Event(), threading.Event()

    async def hold_the_first(_: AnalyzeRequest) -> None:
        if len(fleet.analyses) == 1:
            loop.call_soon_threadsafe(rendering.set)
            await asyncio.to_thread(go.wait)

    fleet.before_analysis = hold_the_first
    try:
        async with httpx2.AsyncClient(base_url=origin, trust_env=False) as http:
            job_id = await _submit(http, 1)
            await rendering.wait()
            world.workers[0].send_signal(signal.SIGSTOP)
            await asyncio.to_thread(world.start_worker)
            assert await _end(http, job_id) == "succeeded"
            go.set()
            world.workers[0].send_signal(signal.SIGCONT)
            world.workers[0].send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(world.workers[0].wait, 60) == 0
            found = (await http.get(f"/v1/analyses/{job_id}")).json()
    finally:
        go.set()
    assert (found["status"], found["attempt"]) == ("succeeded", 1)
    db = Database(database_url)
    async with db.read() as connection:
        (row,) = (await connection.execute(select(jobs))).all()
        assert len((await connection.execute(select(results))).all()) == 1
    await db.aclose()
    assert (row.fence, row.crash_count) == (2, 1)
    assert len(fleet.renders) == 1
