"""Many analyses at once in one process, against the fake: `python -m tests.bench.judging [--count 200] [--latency 5]`.

The fake runs as a process of its own and takes `--latency` seconds for every message. Measured from the first call to
the last checked answer: wall time, CPU, stalls of the event loop (how late a 5 ms timer comes), memory above what the
pages themselves take.
"""

import argparse
import asyncio
import io
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Self

import psutil
from PIL import Image, ImageDraw
from pydantic import SecretStr

from analyzer.judged import JudgedPage
from analyzer.judging.claude import Claude
from analyzer.judging.judge import ClaudeJudge
from analyzer.judging.settings import ClaudeSettings
from contracts.analyze import Preset
from contracts.facts import Element, PageFacts, Style
from contracts.geometry import DESKTOP, Box, ViewportName
from contracts.result import PageType, ResultSection
from runtime import logging

TICK_S = 0.005
SECTIONS = 8
ELEMENTS = 15
STYLE = Style(font_px=16, font_weight=400, line_height_px=24, color="#111111", background="#ffffff", contrast=18.9)
WORDS = [
    "grow",
    "your",
    "shop",
    "faster",
    "with",
    "bread",
    "that",
    "sells",
    "itself",
    "every",
    "order",
    "in",
    "one",
    "list",
    "trusted",
    "by",
    "bakers",
]


@contextmanager
def fake(latency_s: float) -> Iterator[str]:
    """Run the fake; give its origin."""
    command = [sys.executable, "-m", "analyzer.fakeclaude", "--port", "0", "--limits", "10000"]
    with subprocess.Popen([*command, "--latency", str(latency_s)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def picture(seed: int) -> bytes:
    """Draw something like a section: areas of colour, lines of text."""
    chosen = random.Random(seed)
    image = Image.new("RGB", (1440, 900), "#ffffff")
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = chosen.randrange(1300), chosen.randrange(800)
        draw.rectangle((x, y, x + chosen.randrange(400), y + chosen.randrange(200)), chosen.randrange(0xFFFFFF))
    for line in range(40):
        draw.text((chosen.randrange(600), 20 * line), " ".join(chosen.choices(WORDS, k=14)), "#222222")
    data = io.BytesIO()
    image.save(data, "JPEG", quality=80)
    return data.getvalue()


def page(number: int, pictures: list[bytes]) -> JudgedPage:
    """Make a page of 8 sections and 120 elements; its pictures are bytes of its own."""
    chosen = random.Random(number)
    elements = [
        Element(
            id=f"e{index}",
            tag="p",
            text=" ".join(chosen.choices(WORDS, k=8)),
            selector=f"p.n{index}",
            box=Box(x=100, y=20 + 60 * index, width=600, height=40),
            style=STYLE,
        )
        for index in range(SECTIONS * ELEMENTS)
    ]
    text = " ".join(one.text for one in elements)
    facts = PageFacts(viewport=DESKTOP, url="https://shop.example/", elements=elements, text=text, page_height=7_200)
    sections = tuple(
        ResultSection(
            id=f"s{index}",
            type="hero" if index == 0 else "features",
            viewport=ViewportName.DESKTOP,
            box=Box(x=0, y=900 * index, width=1440, height=900),
        )
        for index in range(SECTIONS)
    )
    return JudgedPage(
        url="https://shop.example/",
        language="en",
        type=PageType.LANDING,
        facts={ViewportName.DESKTOP: facts},
        sections=sections,
        images={f"s{index}": bytes(bytearray(pictures[index])) for index in range(SECTIONS)},
        findings=(),
        tenant_id="t",
        analysis_id=f"an_{number}",
    )


class Watch:
    """Samples how late timers come, and how much memory the process has."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []
        self.peak = 0
        self._process = psutil.Process()
        self._stop = threading.Event()
        self.before = self._process.memory_info().rss

    def _sample(self) -> None:
        while not self._stop.wait(0.02):
            self.peak = max(self.peak, self._process.memory_info().rss)

    async def __aenter__(self) -> Self:
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        self._ticker = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ticker.cancel()
        self._stop.set()
        self._thread.join()

    async def _tick(self) -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(TICK_S)
            self.late_ms.append(max(0.0, time.perf_counter() - begun - TICK_S) * 1_000)


async def measure(url: str, count: int, keys: int) -> list[str]:
    pictures = [picture(seed) for seed in range(SECTIONS)]
    pages = [page(number, pictures) for number in range(count)]
    begun = time.perf_counter()
    names = ",".join(f"sk-ant-bench-{number}" for number in range(keys))
    settings = ClaudeSettings(anthropic_api_keys=SecretStr(names), anthropic_base_url=url)
    ends: list[float] = []
    cost = Decimal(0)
    async with ClaudeJudge(settings, Claude(settings)) as judge:
        start_up = time.perf_counter() - begun
        async with Watch() as watch:
            begun, cpu = time.perf_counter(), time.process_time()

            async def one(which: JudgedPage) -> Decimal:
                answer = await judge(which, Preset.FAST, 60_000)
                ends.append(time.perf_counter() - begun)
                assert answer.findings
                return Decimal(answer.run.cost_usd)

            cost = sum(await asyncio.gather(*(one(which) for which in pages)), Decimal(0))
            cpu = time.process_time() - cpu
    cuts = statistics.quantiles(watch.late_ms, n=1_000)
    grown = (watch.peak - watch.before) / 2**20
    size = sum(len(data) for data in pictures)
    return [
        f"- {count} analyses at once, {SECTIONS} pictures ({size / 1e6:.2f} MB) each, {keys} API keys",
        f"- start-up {start_up:.2f} s; first answer {min(ends):.2f} s, last answer {max(ends):.2f} s",
        f"- CPU of our process: {cpu:.2f} s, {cpu / count * 1_000:.1f} ms for each analysis",
        f"- event loop late: p50 {cuts[499]:.1f} ms, p99 {cuts[989]:.1f} ms, most {max(watch.late_ms):.1f} ms",
        f"- memory above the pages: {grown:.0f} MiB at the peak, {grown / count:.2f} MiB for each analysis",
        f"- cost by the price table: {cost} USD",
    ]


def report(count: int = 200, latency_s: float = 5.0, keys: int = 4) -> list[str]:
    """Measure; return Markdown."""
    with fake(latency_s) as url:
        lines = asyncio.run(measure(url, count, keys))
    return ["### Calling Claude", "", f"The fake takes {latency_s:g} s for a message.", "", *lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--latency", type=float, default=5.0)
    parser.add_argument("--keys", type=int, default=4)
    options = parser.parse_args()
    logging.configure("bench", "ERROR")
    print("\n".join(report(options.count, options.latency, options.keys)))


if __name__ == "__main__":
    main()
