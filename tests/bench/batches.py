"""Batches: `python -m tests.bench.batches --urls 10000 --profile postgres --clients 10x100 --mixed 1000`.

API, worker, renderer and site are processes of their own (`postgres`, `sqlite`), or all but the site are one, as with
`cro serve` (`embedded`). What counts: seconds from the request to the finished batch, how long the acceptance takes,
what memory the API and the worker grow by at most, and how fast the results are streamed. Everything, the client
included, shares this machine's cores.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import psutil

from tests.bench.fetch import site
from tests.fixtures.postgres import running_postgres

SHORT = 1_000
SLOTS = 2
PROFILES = ("postgres", "sqlite", "embedded")
_LOOK_S = 0.5


@dataclass(frozen=True)
class World:
    """Where the API is, and which processes are watched; in one process they are all the same."""

    base: str
    port: int
    processes: dict[str, psutil.Process]

    @property
    def own(self) -> list[psutil.Process]:
        """Those whose memory counts: the gateway's."""
        return [process for name, process in self.processes.items() if name != "renderer"]

    @property
    def memory_mb(self) -> float:
        return sum(process.memory_info().rss for process in self.own) / 1e6

    @property
    def cpu_s(self) -> dict[str, float]:
        return {name: sum(process.cpu_times()[:2]) for name, process in self.processes.items()}


@contextmanager
def _process(command: list[str], environment: dict[str, str]) -> Iterator[tuple[psutil.Process, str]]:
    with subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield psutil.Process(process.pid), process.stdout.readline()
        finally:
            process.terminate()


def _module(*words: str) -> list[str]:
    return [sys.executable, "-m", *words]


def _origin(line: str) -> str:
    return str(re.findall(r"http://\S+", line)[0])


@contextmanager
def cluster(database_url: str, folder: Path) -> Iterator[World]:
    """Run the services, each in its process."""
    with ExitStack() as stack:
        port = stack.enter_context(site())
        common = {**_common(folder, port), "DATABASE_URL": database_url, "BLOBS_URL": f"file://{folder / 'blobs'}"}
        subprocess.run(_module("gateway", "migrate"), env={**os.environ, **common}, check=True)
        api, line = stack.enter_context(_process(_module("gateway", "api"), common))
        base = _origin(line)
        drawing = {**common, "RENDERER_UPLOAD_ORIGINS": base}
        renderer, line = stack.enter_context(_process(_module("renderer"), drawing))
        working = {**common, "BLOBS_BASE_URL": base, "RENDERER_URL": _origin(line)}
        worker, line = stack.enter_context(_process(_module("gateway", "worker"), working))
        assert "ready" in line
        yield World(base, port, {"api": api, "worker": worker, "renderer": renderer})


@contextmanager
def embedded(folder: Path) -> Iterator[World]:
    """Run the whole platform in one process, as `cro serve` does, on SQLite."""
    with ExitStack() as stack:
        port = stack.enter_context(site())
        environment = {**_common(folder, port), "CRO_DATA": str(folder / "data")}
        command = [str(Path(sys.executable).with_name("cro")), "serve", "--port", "0"]
        process, line = stack.enter_context(_process(command, environment))
        yield World(_origin(line), port, {"cro serve": process})


def _common(folder: Path, port: int) -> dict[str, str]:
    folder.chmod(0o755)
    (folder / "scratch").mkdir(exist_ok=True)
    return {
        "EGRESS_ALLOW_PRIVATE": f"127.0.0.1:{port}",
        "LOG_LEVEL": "WARNING",
        "PORT": "0",
        "RENDERER_SLOTS": str(SLOTS),
        "RENDERER_SCRATCH": str(folder / "scratch"),
        "FETCH_PER_HOST": "200",
        "WORKER_CONCURRENCY": str(SLOTS),
    }


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


def _body(here: World, urls: int, start: int = 0) -> dict[str, Any]:
    listed = [f"http://127.0.0.1:{here.port}/small{number}" for number in range(start, start + urls)]
    return {"kind": "capture", "urls": listed, "options": {"tier": "static", "outputs": [{"kind": "html"}]}}


