"""How one host is treated: requests to it take turns, keep their distance, and are few at a time."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from contracts.errors import ErrorCode
from runtime.errors import ServiceError

Sleep = Callable[[float], Awaitable[None]]


class _Lane:
    """The requests to one host."""

    def __init__(self, abreast: int) -> None:
        self.users = 0
        self.free = asyncio.Semaphore(abreast)
        self.start = asyncio.Lock()
        self.last = float("-inf")


class Lanes:
    """One lane for each host that is being visited; within a lane, first come is first served.

    A lane is dropped once it is empty and its last start no longer matters.
    """

    def __init__(
        self, abreast: int, waiting: int, clock: Callable[[], float] = time.monotonic, sleep: Sleep = asyncio.sleep
    ) -> None:
        """Let `abreast` requests run against one host and `waiting` more wait for it."""
        self._abreast = abreast
        self._most = abreast + waiting
        self._clock = clock
        self._sleep = sleep
        self._lanes: dict[str, _Lane] = {}
        self._paced: dict[str, float] = {}

    def __len__(self) -> int:
        """Return how many hosts have a lane."""
        return len(self._lanes)

    @asynccontextmanager
    async def turn(self, host: str, delay: timedelta) -> AsyncIterator[None]:
        """Wait until a request to `host` may go, at least `delay` after the last start; hold its place while it runs.

        Raises `ServiceError` RENDERER_BUSY when too many wait for the host already.
        """
        lane = self._lanes.get(host) or self._open(host)
        if lane.users >= self._most:
            raise ServiceError(
                ErrorCode.RENDERER_BUSY,
                "Too many requests wait for this host. Try again later.",
                reason=f"{host}: {lane.users} requests",
                retry_after_s=max(1.0, delay.total_seconds()),
            )
        lane.users += 1
        try:
            async with lane.free:
                if delay:
                    await self._keep_distance(lane, delay.total_seconds())
                else:
                    lane.last = self._clock()
                yield
        finally:
            lane.users -= 1
            self._close(host, lane)

    async def _keep_distance(self, lane: _Lane, delay_s: float) -> None:
        async with lane.start:
            while (wait := lane.last + delay_s - self._clock()) > 0:
                await self._sleep(wait)
            lane.last = self._clock()

    def _open(self, host: str) -> _Lane:
        lane = self._lanes[host] = _Lane(self._abreast)
        lane.last = self._paced.pop(host, lane.last)
        return lane

    def _close(self, host: str, lane: _Lane) -> None:
        if lane.users:
            return
        del self._lanes[host]
        self._paced.pop(host, None)
        # The last start outlives the lane: two jobs in a row for one host keep their distance as well.
        self._paced[host] = lane.last
        while len(self._paced) > _REMEMBERED:
            del self._paced[next(iter(self._paced))]


_REMEMBERED = 10_000
