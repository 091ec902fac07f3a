"""Whether every browser works again when the storm is over."""

import asyncio
import time

import httpx2

from cro_analyzer import AsyncClient
from tests.load.breaker.cluster import SLOTS, Cluster
from tests.load.breaker.members import Member
from tests.load.breaker.pages import Pages

_ROUNDS = 4
_FREE_S = 60.0


async def stuck(here: Cluster) -> list[str]:
    """Photograph pages on every browser at once, again and again; return what fails, and slots that stay taken."""
    pages = Pages(here.servers.site, first=900_000)
    browsers = SLOTS * len(here.of("renderer"))

    async def one(client: AsyncClient) -> str:
        job = await client.captures.create(pages.new().url, tier="browser", wait=60)
        return "" if job.status == "succeeded" else f"{job.id} {job.status}: {job.error}"

    async with AsyncClient("", here.api) as client:
        ends = await asyncio.gather(*(one(client) for _ in range(_ROUNDS * browsers)))
    return [end for end in ends if end] + [text for each in here.of("renderer") for text in await _taken(each)]


async def _taken(renderer: Member) -> list[str]:
    give_up = time.monotonic() + _FREE_S
    async with httpx2.AsyncClient(base_url=renderer.origin, trust_env=False) as http:
        while True:
            pressure = (await http.get("/pressure")).json()
            if pressure["free"] == pressure["slots"] == SLOTS:
                return []
            if time.monotonic() > give_up:
                return [f"{renderer.name}: {pressure}"]
            await asyncio.sleep(0.2)
