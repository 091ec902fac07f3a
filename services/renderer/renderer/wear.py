"""How worn a slot is: what it has served, what it holds, and how slow it has become."""

import statistics
from collections import deque
from enum import StrEnum

SLOWER = 3.0
"""Times its baseline at which a reading counts as slow."""

IN_A_ROW = 2
"""Slow readings one after the other that wear a slot out: one alone may be anybody's."""

_FIRST = 5
"""Readings of a young slot that make its own baseline."""

_ENOUGH = 3
_FLEET = 64
_NOISE_S = 0.1
"""No reading below this is slow: its cause would be the scheduler."""


class Recycle(StrEnum):
    """Why a slot was replaced."""

    USES = "uses"
    MEMORY = "memory"
    SLOW = "slow"
    ANOMALY = "anomaly"
    CRASH = "crash"
    DEADLINE = "deadline"
    SOLO = "solo"
    GREEDY = "greedy"


class Pace:
    """How long the canary page takes in this fleet: the latest readings of all slots that were not slow."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._readings: deque[float] = deque(maxlen=_FLEET)

    def add(self, seconds: float) -> None:
        """Count a reading that was not slow."""
        self._readings.append(seconds)

    def baseline(self) -> float | None:
        """Return the median in seconds; None while there are too few readings."""
        return statistics.median(self._readings) if len(self._readings) >= _ENOUGH else None


class Wear:
    """One slot's history."""

    def __init__(self, now: float) -> None:
        """Begin with nothing served; `now` is on the clock of every later time."""
        self.uses = 0
        self.memory_mb = 0
        self._measured_at = now
        self._measured_uses = -1
        self._own: list[float] = []
        self._slow = 0

    def due(self, now: float, every_s: float) -> bool:
        """Tell whether the canary should be run: once at the beginning, then every `every_s` while jobs are served."""
        if every_s <= 0 or self.uses == self._measured_uses:
            return False
        return not self._own or now - self._measured_at >= every_s

    def measured(self, seconds: float, now: float, pace: Pace) -> Recycle | None:
        """Take a reading; return the verdict when it completes a row of slow ones.

        It is slow at three times the slot's own first readings, or the fleet's: a browser that has worn down differs
        from its youth, one that was never any good differs from the others.
        """
        self._measured_at, self._measured_uses = now, self.uses
        baselines = [value for value in (self._baseline(), pace.baseline()) if value is not None]
        if baselines and seconds >= max(_NOISE_S, SLOWER * min(baselines)):
            self._slow += 1
            return Recycle.SLOW if self._slow >= IN_A_ROW else None
        self._slow = 0
        pace.add(seconds)
        if len(self._own) < _FIRST:
            self._own.append(seconds)
        return None

    def _baseline(self) -> float | None:
        return statistics.median(self._own) if len(self._own) >= _ENOUGH else None
