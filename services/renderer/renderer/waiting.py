"""The line before the pool: bounded, first come first served, and able to say when to come back."""

import asyncio
import heapq
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from prometheus_client import Gauge

from runtime.errors import ServiceError

WAITING = Gauge("cro_renderer_waiting_jobs", "Jobs that wait for a browser")

SHORTEST_S, LONGEST_S = 1.0, 60.0
"""Bounds of Retry-After: a second is the header's grain, and beyond a minute an estimate is a guess."""

S = TypeVar("S")


class Line(Generic[S]):
    """Who waits for a slot."""

    def __init__(self, places: int, take_back: Callable[[S], None]) -> None:
        """`take_back` gets a slot that was handed to somebody who had just left."""
        self._places = places
        self._take_back = take_back
        self._waiters: deque[asyncio.Future[S]] = deque()

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiters)

    @property
    def full(self) -> bool:
        """Whether the next one has to be refused."""
        return len(self._waiters) >= self._places

    async def wait(self, longest_s: float) -> S:
        """Wait for a slot. Raises `TimeoutError`, or what the line was ended with."""
        waiter: asyncio.Future[S] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        WAITING.set(len(self._waiters))
        try:
            async with asyncio.timeout(longest_s):
                return await waiter
        except (TimeoutError, asyncio.CancelledError):
            if waiter.done() and not waiter.cancelled() and not waiter.exception():
                self._take_back(waiter.result())
            raise
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            WAITING.set(len(self._waiters))

    def hand(self, slot: S) -> bool:
        """Give the slot to whoever waits longest; False when nobody does."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(slot)
                return True
        return False

    def end(self, error: ServiceError) -> None:
        """Refuse everybody who waits."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(error)


class Promises:
    """Who has been told to come back, and when: they will be ahead of whoever is refused next."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nobody has been told anything."""
        self._clock = clock
        self._due: list[float] = []

    def __len__(self) -> int:
        """Return how many are still to come back."""
        now = self._clock()
        while self._due and self._due[0] <= now:
            heapq.heappop(self._due)
        return len(self._due)

    def add(self, seconds: float) -> None:
        """Note that somebody was told to come back in `seconds`; not when that is the longest, which all are told."""
        if seconds < LONGEST_S:
            heapq.heappush(self._due, self._clock() + seconds)


_RETURN = 0.8
"""Share of the refused that is expected back; with none missing, the line is a little fuller than promised."""


def retry_after_s(queued: int, promised: int, slots: int, turnaround_s: float) -> float:
    """Return when a newcomer would be served: after all who wait or were told to come back, at the rate of draining.

    Everybody told the same would come back together, and nearly all be refused again. `turnaround_s` is what one job
    occupies a slot for, clearing up included; `slots` of them work side by side.
    """
    drained_per_s = max(1, slots) / max(turnaround_s, 0.001)
    return min(LONGEST_S, max(SHORTEST_S, (queued + _RETURN * promised + 1) / drained_per_s))
