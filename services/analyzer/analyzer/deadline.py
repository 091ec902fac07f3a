"""A point in time that every wait of a piece of work shares."""

import time
from collections.abc import Callable
from dataclasses import dataclass

Clock = Callable[[], float]


@dataclass(frozen=True)
class Deadline:
    """`at_s` is seconds on `clock`, which only goes forward."""

    at_s: float
    clock: Clock = time.monotonic

    @classmethod
    def after_ms(cls, budget_ms: float, clock: Clock = time.monotonic) -> "Deadline":
        """Return the deadline `budget_ms` from now."""
        return cls(clock() + budget_ms / 1_000, clock)

    def left_s(self) -> float:
        """Return what is left, in seconds, never less than 0."""
        return max(0.0, self.at_s - self.clock())
