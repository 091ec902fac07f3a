"""A page that ends a browser gets one more chance, alone, and then none for a while (docs/adr/0014)."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import Generic, TypeVar

import structlog

from contracts.errors import ErrorCode, Fault
from renderer import machine
from renderer.cdp import BrowserGone
from renderer.poison import EVENTS, Event, Poison, Verdict
from renderer.pool import Pool
from renderer.slots import Resource
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

_WORTH_S = 1.0
"""Budget below which a second attempt could not even load a page."""

T = TypeVar("T", bound=Resource)
R = TypeVar("R")


class _StepAsideError(Exception):
    """The page became a suspect while this job waited for its slot."""


class Isolation(Generic[T]):
    """Runs jobs in a pool, and keeps those that end browsers apart."""

    def __init__(
        self, pool: Pool[T], keep_s: float, queue: int, memory_kills: Callable[[], int] = machine.memory_kills
    ) -> None:
        """Remember a page for `keep_s` seconds; let at most `queue` jobs wait for their turn alone."""
        self.pool = pool
        self.poison = Poison(keep_s)
        self._queue = queue
        self._memory_kills = memory_kills
        self._alone = asyncio.Lock()
        self._apart = 0

    async def run(self, url: str, work: Callable[[T], Awaitable[R]], within: timedelta) -> R:
        """Do what `Pool.run` does; a job that ends its browser is done once more, alone. Raises `ServiceError`.

        The second failure is page_crashed. While a page is known to end browsers, further jobs for it run alone, one
        after the other; once it is certain, they fail at once and cost no browser.
        """
        deadline = time.monotonic() + within.total_seconds()
        killed = self._memory_kills()
        if self.poison.verdict(url) is Verdict.UNKNOWN:
            try:
                return await self.pool.run(self._unless_suspect(url, work), within)
            except _StepAsideError:
                pass
            except ServiceError as exc:
                if not _ends_browsers(exc):
                    raise
                self.poison.suspect(url)
                if deadline - time.monotonic() < _WORTH_S:
                    raise
        return await self._apart_from_others(url, work, deadline, killed)

    def _unless_suspect(self, url: str, work: Callable[[T], Awaitable[R]]) -> Callable[[T], Awaitable[R]]:
        async def guarded(resource: T) -> R:
            if self.poison.verdict(url) is not Verdict.UNKNOWN:
                raise _StepAsideError
            return await work(resource)

        return guarded

    async def _apart_from_others(self, url: str, work: Callable[[T], Awaitable[R]], deadline: float, killed: int) -> R:
        if self._apart > self._queue:
            raise self.pool.busy()
        self._apart += 1
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                await self._alone.acquire()
        except TimeoutError as exc:
            raise self.pool.busy() from exc
        finally:
            self._apart -= 1
        try:
            return await self._once_more(url, work, deadline, killed)
        finally:
            self._alone.release()

    async def _once_more(self, url: str, work: Callable[[T], Awaitable[R]], deadline: float, killed: int) -> R:
        if self.poison.verdict(url) is Verdict.CONDEMNED:
            EVENTS.labels(Event.REFUSED.value).inc()
            raise _poisonous()
        starved = self._memory_kills() > killed
        # Where memory ran out, "alone" means the machine: what starts beside it would only be the next to be killed.
        meanwhile = self.pool.hold() if starved else nullcontext()
        try:
            result = await self.pool.run_alone(work, timedelta(seconds=deadline - time.monotonic()), meanwhile)
        except ServiceError as exc:
            if _ends_browsers(exc):
                self.poison.condemn(url)
                log.warning("page_condemned", reason=exc.reason, starved=starved)
                raise _poisonous() from exc
            if exc.code.fault is Fault.TARGET:
                self.poison.clear(url)
            raise
        self.poison.clear(url)
        return result


def _ends_browsers(error: ServiceError) -> bool:
    return error.code is ErrorCode.PAGE_CRASHED or isinstance(error, BrowserGone)


def _poisonous() -> ServiceError:
    detail = "The page crashed the browser twice, the second time with nothing else in it. It is left alone for now."
    return ServiceError(ErrorCode.PAGE_CRASHED, detail)
