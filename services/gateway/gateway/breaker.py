"""Leaving a dependency alone that does not answer."""

import time
from collections.abc import Callable

_STRIKES = 3
_FIRST_S = 1.0
_LONGEST_S = 8.0
_TRIAL_S = 5.0
"""A trial that has not ended by then was given up by its caller, and another may try."""


class Breaker:
    """Open after three failures in a row; then one caller at a time tries, after 1 s, 2 s, … `longest_s`."""

    def __init__(self, longest_s: float = _LONGEST_S, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin closed."""
        self._clock = clock
        self._longest_s = longest_s
        self._strikes = 0
        self._pause_s = _FIRST_S
        self._closed_again_at = 0.0
        self._trying = False

    @property
    def open(self) -> bool:
        """Whether the dependency counts as away."""
        return self._strikes >= _STRIKES

    def admits(self) -> bool:
        """Say whether this caller may try. Where the dependency is away, whoever is told yes is the only one."""
        if not self.open:
            return True
        now = self._clock()
        if now < self._closed_again_at:
            return False
        # Until it ends: a trial may take longer than the pause, and would be followed by another and another.
        self._closed_again_at = now + self._pause_s + _TRIAL_S
        self._trying = True
        return True

    def worked(self) -> None:
        """Close."""
        self._strikes = 0
        self._trying = False
        self._pause_s = _FIRST_S

    def failed(self) -> None:
        """Count a failure. Those of calls that began before the breaker opened do not lengthen the pause."""
        self._strikes += 1
        if self._strikes == _STRIKES:
            self._closed_again_at = self._clock() + self._pause_s
        elif self._trying:
            self._trying = False
            self._pause_s = min(self._longest_s, 2 * self._pause_s)
            self._closed_again_at = self._clock() + self._pause_s
