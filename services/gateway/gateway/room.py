"""How many more jobs a worker may take: its own limit, and what the renderer says about its pool."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from contracts.render import PoolState


class Room:
    """Counts the jobs in progress. `changed` is set whenever there may be more room than before."""

    def __init__(self, concurrency: int) -> None:
        """Allow `concurrency` jobs, all of them rendering until the renderer says otherwise."""
        self.changed = asyncio.Event()
        self._concurrency = concurrency
        self._slots = concurrency
        self._jobs = 0
        self._renders = 0
        self._closed_until = 0.0

    def free(self) -> int:
        """Return how many jobs may be claimed now."""
        if time.monotonic() < self._closed_until:
            return 0
        return max(0, min(self._concurrency - self._jobs, self._slots - self._renders))

    def learn(self, pool: PoolState) -> None:
        """Take a pool's word: use its slots, but where others queue for it, no more of them than now."""
        self._slots = self._renders if pool.queued and not pool.free else pool.slots
        self._slots = max(1, self._slots)
        self.changed.set()

    def close(self, delay: timedelta) -> None:
        """Take nothing for `delay`: the pool is full."""
        self._closed_until = max(self._closed_until, time.monotonic() + delay.total_seconds())

    @contextmanager
    def job(self) -> Iterator[None]:
        """Count a job."""
        self._jobs += 1
        try:
            yield
        finally:
            self._jobs -= 1
            self.changed.set()

    @contextmanager
    def render(self) -> Iterator[None]:
        """Count a render."""
        self._renders += 1
        try:
            yield
        finally:
            self._renders -= 1
            self.changed.set()
