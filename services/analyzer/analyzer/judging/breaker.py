"""A circuit breaker: after too many failures nobody calls for a while, then a few probe."""

from collections import deque
from enum import StrEnum

import structlog
from prometheus_client import Counter, Gauge

from analyzer.judging.deadline import Clock

log = structlog.get_logger(__name__)

WINDOW_S = 30.0
LEAST_CALLS = 10
FAILURE_RATIO = 0.5
FIRST_REST_S, LONGEST_REST_S = 10.0, 60.0
PROBES = 2
"""Calls at a time while half open, and successes in a row that close it."""


class Circuit(StrEnum):
    """State of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


TURNS = Counter("cro_claude_breaker_turns_total", "Changes of a circuit breaker's state", ["to"])
BREAKERS = Gauge("cro_claude_breakers", "Circuit breakers in each state; there is one for each model", ["state"])


class CircuitOpen(Exception):  # noqa: N818  # it says a state
    """Nobody may call now; `retry_after_s` is when to ask again."""

    def __init__(self, retry_after_s: float) -> None:
        """Keep the seconds."""
        super().__init__(f"open for another {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


class Breaker:
    """Opens when half of at least 10 calls within 30 s failed; rests 10 s, doubling up to 60 s while probes fail.

    Calls are counted in the state in which they began: what comes back late from before a turn changes nothing.
    """

    def __init__(self, name: str, clock: Clock) -> None:
        """Start closed; `name` is for the log."""
        self._name = name
        self._clock = clock
        self._seconds: deque[list[float]] = deque()  # [second, calls, failures], one for each second that had a call
        self._turn = 0
        self._rest_s = FIRST_REST_S
        self._open_until = 0.0
        self._probing = 0
        self._probed = 0
        self.state = Circuit.CLOSED
        BREAKERS.labels(self.state).inc()

    def enter(self) -> int:
        """Return the permit for one call, to be given to `leave`. Raises `CircuitOpen`."""
        now = self._clock()
        if self.state is Circuit.OPEN:
            if now < self._open_until:
                raise CircuitOpen(self._open_until - now)
            self._become(Circuit.HALF_OPEN)
        if self.state is Circuit.HALF_OPEN:
            if self._probing >= PROBES:
                raise CircuitOpen(1.0)
            self._probing += 1
        return self._turn

    def leave(self, permit: int, *, failed: bool | None) -> None:
        """Say how the call ended; None when nobody knows, because it was given up."""
        if permit != self._turn:
            return
        if self.state is Circuit.HALF_OPEN:
            self._probing -= 1
            self._probed_one(failed)
        elif failed is not None:
            self._count(failed=failed)

    def _probed_one(self, failed: bool | None) -> None:  # noqa: FBT001  # three values
        if failed:
            self._rest_s = min(LONGEST_REST_S, 2 * self._rest_s)
            self._open()
        elif failed is not None:
            self._probed += 1
            if self._probed >= PROBES:
                self._rest_s = FIRST_REST_S
                self._become(Circuit.CLOSED)

    def _count(self, *, failed: bool) -> None:
        now = self._clock()
        if not self._seconds or self._seconds[-1][0] != now // 1:
            self._seconds.append([now // 1, 0, 0])
        self._seconds[-1][1] += 1
        self._seconds[-1][2] += failed
        while self._seconds[0][0] <= now - WINDOW_S:
            self._seconds.popleft()
        calls = sum(second[1] for second in self._seconds)
        failures = sum(second[2] for second in self._seconds)
        if failed and calls >= LEAST_CALLS and failures >= FAILURE_RATIO * calls:
            self._open()

    def _open(self) -> None:
        self._open_until = self._clock() + self._rest_s
        self._become(Circuit.OPEN)

    def _become(self, state: Circuit) -> None:
        log.warning("claude_breaker_turned", model=self._name, to=state.value, was=self.state.value)
        BREAKERS.labels(self.state).dec()
        BREAKERS.labels(state).inc()
        TURNS.labels(state).inc()
        self.state = state
        self._turn += 1
        self._probing = self._probed = 0
        self._seconds.clear()
