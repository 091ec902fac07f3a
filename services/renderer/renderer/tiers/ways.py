"""The ways to a page: plain HTTP, directly or through a provider, and the browser in this process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal

from contracts.errors import ErrorCode
from contracts.fetch import FetchRequest
from contracts.outputs import DocumentOutput
from renderer.render import Piece, Rendered
from renderer.tiers.fetcher import Fetcher, Order, Turn
from renderer.tiers.job import Found, Job, needs_browser
from renderer.tiers.page import Kind, Page
from renderer.tiers.places import Places
from renderer.tiers.politeness import Lanes
from renderer.tiers.robots import Robots
from renderer.tiers.seen import Seen, look
from renderer.tiers.verdict import judge, judge_rendered, judge_title
from runtime.errors import ServiceError
from runtime.netguard import Target

PROBE = "tiers.probe"
_BIG = 200_000
"""Characters from which a page is parsed beside the event loop: 4 ms and more."""

_ANSWERING_MS = 200
_SHORTEST_MS = 1_000
_GLANCE = 20_000

Render = Callable[[FetchRequest], Awaitable[Rendered]]


class Courtesy:
    """What is asked and waited for before each request to a host."""

    def __init__(self, lanes: Lanes, robots: Robots) -> None:
        """Both are shared by all tiers."""
        self._lanes = lanes
        self._robots = robots

    def turn(self, job: Job) -> Turn:
        """Return how `job` waits for its turn. It raises `ServiceError` RENDERER_BUSY or ROBOTS_DISALLOWED."""

        @asynccontextmanager
        async def turn(target: Target) -> AsyncIterator[None]:
            if job.request.politeness.robots:
                await self._robots.check(target)
            async with self._lanes.turn(target.host, job.delay):
                yield

        return turn


class Plain:
    """Plain HTTP: within a time, so many at once, at a price."""

    def __init__(
        self, fetcher: Fetcher, courtesy: Courtesy, places: Places, longest: timedelta, price: Decimal = Decimal(0)
    ) -> None:
        """Each exchange may take `longest`; each page that is had costs `price` US dollars."""
        self._fetcher = fetcher
        self._courtesy = courtesy
        self._places = places
        self._longest = longest
        self._price = price

    async def __call__(self, job: Job) -> Found:
        """Fetch and judge the page. Raises `ServiceError`."""
        cookies = tuple(job.request.visit.cookies)
        order = Order(job.target, job.visitor, cookies, self._courtesy.turn(job), self._longest)
        async with self._places.one():
            page = await self._fetcher.get(order)
        seen = await _seen(page)
        verdict = judge(page.status, page.headers, seen)
        return Found(page.status, page.wire_bytes, verdict, page=page, seen=seen, cost_usd=self._price)


class Browsing:
    """The browser: the render path of this process, without its uploads."""

    def __init__(self, render: Render, courtesy: Courtesy) -> None:
        """`render` does one job within its `budget_ms`."""
        self._render = render
        self._courtesy = courtesy

    async def __call__(self, job: Job) -> Found:
        """Render and judge the page. Raises `ServiceError`."""
        async with self._courtesy.turn(job)(job.target):
            rendered = await self._render(_order(job))
        probe = next((piece for piece in rendered.pieces if _shows_html(piece)), None)
        rendered = _without_probe(rendered)
        result = rendered.result
        size = sum(piece.artifact.bytes for piece in rendered.pieces)
        if probe is None:
            return Found(result.http_status, size, judge_title(result.http_status, result.title), rendered=rendered)
        seen = await _parsed(probe.data.decode("utf-8", "replace"))
        verdict = judge_rendered(result.http_status, result.response_headers, seen)
        return Found(result.http_status, size, verdict, seen=seen, rendered=rendered)


def _order(job: Job) -> FetchRequest:
    """Return the browser's part: what is left of the budget, and the page's HTML to judge where that costs nothing."""
    budget_ms = round(job.left.total_seconds() * 1_000) - _ANSWERING_MS
    if budget_ms < _SHORTEST_MS:
        raise ServiceError(ErrorCode.DEADLINE_EXCEEDED, "The time budget ran out before a browser could be used.")
    request = job.request
    outputs = list(request.outputs)
    if not needs_browser(request) and not any(output.kind == "html" for output in outputs):
        outputs.append(DocumentOutput(kind="html", name=PROBE, viewport=outputs[0].viewport))
    return request.model_copy(update={"uploads": {}, "budget_ms": budget_ms, "outputs": outputs})


def _shows_html(piece: Piece) -> bool:
    return piece.artifact.content_type.startswith("text/html")


def _without_probe(rendered: Rendered) -> Rendered:
    artifacts = {name: artifact for name, artifact in rendered.result.artifacts.items() if name != PROBE}
    result = rendered.result.model_copy(update={"artifacts": artifacts})
    return Rendered(result, [piece for piece in rendered.pieces if piece.artifact.name != PROBE])


async def _seen(page: Page) -> Seen:
    if page.kind is Kind.HTML:
        return await _parsed(page.text)
    return Seen(html=page.text[:_GLANCE], text=page.text[:_GLANCE])


async def _parsed(html: str) -> Seen:
    return await asyncio.to_thread(look, html) if len(html) > _BIG else look(html)
