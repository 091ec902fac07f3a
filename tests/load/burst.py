"""Two hundred clients at once, who do what Retry-After says: how much work is done, and how soon is it over?"""

import asyncio
import itertools
import random
import statistics
import time
from collections import Counter

from tests.fixtures.site import serving
from tests.load.bounds import Report, p95
from tests.load.service import Answer, Service, service, slots

CLIENTS = 200
PAGES = ("/static", "/cookies", "/sticky", "/js")
GOODPUT, LATENCY, RECOVERY_S = 0.9, 2.0, 10.0
_PROBE_S = 0.25


async def _closed(renderer: Service, urls: list[str], in_flight: int, for_s: float) -> tuple[float, list[float]]:
    """Keep `in_flight` jobs going; return good answers a second, and their times."""
    queue, seconds = itertools.cycle(urls), list[float]()
    begun = time.perf_counter()

    async def client() -> None:
        while time.perf_counter() - begun < for_s:
            answer = await renderer.shoot(next(queue))
            if answer.good:
                seconds.append(answer.seconds)

    await asyncio.gather(*(client() for _ in range(in_flight)))
    return len(seconds) / (time.perf_counter() - begun), seconds


async def _crowd(renderer: Service, urls: list[str], for_s: float) -> tuple[float, list[Answer]]:
    """Let every client ask at once, obey Retry-After, and ask again when served."""
    queue, answers = itertools.cycle(urls), list[Answer]()
    begun = time.perf_counter()

    async def client() -> None:
        while (left := begun + for_s - time.perf_counter()) > 0:
            answer = await renderer.shoot(next(queue))
            answers.append(answer)
            if answer.retry_after_s:
                await asyncio.sleep(min(left, answer.retry_after_s + random.random()))

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return sum(answer.good for answer in answers) / (time.perf_counter() - begun), answers


async def _recovery_s(renderer: Service, url: str, usual_s: float) -> float:
    """Return the seconds until a single job takes about what it does on an idle machine."""
    begun = time.perf_counter()
    while True:
        answer = await renderer.shoot(url)
        if (answer.good and answer.seconds <= 2 * usual_s) or time.perf_counter() - begun > 6 * RECOVERY_S:
            return time.perf_counter() - begun
        await asyncio.sleep(_PROBE_S)


async def burst(for_s: float) -> Report:
    """Measure the peak, then the crowd, then the calm after it; `for_s` seconds each of the first two."""
    report = Report(f"Burst: {CLIENTS} clients for {for_s:.0f} s, {slots()} browsers")
    with serving() as site:
        urls = [site.url(path) for path in PAGES]
        async with service(site.host) as renderer:
            await _closed(renderer, urls, slots(), 5)
            usual = statistics.median([(await renderer.shoot(urls[0])).seconds for _ in range(10)])
            # Saturation: every browser busy, and a job waiting for each, so that none is ever idle.
            rates = {n: await _closed(renderer, urls, n, for_s / 2) for n in (slots(), 2 * slots())}
            goodput, answers = await _crowd(renderer, urls, for_s)
            recovery = await _recovery_s(renderer, urls[0], usual)
    peak = max(rate for rate, _ in rates.values())
    saturated = p95(rates[2 * slots()][1])
    kinds = Counter("200" if answer.good else f"{answer.status} {answer.code}" for answer in answers)
    refused = [answer for answer in answers if not answer.good]
    untyped = [a for a in refused if (a.status, a.code) != (503, "renderer_busy") or a.retry_after_s is None]
    accepted = p95([answer.seconds for answer in answers if answer.good])
    report.note("one job alone", f"{usual:.2f} s")
    for in_flight, (rate, seconds) in rates.items():
        report.note(f"{in_flight} in flight", f"{rate:.1f}/s, p95 {p95(seconds):.2f} s")
    report.note("answers to the crowd", ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common()))
    report.bound("errors but 503 with Retry-After", str(len(untyped)), "0", not untyped)
    share = goodput / peak
    report.bound("goodput", f"{goodput:.1f}/s, {share:.0%} of peak", "≥ 90 %", share >= GOODPUT)
    ratio = accepted / saturated
    report.bound("p95 of accepted", f"{accepted:.2f} s, {ratio:.2f} × saturation", "≤ 2 ×", ratio <= LATENCY)
    report.bound("recovery", f"{recovery:.1f} s", "≤ 10 s", recovery <= RECOVERY_S)
    return report
