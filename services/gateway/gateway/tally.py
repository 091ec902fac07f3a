"""What this process has lately been doing, for people who look at one address and have no Prometheus."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

_MINUTE = 60
_REMEMBERED = 2_048


@dataclass
class _Second:
    """One second: requests that ended, and the sum of times that requests were in progress."""

    number: int = -1
    ended: int = 0
    busy_s: float = 0


class Tally:
    """Requests in progress, in the last minute and in all, and how long the last 2,048 of them took."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing."""
        self._clock = clock
        self._begun_at = clock()
        self._changed_at = self._begun_at
        self.active = 0
        self.total = 0
        self._ring = [_Second() for _ in range(_MINUTE)]
        self._durations: deque[float] = deque(maxlen=_REMEMBERED)

    @property
    def uptime_s(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._begun_at

    def enter(self) -> None:
        """Count a request in."""
        self._spend()
        self.active += 1

    def leave(self, took_s: float) -> None:
        """Count a request out."""
        second = self._spend()
        second.ended += 1
        self.active -= 1
        self.total += 1
        self._durations.append(took_s)

    def _spend(self) -> _Second:
        """Note how long how many requests have been in progress; return the present second.

        The time since the last change is laid to this second: right over a minute, which is all that is told.
        """
        now = self._clock()
        second = self._ring[int(now) % _MINUTE]
        if second.number != int(now):
            second.number, second.ended, second.busy_s = int(now), 0, 0.0
        second.busy_s += self.active * min(now - self._changed_at, _MINUTE)
        self._changed_at = now
        return second

    def per_minute(self) -> int:
        """Return how many requests ended in the last minute."""
        return sum(second.ended for second in self._lately())

    def concurrent(self) -> float:
        """Return how many requests were in progress in the last minute, on average."""
        self._spend()
        span_s = min(_MINUTE, max(1.0, self.uptime_s))
        return sum(second.busy_s for second in self._lately()) / span_s

    def _lately(self) -> list[_Second]:
        oldest = int(self._clock()) - _MINUTE
        return [second for second in self._ring if second.number > oldest]

    def percentiles(self, *wanted: int) -> list[float]:
        """Return seconds for each wanted percentile of the last 2,048 requests; zeros before the first."""
        ordered = sorted(self._durations) or [0.0]
        return [ordered[min(len(ordered) - 1, len(ordered) * cut // 100)] for cut in wanted]
