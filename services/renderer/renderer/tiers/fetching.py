"""The fetch service: everything that the tiers share, made once and closed at the end."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta
from types import TracebackType
from typing import Self

import structlog

from contracts.errors import ErrorCode
from contracts.fetch import FetchRequest, Reason, Tier
from contracts.render import PoolState
from contracts.visit import Visit
from renderer.egress.client import ClientLimits, guarded_client
from renderer.render import Rendered
from renderer.settings import RendererSettings
from renderer.tiers import answer, conditions
from renderer.tiers.body import Caps
from renderer.tiers.fetcher import Fetcher, Order
from renderer.tiers.job import Climb, Job, needs_browser, tiers_for
from renderer.tiers.ladder import Habits, Ladder, Way
from renderer.tiers.memory import HostMemory
from renderer.tiers.places import Places
from renderer.tiers.politeness import Lanes
from renderer.tiers.provider import Provider, provider_client
from renderer.tiers.robots import File, Robots
from renderer.tiers.visitor import visitor
from renderer.tiers.ways import Browsing, Courtesy, Plain, Render
from runtime import netguard
from runtime.dialing import Dial
from runtime.errors import ServiceError
from runtime.netguard import AddressPolicy, Target

log = structlog.get_logger(__name__)

FETCHED = "page_fetched"
_ROBOTS_CAPS = Caps(size=2_000_000)
_ABSENT = 404
_UNREACHABLE = frozenset(
    {ErrorCode.TARGET_DNS, ErrorCode.TARGET_REFUSED, ErrorCode.TARGET_TIMEOUT, ErrorCode.TARGET_TLS}
)


class Fetching:
    """Pages through the tiers. Use as a context manager; one serves the whole process."""

    def __init__(
        self,
        settings: RendererSettings,
        policy: AddressPolicy,
        render: Render,
        pool: Callable[[], PoolState],
        version: Callable[[], str],
        *,
        dial: Dial | None = None,
    ) -> None:
        """`render` is the browser's path, `dial` the way out; `pool` tells room, `version` what Chromium is called."""
        self._settings = settings
        self._policy = policy
        self._pool = pool
        self._version = version
        self._open = AsyncExitStack()
        self._lanes = Lanes(settings.fetch_per_host, settings.fetch_host_queue)
        self._patience = timedelta(seconds=settings.renderer_wait_s)
        self._limits = ClientLimits(connections=settings.fetch_concurrency)
        self._provider = _provider(settings)
        client = guarded_client(policy, self._limits, dial=dial)
        self._open.push_async_callback(client.aclose)
        self._small = Fetcher(client, policy, _ROBOTS_CAPS)
        self._robots = Robots(self._robots_file, settings.fetch_robots_agent)
        self._open.push_async_callback(self._robots.aclose)
        courtesy = Courtesy(self._lanes, self._robots)
        self._caps = Caps(size=settings.fetch_max_mb * 1_000_000)
        ways: dict[Tier, Way] = {
            Tier.STATIC: Plain(
                Fetcher(client, policy, self._caps),
                courtesy,
                Places(settings.fetch_concurrency, self._patience),
                timedelta(seconds=settings.fetch_timeout_s),
            ),
            Tier.BROWSER: Browsing(render, courtesy),
        }
        if self._provider:
            ways[Tier.UNBLOCKER] = self._unblocker(self._provider, courtesy)
        memory = HostMemory(settings.fetch_memory_hosts, timedelta(seconds=settings.fetch_memory_s))
        habits = Habits(timedelta(seconds=settings.fetch_slow_s), settings.fetch_recheck)
        self._ladder = Ladder(ways, memory, habits, lambda: pool().free > 0)

    async def __aenter__(self) -> Self:
        """Start nothing: connections open as they are needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self._open.aclose()

    async def fetch(self, request: FetchRequest) -> Rendered:
        """Return the page and how it was had, artifacts at hand. Raises `ServiceError`."""
        job = self._job(request)
        try:
            async with asyncio.timeout(job.left.total_seconds()):
                climb = await self._ladder.climb(job, _forced(request))
                winner = climb.winner
                assert winner is not None
                if winner.found and winner.found.page and winner.found.seen:
                    conditions.check(request.fail_if, winner.found.page, winner.found.seen)
                had = await answer.rendered(job, climb, winner, self._pool())
        except TimeoutError as exc:
            raise ServiceError(ErrorCode.DEADLINE_EXCEEDED, "The page took longer than the time budget.") from exc
        _note(job, climb)
        return had

    def _job(self, request: FetchRequest) -> Job:
        target = netguard.parse(request.url)
        self._policy.check_target(target)
        tiers = tiers_for(request, self._provider.price if self._provider else None)
        return Job(request, target, visitor(request.visit, target, self._version()), tiers, time.monotonic())

    def _unblocker(self, provider: Provider, courtesy: Courtesy) -> Plain:
        settings = self._settings
        client = provider_client(provider, self._policy, self._limits, settings.unblocker_ca_file)
        self._open.push_async_callback(client.aclose)
        return Plain(
            Fetcher(client, self._policy, self._caps),
            courtesy,
            Places(settings.unblocker_concurrency, self._patience),
            timedelta(seconds=settings.unblocker_timeout_s),
            provider.price,
        )

    async def _robots_file(self, url: str) -> File:
        target = netguard.parse(url)
        visit = visitor(Visit(), target, self._version())
        longest = timedelta(seconds=self._settings.fetch_timeout_s)
        try:
            page = await self._small.get(Order(target, visit, (), self._unasked, longest))
        except ServiceError as exc:
            return File(0 if exc.code in _UNREACHABLE else _ABSENT)
        return File(page.status, page.text)

    def _unasked(self, target: Target) -> AbstractAsyncContextManager[None]:
        return self._lanes.turn(target.host, timedelta(0))


def _forced(request: FetchRequest) -> Reason | None:
    """Return why there is no choice of tiers, or None."""
    if request.tier is not Tier.AUTO:
        return Reason.ASKED
    return Reason.NEEDS_BROWSER_OUTPUT if needs_browser(request) else None


def _provider(settings: RendererSettings) -> Provider | None:
    url = settings.unblocker_proxy_url.get_secret_value()
    return Provider.parse(url, settings.unblocker_cost_usd) if url else None


def _note(job: Job, climb: Climb) -> None:
    if len(climb.tried) > 1:
        outcomes = [f"{tried.tier}: {tried.outcome}" for tried in climb.tried]
        log.info(FETCHED, job_id=job.request.job_id, host=job.target.host, attempts=outcomes)
