"""Memory: the peak of one `cro analyze`, and whether 200 renders leave anything behind."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from tests.bench.contenders import renderer
from tests.fixtures import pages

SAMPLE_S = 0.1


def pss_mb(pid: int) -> float:
    """Proportional set size of a process tree in MiB."""
    total = 0
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    for process in tree:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total / 2**20


def analyze_peak(page: str) -> list[str]:
    """Run `cro analyze` on a real page and watch its process tree."""
    pages.fetch(page)
    server = pages.serve(pages.CACHE)
    host = f"127.0.0.1:{server.server_port}"
    cro = Path(sys.executable).with_name("cro")
    with TemporaryDirectory() as folder:
        env = {**os.environ, "EGRESS_ALLOW_PRIVATE": host}
        command = [str(cro), "analyze", f"http://{host}/{page}/index.html", "--html", f"{folder}/report.html"]
        begun = time.perf_counter()
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, pss_mb(process.pid))
            time.sleep(SAMPLE_S)
        wall = time.perf_counter() - begun
        size = Path(folder, "report.html").stat().st_size
    server.shutdown()
    server.server_close()
    return [
        "### `cro analyze` on a real page",
        "",
        f"- page: {page}; exit status {process.returncode}",
        f"- wall time, start to report: {wall:.1f} s",
        f"- peak PSS of the whole process tree: {peak:.0f} MiB",
        f"- HTML report: {size / 2**20:.1f} MiB",
        "",
    ]


def _still_running(pids: list[int]) -> list[int]:
    """Return which of the ended service's processes are there after a moment for the system to clear them away."""
    processes = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    _, alive = psutil.wait_procs(processes, timeout=3)
    return [process.pid for process in alive]


async def leak(renders: int) -> list[str]:
    """Render `renders` times in 2 slots; compare memory, processes and folders after a tenth and at the end."""
    pages.fetch("agency")
    server = pages.serve(pages.CACHE)
    host = f"127.0.0.1:{server.server_port}"
    temp = Path(os.environ.get("TMPDIR", "/tmp"))
    folders_before = set(temp.iterdir())
    async with renderer(host, 2) as contender:

        async def some(count: int) -> None:
            for _ in range(count):
                await asyncio.gather(*(contender.shoot(f"http://{host}/agency/index.html") for _ in range(2)))

        await some(renders // 20)
        early, processes = pss_mb(contender.pid), len(psutil.Process(contender.pid).children(recursive=True))
        await some(renders // 2 - renders // 20)
        late, processes_late = pss_mb(contender.pid), len(psutil.Process(contender.pid).children(recursive=True))
        pids = [child.pid for child in psutil.Process(contender.pid).children(recursive=True)]
    left = _still_running(pids)
    server.shutdown()
    server.server_close()
    return [
        f"### {renders} renders, 2 slots, recycling on",
        "",
        f"- PSS after {renders // 10}: {early:.0f} MiB, at the end: {late:.0f} MiB ({late / early - 1:+.0%})",
        f"- processes: {processes} then {processes_late}; left after the renderer ended: {len(left)}",
        f"- folders left in the temporary directory: {len(set(temp.iterdir()) - folders_before)}",
        "",
    ]