def _mixed(here: World, static: int, scripted: int, start: int) -> dict[str, Any]:
    """Spread the pages that need a browser evenly among the others."""
    total = static + scripted
    listed = []
    for number in range(total):
        shell = (number + 1) * scripted // total > number * scripted // total
        listed.append(f"http://127.0.0.1:{here.port}/{'shell' if shell else 'small'}{start + number}")
    options = {"tier": "auto", "outputs": [{"kind": "html"}]}
    return {"kind": "capture", "urls": listed, "options": options}


def _client(here: World) -> httpx2.Client:
    return httpx2.Client(base_url=here.base, timeout=120, trust_env=False)


def _run(here: World, body: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    """Return the seconds from the request to the finished batch, and what it says of itself."""
    with _client(here) as client:
        begun = time.monotonic()
        batch_id = client.post("/v1/batches", json=body).raise_for_status().json()["id"]
        batch = _until_ended(client, batch_id)
        return time.monotonic() - begun, batch


def mixture(here: World, urls: int = SHORT) -> list[str]:
    """Compare a batch of which a fifth needs a browser with what the rates of its two parts allow.

    All tiers share this machine's cores, so their times add up: `urls` looks over plain HTTP and `urls / 5` renders.
    """
    scripted = urls // 5
    _run(here, _mixed(here, 20, 4, 10**8))
    static_s, _ = _run(here, _mixed(here, urls, 0, 2 * 10**8))
    slots_s, alone = _run(here, _mixed(here, 0, scripted, 3 * 10**8))
    seconds, batch = _run(here, _mixed(here, urls - scripted, scripted, 4 * 10**8))
    allowed = static_s * (urls - scripted) / urls + slots_s
    assert alone["tiers"]["browser"] == scripted, alone["tiers"]
    tiers = ", ".join(f"{count:,} {tier}" for tier, count in batch["tiers"].items() if count)
    terms = f"{urls - scripted} × {static_s / urls * 1_000:.1f} ms + {scripted} × {slots_s / scripted * 1_000:.0f} ms"
    return [
        "",
        f"{urls:,} URLs, {scripted} of which need JavaScript: {seconds:.1f} s ({urls / seconds:.1f} pages/s; {tiers}).",
        f"Static pages alone {urls / static_s:.1f} a second, those in {SLOTS} slots alone {scripted / slots_s:.2f}.",
        f"{terms} = {allowed:.1f} s. Measured / allowed: {seconds / allowed:.2f}.",
    ]


def measure(here: World, urls: int) -> Figures:
    """Run one batch from the request to the last byte of its results."""
    with _client(here) as client:
        # As many as are in work at once: what each connection costs is there before anything is measured.
        _run(here, _body(here, 200, start=10**6))
        memory, cpu, begun = here.memory_mb, here.cpu_s, time.monotonic()
        peak = memory
        answer = client.post("/v1/batches", json=_body(here, urls)).raise_for_status()
        accepted = time.monotonic() - begun
        batch_id = answer.json()["id"]
        while (batch := client.get(f"/v1/batches/{batch_id}").json())["status"] != "completed":
            peak = max(peak, here.memory_mb)
            time.sleep(_LOOK_S)
        finished = time.monotonic() - begun
        used = {name: seconds - cpu[name] for name, seconds in here.cpu_s.items()}
        size, seconds, growth = _streamed(client, here, batch_id)
    return Figures(accepted, finished, peak - memory, used, size / seconds / 1e6, size / 1e6, growth, batch["counts"])


def _until_ended(client: httpx2.Client, batch_id: str) -> dict[str, Any]:
    while (batch := client.get(f"/v1/batches/{batch_id}").json())["status"] != "completed":
        time.sleep(_LOOK_S)
    found: dict[str, Any] = batch
    return found


def _streamed(client: httpx2.Client, here: World, batch_id: str) -> tuple[int, float, float]:
    """Return bytes, seconds, and MB by which the API grew meanwhile."""
    api = here.own[0]
    before = peak = api.memory_info().rss
    begun, size = time.monotonic(), 0
    accept = {"accept": "application/x-ndjson"}
    with client.stream("GET", f"/v1/batches/{batch_id}/results", headers=accept) as answer:
        for number, chunk in enumerate(answer.iter_raw()):
            size += len(chunk)
            if number % 10 == 0:
                peak = max(peak, api.memory_info().rss)
    return size, time.monotonic() - begun, (peak - before) / 1e6


def clients(here: World, count: int, urls: int) -> list[str]:
    """Have `count` clients at once submit batches of `urls`; tell when the first, the median and the last was done."""

    def one(number: int) -> float:
        return _run(here, _body(here, urls, start=10**7 + number * urls))[0]

    begun = time.monotonic()
    with ThreadPoolExecutor(count) as pool:
        took = sorted(pool.map(one, range(count)))
    seconds = time.monotonic() - begun
    rate = count * urls / seconds
    spread = f"{took[0]:.1f} s at least, {statistics.median(took):.1f} s in the median, {took[-1]:.1f} s at most"
    return [
        "",
        f"{count} clients × {urls} URLs at once: {seconds:.1f} s, {rate:.0f} URLs/s; a client's batch took {spread}.",
    ]


def _row(name: str, here: World, urls: int) -> str:
    had = measure(here, urls)
    assert had.counts["succeeded"] == urls, had.counts
    cpu = ", ".join(f"{part} {seconds / urls * 1_000:.1f}" for part, seconds in had.cpu_s.items())
    return (
        f"| {name} | {urls:,} | {had.accepted_s:.2f} | {had.finished_s:.1f} | {urls / had.finished_s:.0f} | {cpu} | "
        f"{had.growth_mb:.0f} | {had.stream_mb:.1f} | {had.stream_mb_s:.0f} | {had.stream_growth_mb:.0f} |"
    )


HEAD = [
    "| profile | URLs | accepted s | done s | URLs/s | CPU ms per URL | growth MB | results MB | MB/s | growth MB |",
    "|---|---:|---:|---:|---:|---|---:|---:|---:|---:|",
]


@dataclass(frozen=True)
class Plan:
    """What is measured: profiles with a batch of `urls`, then (count, URLs each) clients, and a mixture of so many."""

    urls: int = SHORT
    profiles: tuple[str, ...] = PROFILES
    crowds: tuple[tuple[int, int], ...] = ()
    mixed: int = 0


LONG = Plan(10_000, crowds=((10, 100), (100, 100)), mixed=1_000)
"""Half an hour: `make bench-batches`."""


@contextmanager
def world(profile: str, folder: Path) -> Iterator[World]:
    """Run one profile."""
    with ExitStack() as stack:
        if profile == "embedded":
            yield stack.enter_context(embedded(folder))
            return
        url = f"sqlite+aiosqlite:///{folder / 'cro.db'}"
        if profile == "postgres":
            url = stack.enter_context(running_postgres()).create_database()
        yield stack.enter_context(cluster(url, folder))


def report(plan: Plan | None = None) -> list[str]:
    """Measure; return Markdown."""
    plan = plan or Plan()
    rows, more = list(HEAD), []
    with TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        for profile in plan.profiles:
            own = Path(parent) / profile
            own.mkdir()
            with world(profile, own) as here:
                if plan.urls:
                    rows.append(_row(profile, here, plan.urls))
                for count, urls in plan.crowds:
                    more += [f"\n{profile}:", *clients(here, count, urls)]
                if plan.mixed:
                    more += [f"\n{profile}:", *mixture(here, plan.mixed)]
            print("\n".join([rows[-1], *more]), file=sys.stderr, flush=True)
    return ["### Batches", "", *rows, *more, ""]


def _crowd(text: str) -> tuple[int, int]:
    count, urls = text.split("x")
    return int(count), int(urls)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--urls", type=int, default=SHORT)
    parser.add_argument("--profile", action="append", choices=PROFILES)
    parser.add_argument("--clients", action="append", type=_crowd, default=[], help="10x100")
    parser.add_argument("--mixed", type=int, default=0)
    chosen = parser.parse_args()
    profiles = tuple(chosen.profile or PROFILES)
    plan = Plan(chosen.urls, profiles, tuple(chosen.clients), chosen.mixed)
    print("\n".join(report(replace(LONG, profiles=profiles) if chosen.long else plan)))


if __name__ == "__main__":
    main()
