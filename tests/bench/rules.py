"""What the rules cost once the facts are there, in CPU time: `python -m tests.bench rules`."""

import asyncio
import base64
import statistics
import time

import httpx2

from analyzer.measured import Pixels, measure
from analyzer.rules.policy import load
from contracts.facts import PageFacts
from contracts.geometry import VIEWPORTS, ViewportName
from contracts.outputs import Probe
from contracts.render import RenderResult
from tests.bench.contenders import renderer
from tests.fixtures import pages

ROUNDS = 20
Page = tuple[RenderResult, dict[ViewportName, PageFacts]]


def _outputs(probes: list[str]) -> list[dict[str, object]]:
    wanted: list[dict[str, object]] = []
    for name, viewport in VIEWPORTS.items():
        shown = viewport.model_dump()
        wanted += [
            {"kind": "screenshot", "name": f"{area}.{name}", "area": area, "viewport": shown}
            for area in ("full_page", "sections")
        ]
        wanted.append({"kind": "facts", "name": f"facts.{name}", "viewport": shown, "probes": probes})
    return wanted


async def _render(client: httpx2.AsyncClient, url: str, probes: list[str]) -> Page:
    answer = await client.post("/render", json={"url": url, "outputs": _outputs(probes), "budget_ms": 60_000})
    answer.raise_for_status()
    result = RenderResult.model_validate_json(answer.content)
    facts = {
        name: PageFacts.model_validate_json(base64.b64decode(result.artifacts[f"facts.{name}"].data or ""))
        for name in ViewportName
    }
    return result, facts


async def _pages() -> tuple[dict[str, Page], dict[str, float]]:
    """Return the pages with all probes, and each one's time for reading without any."""
    for name in pages.PACKAGES:
        pages.fetch(name)
    server = pages.serve(pages.CACHE)
    host = f"127.0.0.1:{server.server_port}"
    found: dict[str, Page] = {}
    bare: dict[str, float] = {}
    async with (
        renderer(host, 1) as contender,
        httpx2.AsyncClient(base_url=contender.base, timeout=120, trust_env=False) as client,
    ):
        for name in pages.PACKAGES:
            url = f"http://{host}/{name}/index.html"
            bare[name] = (await _render(client, url, []))[0].timings.facts_ms
            found[name] = await _render(client, url, [probe.value for probe in Probe])
    server.shutdown()
    server.server_close()
    return found, bare


def _cpu_ms(page: Page) -> list[float]:
    result, facts = page
    policy, pixels = load(), Pixels("an_bench", tuple(result.sections))
    measure(facts, pixels, policy)
    times = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        measure(facts, pixels, policy)
        times.append((time.process_time() - begun) * 1000)
    return times


def report() -> list[str]:
    """Judge both viewports of the six real pages, again and again."""
    found, bare = asyncio.run(_pages())
    rows, medians = [], []
    for name, page in found.items():
        times = sorted(_cpu_ms(page))
        medians.append(statistics.median(times))
        elements = sum(len(facts.elements) for facts in page[1].values())
        axe = " / ".join(f"{facts.axe.run_ms:.0f}" if facts.axe else "none" for facts in page[1].values())
        reading = f"{bare[name]:.0f} | {page[0].timings.facts_ms:.0f}"
        rows.append(f"| {name} | {elements} | {medians[-1]:.1f} | {times[-1]:.1f} | {axe} | {reading} |")
    return [
        "### Rules: CPU milliseconds for a page in both viewports, sections and findings included",
        "",
        f"Median of the six pages: {statistics.median(medians):.1f} ms ({ROUNDS} rounds each).",
        "",
        "| page | elements | p50 | worst | axe-core, wall ms desktop / phone | facts ms without probes | with all |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
    ]
