"""One page alone against one page in a message batch: cost and calls: `python -m tests.bench.bulk [--count 200]`.

Against the fake, whose answers are of one length for all. The batch ends after an hour, and each ticket is looked after
as the gateway does it. Pictures differ from page to page, as they do in life: that is where most calls come from.
"""

import argparse
import asyncio
import heapq
import io
from collections import Counter, deque
from datetime import timedelta
from decimal import Decimal

from PIL import Image
from pydantic import SecretStr

from analyzer.fakeclaude.server import FakeServer
from analyzer.judged import JudgedPage, Judgement
from analyzer.judging.batches import Batches
from analyzer.judging.bulk import Bulk
from analyzer.judging.claude import Claude
from analyzer.judging.judge import ClaudeJudge
from analyzer.judging.results import Results
from analyzer.judging.settings import ClaudeSettings
from contracts.analyze import Preset
from contracts.result import Ticket, TicketState
from gateway.jobs.delays import until_batched
from runtime import logging
from tests.bench import judging

BATCH_S = 3_600
AT_ONCE = 50
BUDGET_MS = 110_000


class Time:
    """Seconds since 1970, for the fake and for us; only `now` moves it."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def _pages(count: int) -> list[JudgedPage]:
    drawn = [Image.open(io.BytesIO(judging.picture(seed))).convert("RGB") for seed in range(judging.SECTIONS)]
    return [judging.page(number, [_marked(image, number) for image in drawn]) for number in range(count)]


def _marked(image: Image.Image, number: int) -> bytes:
    image.paste((number % 256, number // 256, 128), (0, 0, 64, 64))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=80)
    return data.getvalue()


async def _alone(judge: ClaudeJudge, pages: list[JudgedPage], preset: Preset) -> list[Judgement]:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(page: JudgedPage) -> Judgement:
        async with room:
            return await judge(page, preset, BUDGET_MS)

    return await asyncio.gather(*(one(page) for page in pages))


async def _handed_in(bulk: Bulk, pages: list[JudgedPage], preset: Preset) -> list[Ticket]:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(page: JudgedPage) -> Judgement | Ticket:
        async with room:
            return await bulk.hand_in(page, preset, BUDGET_MS)

    given = await asyncio.gather(*(one(page) for page in pages))
    return [one for one in given if isinstance(one, Ticket)]


async def _looked_after(bulk: Bulk, given: list[Ticket], time: Time) -> int:
    """Look until every ticket is ready; return how often."""
    begun, looks = time.now, 0
    due = [(begun + until_batched(timedelta()).total_seconds(), number) for number in range(len(given))]
    heapq.heapify(due)
    while due:
        time.now, number = heapq.heappop(due)
        looks += 1
        if await bulk.look(given[number]) is not TicketState.READY:
            delay = until_batched(timedelta(seconds=time.now - begun))
            heapq.heappush(due, (time.now + delay.total_seconds(), number))
    return looks


def _calls(fake: FakeServer) -> Counter[str]:
    """Count what reached the fake, and forget it."""
    kinds: Counter[str] = Counter()
    for entry in fake.state.log:
        path = str(entry["path"])
        kind = "results" if path.endswith("/results") else path.split("/")[2]
        if path.startswith("/v1/messages/batches") and kind != "results":
            kind = "batches sent" if entry["method"] == "POST" else "looks"
        kinds[kind] += 1
    fake.state.log.clear()
    return kinds


def _bill(answers: list[Judgement]) -> Decimal:
    return sum((Decimal(one.run.cost_usd) for one in answers), Decimal(0))


async def _measure(fake: FakeServer, pages: list[JudgedPage], preset: Preset) -> list[str]:
    time = Time()
    fake.state.clock = time
    fake.state.batch_s = BATCH_S
    settings = ClaudeSettings(
        anthropic_api_key=SecretStr("sk-ant-bench"), anthropic_base_url=fake.url, claude_bulk_wait_seconds=3
    )
    claude = Claude(settings)
    async with ClaudeJudge(settings, claude) as judge:
        alone = await _alone(judge, pages, preset)
        ordinary = _calls(fake)
        batches = Batches(claude, wall=time)
        bulk = Bulk(judge, batches, settings, Results(batches, time, time))
        given = await _handed_in(bulk, pages, preset)
        looks = await _looked_after(bulk, given, time)
        them = zip(pages, given, strict=True)
        redeemed = [await bulk.redeem(page, preset, BUDGET_MS, ticket) for page, ticket in them]
        batched = [one for one in redeemed if isinstance(one, Judgement)]
        in_bulk = _calls(fake)
    assert len(batched) == len(pages) == len(alone)
    usual, half = _bill(alone), _bill(batched)
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(in_bulk.items()))
    count = len(pages)
    return [
        f"- `{preset}`, a page alone: {usual / count:.5f} USD, {sum(ordinary.values())} calls for {count} pages",
        f"- `{preset}`, in bulk: {half / count:.5f} USD ({half / usual:.2f} of that), {sum(in_bulk.values())} calls",
        f"- `{preset}`: the calls in bulk: {said}",
        f"- `{preset}`: {looks} looks by the gateway at {count} tickets were {in_bulk['looks']} calls to the provider",
    ]


def report(count: int = 200) -> list[str]:
    """Measure; return Markdown."""
    pages = _pages(count)
    lines = ["### Bulk", "", f"{judging.SECTIONS} pictures a page; batches end after an hour.", ""]
    for preset in (Preset.FAST, Preset.STANDARD):
        with FakeServer() as fake:
            fake.state.log = deque()
            fake.state.limits = dict.fromkeys(fake.state.limits, 10**9)
            lines += asyncio.run(_measure(fake, pages, preset))
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    logging.configure("bench", "ERROR")
    print("\n".join(report(parser.parse_args().count)))


if __name__ == "__main__":
    main()
