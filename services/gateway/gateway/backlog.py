"""Refusing work that would only wait: better a time to come back than a place in an endless queue."""

import asyncio
import math
import random
import time
from collections.abc import Callable

from contracts.errors import ErrorCode
from gateway import metrics
from gateway.db import Database
from gateway.jobs import flow
from gateway.jobs.flow import Flow
from runtime.errors import ServiceError

_FRESH_S = 1.0
_REOPENS_AT = 0.9
_LONGEST_S = 600
# Nothing was finished lately: whoever mends that needs minutes.
_STANDSTILL_S = 60


class Backlog:
    """Looks at the queue at most once a second. Full at `limit`, it takes new jobs again when a tenth is done.

    Without that gap everybody who was refused would be told to come back for the one next place.
    """

    def __init__(self, db: Database, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin open."""
        self._db = db
        self._limit = limit
        self._clock = clock
        self._looking = asyncio.Lock()
        self._looked_at = -math.inf
        self._flow = Flow(0, 0, 0)
        self._full = False

    async def flow(self) -> Flow:
        """Return the queue as it was within the last second. Raises `ServiceError` when the database is away."""
        if self._stale() and not self._looking.locked():
            async with self._looking, self._db.read() as db:
                self.learn(await flow.measure(db))
        return self._flow

    def learn(self, seen: Flow) -> None:
        """Take note of the queue, and decide whether there is room in it."""
        self._flow = seen
        self._looked_at = self._clock()
        self._full = seen.queued >= (self._limit * _REOPENS_AT if self._full else self._limit)

    def _stale(self) -> bool:
        return self._clock() - self._looked_at >= _FRESH_S

    async def admit(self) -> None:
        """Raise `ServiceError(BACKLOG)` while the queue is full, with the time until it has room again."""
        await self.flow()
        if self._full:
            metrics.SHED.labels(ErrorCode.BACKLOG.value).inc()
            detail = f"{self._flow.queued} jobs are waiting, and new ones are refused until some of them are done."
            raise ServiceError(ErrorCode.BACKLOG, detail, retry_after_s=self._spread(self.wait_s()))

    def wait_s(self) -> float:
        """Return the seconds until there is room, at the speed with which jobs have lately been done."""
        if not self._flow.finished:
            return _STANDSTILL_S
        excess = self._flow.queued - self._limit * _REOPENS_AT + 1
        return min(_LONGEST_S, max(1.0, excess / self._flow.per_second))

    @staticmethod
    def _spread(seconds: float) -> float:
        # Those who were refused together must not come back together; and never before there is room.
        return math.ceil(seconds * random.uniform(1, 1.25))  # noqa: S311  # spreads load, guards nothing
