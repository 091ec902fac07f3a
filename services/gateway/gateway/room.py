"""How many more jobs a worker may take: its own limit, and what the renderer says about its pool."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from contracts.render import PoolState
from gateway.jobs.states import Claimed


class Room:
    """Counts the jobs in progress. `changed` is set whenever there may be more room than before."""

    def __init__(self, concurrency: int, light: int = 0, *, aside: int = 0) -> None:
        """Allow `concurrency` jobs, all of them rendering until the renderer says otherwise, and `light` light ones.

        `aside` more may wait for nothing but each other.
        """
        self.changed = asyncio.Event()
        self._concurrency = concurrency
        self._light = light
        self._lights: set[tuple[str, int]] = set()
        self._aside = aside
        self._waiting: set[tuple[str, int]] = set()
        self._slots = concurrency
        self._jobs: set[tuple[str, int]] = set()
        self._renders: set[tuple[str, int]] = set()
        self._closed_until = 0.0

    def free(self) -> int:
        """Return how many jobs may be claimed now."""
        if time.monotonic() < self._closed_until:
            return 0
        working = len(self._jobs) - min(len(self._waiting), self._aside)
        return max(0, min(self._concurrency - working, self._slots - len(self._renders)))

    def free_light(self) -> int:
        """Return how many jobs may be claimed now that need plain HTTP only."""
        return 0 if time.monotonic() < self._closed_until else max(0, self._light - len(self._lights))

    def admit(self, job: Claimed) -> None:
        """Count a job from the moment of its claim, before its task has run a line."""
        if job.light:
            self._lights.add(job.key)
            return
        self._jobs.add(job.key)
        if job.needs_browser:
            self._renders.add(job.key)

    def rendered(self, job: Claimed) -> None:
        """Count a job no longer as one that needs the renderer."""
        self._renders.discard(job.key)
        self.changed.set()

    @contextmanager
    def aside(self, job: Claimed) -> Iterator[None]:
        """Let others have a job's place while it waits for them."""
        self._waiting.add(job.key)
        self.changed.set()
        try:
            yield
        finally:
            self._waiting.discard(job.key)

    def leave(self, job: Claimed) -> None:
        """Count a job no longer."""
        self._jobs.discard(job.key)
        self._lights.discard(job.key)
        self.rendered(job)

    def learn(self, pool: PoolState) -> None:
        """Take a pool's word: use its slots, but where others queue for it, no more of them than now."""
        self._slots = max(1, len(self._renders) if pool.queued and not pool.free else pool.slots)
        self.changed.set()

    def close(self, delay: timedelta) -> None:
        """Take nothing for `delay`: the pool is full."""
        self._closed_until = max(self._closed_until, time.monotonic() + delay.total_seconds())
