"""Ten thousand URLs in one batch, on both databases: `python -m tests.bench.batches [--urls 10000] [--database …]`.

API, worker, renderer and site are processes of their own, as in a cluster; the client that looks on is this one. What
counts: seconds from the request to the finished batch, how long the acceptance takes, what memory the API and the
worker grow by at most, and how fast the results are streamed. Everything shares this machine's cores.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import psutil

from tests.bench.fetch import site
from tests.fixtures.postgres import running_postgres

SHORT = 1_000
LONG = 10_000
_LOOK_S = 0.5


@dataclass(frozen=True)
class World:
    """Where the API is, and which processes are watched."""

    base: str
    port: int
    api: psutil.Process
    worker: psutil.Process
    renderer: psutil.Process


@contextmanager
def _process(command: list[str], environment: dict[str, str]) -> Iterator[tuple[psutil.Process, str]]:
    with subprocess.Popen(
        [sys.executable, "-m", *command], env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield psutil.Process(process.pid), process.stdout.readline()
        finally:
            process.terminate()


@contextmanager
def world(database_url: str, folder: Path) -> Iterator[World]:
    """Run the services."""
    with ExitStack() as stack:
        port = stack.enter_context(site())
        folder.chmod(0o755)
        (folder / "scratch").mkdir(exist_ok=True)
        common = {
            "DATABASE_URL": database_url,
            "BLOBS_URL": f"file://{folder / 'blobs'}",
            "EGRESS_ALLOW_PRIVATE": f"127.0.0.1:{port}",
            "LOG_LEVEL": "WARNING",
            "PORT": "0",
        }
        subprocess.run([sys.executable, "-m", "gateway", "migrate"], env={**os.environ, **common}, check=True)
        api, line = stack.enter_context(_process(["gateway", "api"], common))
        base = re.findall(r"http://\S+", line)[0]
        drawing = {
            **common,
            "RENDERER_SLOTS": "1",
            "RENDERER_SCRATCH": str(folder / "scratch"),
            "RENDERER_UPLOAD_ORIGINS": base,
            "FETCH_PER_HOST": "200",
        }
        renderer, line = stack.enter_context(_process(["renderer"], drawing))
        working = {**common, "BLOBS_BASE_URL": base, "RENDERER_URL": re.findall(r"http://\S+", line)[0]}
        worker, line = stack.enter_context(_process(["gateway", "worker"], working))
        assert "ready" in line
        yield World(base, port, api, worker, renderer)


@dataclass
class Figures:
    """Seconds, and MB."""

    accepted_s: float
    finished_s: float
    growth_mb: float
    cpu_s: dict[str, float]
    stream_mb_s: float
    stream_mb: float
    stream_growth_mb: float
    counts: dict[str, int]


def _memory(here: World) -> float:
    return float(here.api.memory_info().rss + here.worker.memory_info().rss) / 1e6


def _cpu(here: World) -> dict[str, float]:
    processes = {"api": here.api, "worker": here.worker, "renderer": here.renderer}
    return {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}


def _body(here: World, urls: int, start: int = 0) -> dict[str, Any]:
    listed = [f"http://127.0.0.1:{here.port}/small{number}" for number in range(start, start + urls)]
    return {"kind": "capture", "urls": listed, "options": {"tier": "static", "outputs": [{"kind": "html"}]}}


def measure(here: World, urls: int) -> Figures:
    """Run one batch from the request to the last byte of its results."""
    with httpx2.Client(base_url=here.base, timeout=120, trust_env=False) as client:
        warm = client.post("/v1/batches", json=_body(here, 20, start=10**6)).raise_for_status().json()["id"]
        _until_ended(client, warm)
        memory, cpu, begun = _memory(here), _cpu(here), time.monotonic()
        peak = memory
        answer = client.post("/v1/batches", json=_body(here, urls)).raise_for_status()
        accepted = time.monotonic() - begun
        batch_id = answer.json()["id"]
        while (batch := client.get(f"/v1/batches/{batch_id}").json())["status"] != "completed":
            peak = max(peak, _memory(here))
            time.sleep(_LOOK_S)
        finished = time.monotonic() - begun
        used = {name: seconds - cpu[name] for name, seconds in _cpu(here).items()}
        size, seconds, growth = _streamed(client, here, batch_id)
    return Figures(accepted, finished, peak - memory, used, size / seconds / 1e6, size / 1e6, growth, batch["counts"])


def _until_ended(client: httpx2.Client, batch_id: str) -> dict[str, Any]:
    while (batch := client.get(f"/v1/batches/{batch_id}").json())["status"] != "completed":
        time.sleep(_LOOK_S)
    found: dict[str, Any] = batch
    return found


def _streamed(client: httpx2.Client, here: World, batch_id: str) -> tuple[int, float, float]:
    """Return bytes, seconds, and MB by which the API grew meanwhile."""
    before = peak = here.api.memory_info().rss
    begun, size = time.monotonic(), 0
    accept = {"accept": "application/x-ndjson"}
    with client.stream("GET", f"/v1/batches/{batch_id}/results", headers=accept) as answer:
        for number, chunk in enumerate(answer.iter_raw()):
            size += len(chunk)
            if number % 10 == 0:
                peak = max(peak, here.api.memory_info().rss)
    return size, time.monotonic() - begun, (peak - before) / 1e6


def clients(here: World, count: int, urls: int) -> float:
    """Return the seconds in which `count` clients at once have batches of `urls` finished."""

    def one(number: int) -> None:
        with httpx2.Client(base_url=here.base, timeout=120, trust_env=False) as client:
            body = _body(here, urls, start=10**7 + number * urls)
            _until_ended(client, client.post("/v1/batches", json=body).raise_for_status().json()["id"])

    begun = time.monotonic()
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(one, range(count)))
    return time.monotonic() - begun


def _rows(name: str, here: World, urls: int) -> list[str]:
    had = measure(here, urls)
    assert had.counts["succeeded"] == urls, had.counts
    cpu = ", ".join(f"{part} {seconds / urls * 1_000:.1f}" for part, seconds in had.cpu_s.items())
    return [
        (
            f"| {name} | {urls:,} | {had.accepted_s:.2f} | {had.finished_s:.1f} | "
            f"{urls / had.finished_s:.0f} | {cpu} | "
            f"{had.growth_mb:.0f} | {had.stream_mb:.1f} | {had.stream_mb_s:.0f} | {had.stream_growth_mb:.0f} |"
        )
    ]


def report(urls: int = SHORT, databases: tuple[str, ...] = ("postgres", "sqlite"), many: int = 0) -> list[str]:
    """Measure; return a Markdown table."""
    lines = [
        (
            "| database | URLs | accepted s | finished s | URLs/s | CPU ms per URL | growth MB | results MB | MB/s "
            "| growth MB |"
        ),
        "|---|---:|---:|---:|---:|---|---:|---:|---:|---:|",
    ]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        folder.chmod(0o755)
        for name in databases:
            own = folder / name
            own.mkdir()
            if name == "postgres":
                url = stack.enter_context(running_postgres()).create_database()
            else:
                url = f"sqlite+aiosqlite:///{own / 'cro.db'}"
            with world(url, own) as here:
                lines += _rows(name, here, urls)
                if many:
                    lines.append(f"\n{many} clients × 100 URLs: {clients(here, many, 100):.1f} s\n")
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--urls", type=int, default=SHORT)
    parser.add_argument("--database", action="append", choices=["postgres", "sqlite"])
    parser.add_argument("--clients", type=int, default=0)
    chosen = parser.parse_args()
    print("\n".join(report(chosen.urls, tuple(chosen.database or ("postgres", "sqlite")), chosen.clients)))


if __name__ == "__main__":
    main()
