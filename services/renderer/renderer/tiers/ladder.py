"""From the cheapest tier upwards: where to begin, when to go on, and which attempt is the answer."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import structlog
from prometheus_client import Counter, Histogram

from contracts.errors import ErrorCode
from contracts.fetch import Reason, Tier
from renderer.tiers.job import Climb, Found, Job, Tried
from renderer.tiers.memory import HostMemory
from renderer.tiers.verdict import Finding
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

ATTEMPTS = Counter("cro_fetch_attempts_total", "Pages tried", ["tier", "outcome"])
SECONDS = Histogram(
    "cro_fetch_attempt_seconds", "Time of one try", ["tier"], buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60)
)
COST = Counter("cro_fetch_cost_usd_total", "What the unblocker's provider bills")

Way = Callable[[Job], Awaitable[Found]]

_PASSING = frozenset({ErrorCode.TARGET_REFUSED, ErrorCode.TARGET_TIMEOUT, ErrorCode.TARGET_TLS, ErrorCode.PAGE_EMPTY})
"""Failures that another way may not have: sites drop clients by their handshake, and Chromium fetches certificates
that a server forgot to send. A host without an address or a forbidden one is so for every tier."""

_BROWSER_PASSING = _PASSING | {ErrorCode.TARGET_STATUS, ErrorCode.TARGET_AUTH}
_RICHER = (2.0, 500)
"""A browser's text counts as more when it is twice as long and 500 characters longer."""


@dataclass(frozen=True)
class Habits:
    """`slow`: time that plain HTTP has before a browser starts beside it. `recheck`: share of requests, 0 to 1."""

    slow: timedelta = timedelta(seconds=3)
    recheck: float = 0.05


@dataclass(frozen=True)
class _Run:
    tier: Tier
    reason: Reason
    task: asyncio.Task[Tried]

    def result(self) -> Tried:
        if not self.task.cancelled():
            return self.task.result()
        return Tried(self.tier, self.reason, 0, error=ServiceError(ErrorCode.CANCELLED, "Another tier was faster."))


async def _first_good(tasks: Iterable[asyncio.Task[Tried]]) -> None:
    """Return once one of `tasks` has the page, or all have ended."""
    waiting = set(tasks)
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if any(task.result().good for task in done):
            return


class Ladder:
    """The tiers in order, and what is remembered of hosts."""

    def __init__(
        self,
        ways: Mapping[Tier, Way],
        memory: HostMemory,
        habits: Habits,
        room: Callable[[], bool],
        dice: Callable[[], float] = random.random,
    ) -> None:
        """`room` tells whether a browser is free now; `dice` gives numbers from 0 to 1."""
        self._ways = ways
        self._memory = memory
        self._habits = habits
        self._room = room
        self._dice = dice

    async def climb(self, job: Job, forced: Reason | None) -> Climb:
        """Return all attempts and the one that is the answer; `forced` is why there is no choice.

        Raises `ServiceError`.
        """
        climb = Climb()
        step: tuple[Tier, Reason] | None = (job.tiers[0], forced) if forced else _go_on(job) or self._begin(job)
        while step:
            await self._step(job, *step, climb)
            step = None if climb.tried[-1].good else _next(job, climb)
        climb.winner = climb.tried[-1] if climb.tried[-1].good else _best(climb)
        if climb.winner.good and not forced:
            await self._learn(job, climb, climb.winner)
        return climb

    def _begin(self, job: Job) -> tuple[Tier, Reason]:
        known = self._memory.recall(job.site)
        if known is None:
            return job.tiers[0], Reason.FIRST
        if known not in job.tiers:
            return job.tiers[-1], Reason.REMEMBERED
        if known is not job.tiers[0] and self._dice() < self._habits.recheck:
            return job.tiers[0], Reason.RECHECK
        return known, Reason.REMEMBERED

    async def _step(self, job: Job, tier: Tier, reason: Reason, climb: Climb) -> None:
        """Try one tier, and beside a slow static one the browser; the last attempt noted is the one that counts."""
        if tier is not Tier.STATIC or Tier.BROWSER not in job.tiers:
            climb.tried.append(await self._try(job, tier, reason))
            return
        running = [_Run(tier, reason, asyncio.create_task(self._try(job, tier, reason)))]
        try:
            await asyncio.wait([running[0].task], timeout=self._habits.slow.total_seconds())
            if not running[0].task.done():
                browser = asyncio.create_task(self._try(job, Tier.BROWSER, Reason.SLOW))
                running.append(_Run(Tier.BROWSER, Reason.SLOW, browser))
                await _first_good(run.task for run in running)
        finally:
            for run in running:
                run.task.cancel()
            await asyncio.wait([run.task for run in running])
        results = [run.result() for run in running]
        climb.tried += sorted(results, key=lambda tried: (tried.good, _height(tried.tier)))

    async def _try(self, job: Job, tier: Tier, reason: Reason) -> Tried:
        begun = time.monotonic()
        found: Found | None = None
        error: ServiceError | None = None
        try:
            found = await self._ways[tier](job)
        except ServiceError as exc:
            error = exc
        seconds = time.monotonic() - begun
        cost = found.cost_usd if found else Decimal(0)
        tried = Tried(tier, reason, seconds * 1_000, found, error, cost)
        ATTEMPTS.labels(tier.value, tried.outcome).inc()
        SECONDS.labels(tier.value).observe(seconds)
        COST.inc(float(cost))
        return tried

    async def _learn(self, job: Job, climb: Climb, good: Tried) -> None:
        """Remember what worked; now and then see whether the browser would have had more."""
        if good.tier is Tier.STATIC and good.reason is Reason.REMEMBERED and self._wants_more(job):
            other = await self._try(job, Tier.BROWSER, Reason.RECHECK)
            climb.tried.append(other)
            if _richer(other, good):
                climb.winner = good = other
        self._memory.remember(job.site, good.tier)

    def _wants_more(self, job: Job) -> bool:
        allowed = Tier.BROWSER in job.tiers or job.request.spare_browser
        return allowed and self._dice() < self._habits.recheck and self._room()


