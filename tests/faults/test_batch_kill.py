"""SIGKILL of workers in the middle of a batch, on both databases: every URL ends exactly once."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.fixtures.fleet import Fleet, served

URLS = 90


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


def progressed(client: httpx2.Client, batch_id: str, succeeded: int) -> dict[str, int]:
    """Wait until so many URLs have succeeded."""
    give_up = time.monotonic() + 120
    while (batch := client.get(f"/v1/batches/{batch_id}").json())["counts"]["succeeded"] < succeeded:
        assert time.monotonic() < give_up, batch["counts"]
        time.sleep(0.05)
    counts: dict[str, int] = batch["counts"]
    return counts


@pytest.mark.slow
@pytest.mark.timeout(170)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_killed_workers_lose_no_url_and_end_none_twice(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'cro.db'}"
    if kind == "postgres":
        url = request.getfixturevalue("postgres_database")
    fleet = Fleet()
    with ExitStack() as stack:
        environment = {
            "DATABASE_URL": url,
            "BLOBS_URL": f"file://{tmp_path / 'blobs'}",
            "RENDERER_URL": stack.enter_context(served(fleet.renderer())),
            "LEASE_SECONDS": "1.5",
            "POLL_SECONDS": "0.1",
            "MAX_CRASHES": "100",
            "EGRESS_ALLOW_PRIVATE": "shop.test",
            "PORT": "0",
        }
        with gateway("migrate", environment) as (migration, _):
            assert migration.wait(60) == 0
        _, line = stack.enter_context(gateway("api", environment))
        environment["BLOBS_BASE_URL"] = origin = re.findall(r"http://\S+", line)[0]
        client = stack.enter_context(httpx2.Client(base_url=origin, timeout=60, trust_env=False))
        listed = [f"https://shop.test/{number}" for number in range(URLS)]
        options = {"tier": "static", "outputs": [{"kind": "html"}]}
        body = {"kind": "capture", "urls": listed, "options": options, "concurrency": 20}
        batch_id = client.post("/v1/batches", json=body).raise_for_status().json()["id"]
        for reached in (1, URLS // 3):
            victim, line = stack.enter_context(gateway("worker", environment))
            assert "ready" in line
            progressed(client, batch_id, reached)
            victim.send_signal(signal.SIGKILL)
        stack.enter_context(gateway("worker", environment))
        counts = progressed(client, batch_id, URLS)
        batch = client.get(f"/v1/batches/{batch_id}").json()
        answer = client.get(f"/v1/batches/{batch_id}/results", headers={"accept": "application/x-ndjson"})
    assert batch["status"] == "completed"
    assert {name: count for name, count in counts.items() if count} == {"total": URLS, "succeeded": URLS}
    found = Counter(re.findall(r'"url":"(https://shop.test/\d+)"', answer.text))
    assert found == dict.fromkeys(listed, 1)
