"""SIGKILL of workers, of the renderer and of Redis in the middle of a batch: every URL ends exactly once."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import pytest

from gateway.migrate import migrate
from tests.bench.fetch import site
from tests.fixtures.fleet import Fleet, served
from tests.fixtures.postgres import Postgres
from tests.fixtures.programs import Program, free_port, running
from tests.fixtures.redis import RedisServer

URLS = int(os.environ.get("KILL_URLS", "90"))
"""`make kills` takes 10,000."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(170 + URLS // 20)]

_OPTIONS = {"tier": "static", "outputs": [{"kind": "html"}]}


@dataclass
class World:
    """An API with a batch on it, and what its workers need."""

    client: httpx2.Client
    environment: dict[str, str]
    log: Path
    listed: list[str]
    batch_id: str = ""

    def submit(self, **more: object) -> None:
        body = {"kind": "capture", "urls": self.listed, "options": _OPTIONS, **more}
        self.batch_id = self.client.post("/v1/batches", json=body).raise_for_status().json()["id"]

    def worker(self, stack: ExitStack) -> Program:
        return stack.enter_context(running("worker", self.environment, self.log))

    def progressed(self, succeeded: int) -> None:
        """Wait until so many URLs have succeeded."""
        give_up = time.monotonic() + 120 + len(self.listed) / 50
        while (counts := self.seen()["counts"])["succeeded"] < succeeded:
            assert time.monotonic() < give_up, counts
            time.sleep(0.05)

    def seen(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"/v1/batches/{self.batch_id}").json()
        return found

    def check(self) -> None:
        """Every URL has succeeded, once, and its content can be had."""
        batch = self.seen()
        assert batch["status"] == "completed"
        counts = {name: count for name, count in batch["counts"].items() if count}
        assert counts == {"total": len(self.listed), "succeeded": len(self.listed)}
        accept = {"accept": "application/x-ndjson"}
        answer = self.client.get(f"/v1/batches/{self.batch_id}/results", headers=accept)
        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert Counter(line["url"] for line in lines) == dict.fromkeys(self.listed, 1)
        for line in lines[:: len(lines) // 5]:
            assert self.client.get(line["artifacts"]["html"]["links"]["self"]).status_code == 200
        used = {quota["kind"]: quota["used"] for quota in self.client.get("/v1/tenant").json()["today"]}
        assert used["capture"] == len(self.listed)


@contextmanager
def world(url: str, folder: Path, listed: list[str], **more: str) -> Iterator[World]:
    migrate(url)
    port = str(free_port())
    environment = {
        "DATABASE_URL": url,
        "BLOBS_URL": f"file://{folder / 'blobs'}",
        "BLOBS_BASE_URL": f"http://127.0.0.1:{port}",
        "BLOBS_SECRET": "0123456789abcdef0123456789abcdef",
        "LEASE_SECONDS": "1.5",
        "POLL_SECONDS": "0.1",
        "MAX_CRASHES": "100",
        "MAX_ATTEMPTS": "20",
        "SHUTDOWN_GRACE_SECONDS": "0",
        "EGRESS_ALLOW_PRIVATE": "shop.test",
        **more,
    }
    log = folder / "log"
    with (
        running("api", {**environment, "PORT": port}, log) as api,
        httpx2.Client(base_url=api.origin, timeout=60, trust_env=False) as client,
    ):
        yield World(client, {**environment, "PORT": "0"}, log, listed)


@contextmanager
def renderer(environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a renderer until it says that it is ready."""
    with log.open("a") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "renderer"],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    try:
        assert "http://" in process.stdout.readline()
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        process.stdout.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_killed_workers_lose_no_url_and_end_none_twice(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'cro.db'}"
    if kind == "postgres":
        url = request.getfixturevalue("postgres").create_database()
    listed = [f"https://shop.test/{number}" for number in range(URLS)]
    fleet = Fleet()
    with ExitStack() as stack:
        here = stack.enter_context(
            world(url, tmp_path, listed, RENDERER_URL=stack.enter_context(served(fleet.renderer())))
        )
        here.submit(concurrency=20)
        for reached in (1, URLS // 3):
            victim = here.worker(stack)
            here.progressed(reached)
            victim.process.kill()
        here.worker(stack)
        here.progressed(URLS)
        here.check()


def test_a_killed_renderer_loses_no_url(postgres: Postgres, tmp_path: Path) -> None:
    with ExitStack() as stack:
        # The browser runs as another user, who may not look into the test's own folder.
        scratch = stack.enter_context(TemporaryDirectory(prefix="cro-scratch-"))
        Path(scratch).chmod(0o755)
        port = stack.enter_context(site())
        listed = [f"http://127.0.0.1:{port}/small{number}" for number in range(max(600, URLS))]
        origin = f"http://127.0.0.1:{free_port()}"
        allowed = f"127.0.0.1:{port}"
        here = stack.enter_context(
            world(postgres.create_database(), tmp_path, listed, RENDERER_URL=origin, EGRESS_ALLOW_PRIVATE=allowed)
        )
        drawing = {
            "PORT": origin.rpartition(":")[2],
            "RENDERER_SLOTS": "1",
            "RENDERER_SCRATCH": scratch,
            "RENDERER_UPLOAD_ORIGINS": here.environment["BLOBS_BASE_URL"],
            "EGRESS_ALLOW_PRIVATE": allowed,
        }
        here.worker(stack)
        with renderer(drawing, here.log) as victim:
            here.submit()
            here.progressed(50)
            victim.kill()
            victim.wait()
            assert here.seen()["counts"]["succeeded"] < len(listed), "it was over before: the test shows nothing"
        stack.enter_context(renderer(drawing, here.log))
        here.progressed(len(listed))
        here.check()


def test_a_killed_redis_loses_no_url(postgres: Postgres, redis_server: RedisServer, tmp_path: Path) -> None:
    listed = [f"https://shop.test/{number}" for number in range(max(300, URLS))]
    fleet = Fleet()
    with ExitStack() as stack:
        origin = stack.enter_context(served(fleet.renderer()))
        here = stack.enter_context(
            world(postgres.create_database(), tmp_path, listed, RENDERER_URL=origin, REDIS_URL=redis_server.url)
        )
        here.worker(stack)
        here.submit(concurrency=20)
        here.progressed(20)
        redis_server.kill()
        here.progressed(120)
        assert here.seen()["counts"]["succeeded"] < len(listed), "it was over before: the test shows nothing"
        redis_server.start()
        here.progressed(len(listed))
        here.check()