def _go_on(job: Job) -> tuple[Tier, Reason] | None:
    """Return the tier after those that were tried for this page before it came here, and why it is tried."""
    before = job.request.climbed
    dearer = [tier for tier in job.tiers if all(_height(tier) > _height(attempt.tier) for attempt in before)]
    if not before or not dearer:
        return None
    last = before[-1]
    if last.error:
        return dearer[0], Reason.FAILED
    blocked = last.outcome == Finding.BLOCKED
    return dearer[0], Reason.BLOCKED if blocked else Reason.NEEDS_JAVASCRIPT


def _next(job: Job, climb: Climb) -> tuple[Tier, Reason] | None:
    """Return the next dearer tier and why it is tried; None when nothing dearer can help."""
    last = climb.tried[-1]
    beaten = {tried.tier for tried in climb.tried}
    dearer = [tier for tier in job.tiers if tier not in beaten and _height(tier) > _height(last.tier)]
    if not dearer:
        return None
    if last.error:
        passing = _PASSING if last.tier is Tier.STATIC else _BROWSER_PASSING
        return (dearer[0], Reason.FAILED) if last.error.code in passing else None
    finding = last.found.verdict.finding if last.found else Finding.PAGE
    if finding is Finding.BLOCKED:
        return dearer[0], Reason.BLOCKED
    return (Tier.BROWSER, Reason.NEEDS_JAVASCRIPT) if Tier.BROWSER in dearer else None


def _best(climb: Climb) -> Tried:
    """Return the attempt that is answered with when none is good. Raises `ServiceError`."""
    last = climb.tried[-1]
    # A provider that fails takes nothing away from what was had before it.
    standing = [tried for tried in climb.tried if tried.found and not tried.found.verdict.certain]
    if last.error and last.tier is Tier.UNBLOCKER and len(climb.tried) > 1:
        if standing:
            return standing[-1]
        raise _blocked(climb)
    if last.error:
        raise last.error
    if last.found and last.found.verdict.certain:
        raise _blocked(climb)
    return last


def _blocked(climb: Climb) -> ServiceError:
    signs = [f"{tried.tier}: {tried.found.verdict.sign}" for tried in climb.tried if tried.found]
    highest = climb.tried[-1].tier
    detail = f"The site shows a block page to automated visitors; the {highest} tier did not get past it."
    return ServiceError(ErrorCode.TARGET_BLOCKED, detail, reason=", ".join(signs))


def _richer(other: Tried, good: Tried) -> bool:
    if not (other.good and other.found and good.found and other.found.seen and good.found.seen):
        return False
    times, more = _RICHER
    mine, theirs = len(good.found.seen.text), len(other.found.seen.text)
    return theirs >= times * mine and theirs >= mine + more


def _height(tier: Tier) -> int:
    return (Tier.STATIC, Tier.BROWSER, Tier.UNBLOCKER).index(tier)
