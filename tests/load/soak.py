"""Thousands of renders: does anything grow, linger or slow down?"""

import asyncio
import itertools
import statistics
import time

import psutil

from tests.fixtures.site import serving
from tests.load.bounds import Report, p95
from tests.load.service import Answer, Service, service, slots

PAGES = ("/static", "/js", "/cookies", "/sticky", "/lazy", "/static", "/links", "/agent", "/404", "/static")
_CHECKS = 24
_LINGER_S = 5
_LIVES = 8
"""Browsers that follow each other in a slot, at least: memory is a sawtooth, and one tooth would look like growth."""

_WARM = 0.15
"""Share of the renders after which memory counts: before it, caches fill."""

MEMORY, DRIFT = 0.10, 0.15
ENOUGH_FOR_DRIFT = 1_000
"""Renders below which two 95th percentiles differ by chance alone."""


async def _batch(renderer: Service, urls: list[str]) -> list[Answer]:
    queue = iter(urls)
    answers: list[Answer] = []

    async def client() -> None:
        for url in queue:
            answer = await renderer.shoot(url, area="full_page" if url.endswith("/lazy") else "first_screen")
            answers.append(answer)

    await asyncio.gather(*(client() for _ in range(slots())))
    return answers


def _change(values: list[float]) -> float:
    """Return how far the last third's median is from the first third's."""
    third = max(1, len(values) // 3)
    return statistics.median(values[-third:]) / statistics.median(values[:third]) - 1


async def soak(renders: int) -> Report:
    """Do that many renders in batches; look at the process tree after each, when every browser is idle."""
    uses = min(50, max(5, renders // slots() // _LIVES))
    report = Report(f"Soak: {renders} renders, {slots()} browsers, replaced after {uses}")
    seconds: list[list[float]] = []
    memory: list[float] = []
    folders: list[int] = []
    zombies = failed = 0
    begun = time.perf_counter()
    with serving() as site:
        urls = itertools.cycle([site.url(path) for path in PAGES])
        async with service(site.host, RENDERER_RECYCLE_USES=str(uses)) as renderer:
            for _ in range(_CHECKS):
                answers = await _batch(renderer, list(itertools.islice(urls, renders // _CHECKS)))
                await renderer.quiet()
                seconds.append([answer.seconds for answer in answers])
                failed += sum(not answer.good for answer in answers)
                memory.append(renderer.pss_mb())
                zombies += await renderer.zombies()
                folders.append(await renderer.folders(min(folders, default=0)))
            left_over = renderer.tree()
    warm = int(_CHECKS * _WARM)
    memory, folders, seconds = memory[warm:], folders[warm:], seconds[warm:]
    half = len(seconds) // 2
    first, last = (p95(list(itertools.chain(*part))) for part in (seconds[:half], seconds[half:]))
    report.note("renders/s", f"{renders / (time.perf_counter() - begun):.1f}")
    report.bound("failed renders", str(failed), "0", failed == 0)
    growth = _change(memory)
    report.bound("PSS, last third to first", f"{growth:+.1%} of {memory[0]:.0f} MiB", "±10 %", abs(growth) <= MEMORY)
    report.bound("zombies over all checks", str(zombies), "0", zombies == 0)
    report.bound("temporary folders", f"{min(folders)} to {max(folders)}", "constant", len(set(folders)) == 1)
    _, running = psutil.wait_procs(left_over, timeout=_LINGER_S)
    report.bound("processes left at the end", str(len(running)), "0", not running)
    drift = last / first - 1
    if renders >= ENOUGH_FOR_DRIFT:
        report.bound("p95, last half to first", f"{drift:+.1%} of {first:.2f} s", "< 15 %", drift < DRIFT)
    else:
        report.note("p95, last half to first", f"{drift:+.1%} of {first:.2f} s")
    return report
