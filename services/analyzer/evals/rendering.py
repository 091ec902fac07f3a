"""Pages through the real renderer: what an analysis would be given."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2

from contracts.facts import PageFacts
from contracts.geometry import VIEWPORTS, ViewportName
from contracts.outputs import Probe
from contracts.render import RenderResult
from tests.bench.contenders import renderer

BUDGET_MS = 60_000
_QUIET = {"quiet_ms": 200, "max_ms": 8_000}


@dataclass(frozen=True)
class Rendered:
    """What the renderer answered, and the facts in it."""

    result: RenderResult
    facts: Mapping[ViewportName, PageFacts]


@dataclass(frozen=True)
class Studio:
    """A running renderer."""

    client: httpx2.AsyncClient

    async def facts(self, url: str, viewport: ViewportName, probes: Iterable[Probe] = ()) -> PageFacts:
        """Render a page in one viewport for its facts alone. Raises AssertionError where the renderer refuses."""
        shown, asked = VIEWPORTS[viewport].model_dump(), [probe.value for probe in probes]
        wanted = [{"kind": "facts", "name": "facts", "viewport": shown, "probes": asked}]
        body = {"url": url, "outputs": wanted, "budget_ms": BUDGET_MS, "settle": _QUIET}
        answer = await self.client.post("/render", json=body)
        assert answer.status_code == httpx2.codes.OK, answer.text
        return PageFacts.model_validate_json(answer.content)

    async def everything(self, url: str) -> Rendered:
        """Render a page as an analysis does."""
        wanted: list[dict[str, object]] = []
        for name, viewport in VIEWPORTS.items():
            shown = viewport.model_dump()
            wanted += [
                {"kind": "screenshot", "name": f"{area}.{name}", "area": area, "viewport": shown}
                for area in ("first_screen", "full_page", "sections")
            ]
            probes = [probe.value for probe in Probe]
            wanted.append({"kind": "facts", "name": f"facts.{name}", "viewport": shown, "probes": probes})
        return await self.render(url, wanted)

    async def render(self, url: str, outputs: list[dict[str, object]]) -> Rendered:
        """Raises AssertionError with the renderer's own words where it refuses."""
        body = {"url": url, "outputs": outputs, "budget_ms": BUDGET_MS}
        answer = await self.client.post("/render", json=body)
        assert answer.status_code == httpx2.codes.OK, answer.text
        result = RenderResult.model_validate_json(answer.content)
        found = {}
        for name in ViewportName:
            artifact = result.artifacts.get(f"facts.{name}")
            if artifact is not None and artifact.data is not None:
                found[name] = PageFacts.model_validate_json(base64.b64decode(artifact.data))
        return Rendered(result, found)


@asynccontextmanager
async def studio(hosts: str, slots: int = 2) -> AsyncIterator[Studio]:
    """Start a renderer that may open these loopback hosts; it ends with the block."""
    async with (
        renderer(hosts, slots) as contender,
        httpx2.AsyncClient(base_url=contender.base, timeout=BUDGET_MS / 1000 + 5, trust_env=False) as client,
    ):
        yield Studio(client)


async def each(studio: Studio, urls: Mapping[str, str]) -> dict[str, Rendered]:
    """Render pages as analyses do, two at a time."""
    gate = asyncio.Semaphore(2)

    async def one(url: str) -> Rendered:
        async with gate:
            return await studio.everything(url)

    rendered = await asyncio.gather(*(one(url) for url in urls.values()))
    return dict(zip(urls, rendered, strict=True))
