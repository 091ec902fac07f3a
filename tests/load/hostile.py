"""Pages that mean harm beside good ones: does each end in time, and do the good ones notice?"""

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from contracts.errors import ErrorCode
from tests.fixtures import menaces
from tests.fixtures.site import serving
from tests.load.bounds import Report
from tests.load.service import Answer, Service, service, slots

GOOD = ("/static", "/cookies", "/sticky", "/js")
HOSTILE = {
    "popup storm": "/popup-storm",
    "alert loop": "/alert-loop",
    "spin": "/spin-at-once",
    "200,000 px": "/tall",
    "decompression bomb": "/bomb",
    "slow-loris": "/slow",
    "endless redirect": "/redirect-loop",
    "service worker": "/service-worker",
    "20,000 × 20,000 PNG": "/vast-picture",
    "huge download": "/huge-download",
    "endless page": "/huge-page",
}
BUDGET_MS = 10_000
GRACE_S = 2.0
"""What an answer may take beyond the budget: its way back on a machine that is full."""

LOSS = 0.15
SHARE = 20
"""Good jobs for each hostile one: three in sixty."""


@dataclass
class Good:
    """The good clients' work."""

    served: int = 0
    failed: int = 0
    wanted: asyncio.Event = field(default_factory=asyncio.Event)


async def _good_clients(renderer: Service, urls: list[str], tally: Good, stop: asyncio.Event) -> None:
    queue = itertools.cycle(urls)

    async def client() -> None:
        while not stop.is_set():
            answer = await renderer.shoot(next(queue))
            tally.served += answer.good
            tally.failed += not answer.good
            tally.wanted.set()

    await asyncio.gather(*(client() for _ in range(slots())))


async def _until_served(tally: Good, count: int) -> None:
    while tally.served < count:
        tally.wanted.clear()
        await tally.wanted.wait()


async def _rate_alone(renderer: Service, urls: list[str], count: int) -> float:
    tally, stop, begun = Good(), asyncio.Event(), time.perf_counter()
    clients = asyncio.create_task(_good_clients(renderer, urls, tally, stop))
    await _until_served(tally, count)
    rate = tally.served / (time.perf_counter() - begun)
    stop.set()
    await clients
    return rate


async def hostile(rounds: int) -> Report:
    """Measure the good pages alone, with one hostile page among each twenty, and alone again."""
    report = Report(f"Hostile mix: {len(HOSTILE)} kinds × {rounds}, one in {SHARE}, {slots()} browsers")
    menaces.install()
    with serving() as site:
        good = [site.url(path) for path in GOOD]
        async with service(site.host, RENDERER_POISON_S="0") as renderer:
            await _rate_alone(renderer, good, 4 * slots())
            count = SHARE * len(HOSTILE) * rounds
            before = await _rate_alone(renderer, good, count // 2)
            answers, tally, seconds = await _mixed(renderer, good, site.url, rounds)
            after = await _rate_alone(renderer, good, count // 2)
            await renderer.quiet()
            zombies = await renderer.zombies()
    codes = {code.value for code in ErrorCode} - {ErrorCode.INTERNAL.value}
    for name, found in answers.items():
        ends = ", ".join(sorted({f"{answer.status} {answer.code}".strip() for answer in found}))
        longest = max(answer.seconds for answer in found)
        typed = all(answer.good or answer.code in codes for answer in found)
        in_time = longest <= BUDGET_MS / 1000 + GRACE_S
        report.bound(name, f"{ends}; {longest:.1f} s", f"typed, ≤ {BUDGET_MS // 1000} s", typed and in_time)
    alone = (before + after) / 2
    loss = 1 - tally.served / seconds / alone
    report.note("good pages alone, before and after", f"{before:.1f}/s, {after:.1f}/s")
    report.bound("good pages beside them", f"{tally.served / seconds:.1f}/s, {loss:.0%} less", "< 15 %", loss < LOSS)
    report.bound("good pages that failed", str(tally.failed), "0", tally.failed == 0)
    report.bound("zombies", str(zombies), "0", zombies == 0)
    return report


async def _mixed(
    renderer: Service, good: list[str], url: Callable[[str], str], rounds: int
) -> tuple[dict[str, list[Answer]], Good, float]:
    tally, stop, begun = Good(), asyncio.Event(), time.perf_counter()
    clients = asyncio.create_task(_good_clients(renderer, good, tally, stop))
    answers: dict[str, list[Answer]] = {name: [] for name in HOSTILE}

    async def one(name: str, path: str) -> None:
        area = "full_page" if name == "200,000 px" else "first_screen"
        answers[name].append(await renderer.shoot(url(path), BUDGET_MS, area=area))

    running: list[asyncio.Task[None]] = []
    for turn, (name, path) in enumerate([*HOSTILE.items()] * rounds):
        await _until_served(tally, SHARE * turn)
        running.append(asyncio.create_task(one(name, path)))
    await _until_served(tally, SHARE * len(HOSTILE) * rounds)
    await asyncio.gather(*running)
    seconds = time.perf_counter() - begun
    served = Good(tally.served, tally.failed)
    stop.set()
    await clients
    return answers, served, seconds
