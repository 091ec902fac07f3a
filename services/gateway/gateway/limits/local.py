"""Rate limits of one process."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.limits.gcra import Limit, Verdict, level, taken

_KEPT = 100_000


def _now_us() -> int:
    return time.monotonic_ns() // 1_000


class Limiter(Protocol):
    """Whoever keeps the limits."""

    async def take(self, limits: Sequence[Limit]) -> Verdict:
        """Take one request from all of `limits`, or from none; never fails."""


class LocalLimiter:
    """Limits in memory; of more than 100,000 keys the longest unused are forgotten."""

    def __init__(self, clock_us: Callable[[], int] = _now_us) -> None:
        """Begin with everything there."""
        self._clock_us = clock_us
        self._arrivals: OrderedDict[str, int] = OrderedDict()

    async def take(self, limits: Sequence[Limit]) -> Verdict:
        """Take one request from all of `limits`, or from none."""
        return self.take_now(limits)

    def take_now(self, limits: Sequence[Limit]) -> Verdict:
        """Do so without waiting for anything."""
        now_us = self._clock_us()
        before = Verdict(tuple(level(limit, self._arrivals.get(limit.key, 0), now_us) for limit in limits))
        if not before.allowed:
            return before
        for limit in limits:
            self._arrivals[limit.key] = max(self._arrivals.get(limit.key, 0), now_us) + limit.increment_us
            self._arrivals.move_to_end(limit.key)
        while len(self._arrivals) > _KEPT:
            self._arrivals.popitem(last=False)
        return Verdict(tuple(map(taken, before.levels)))

    def give_back(self, limits: Sequence[Limit]) -> None:
        """Undo a taking."""
        for limit in limits:
            if limit.key in self._arrivals:
                self._arrivals[limit.key] -= limit.increment_us
