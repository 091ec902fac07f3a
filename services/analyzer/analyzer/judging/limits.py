"""What one key may still spend of one model's rate limits, as the provider's headers say it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from analyzer.judging.deadline import Clock

KINDS = ("requests", "input-tokens", "output-tokens")
_HEADER = "anthropic-ratelimit-{kind}-{part}"
_LONGEST_S = 300.0
"""No reset is believed that lies further away: clocks differ, and limits are per minute."""


@dataclass
class _Limit:
    limit: int
    remaining: int
    reset_at_s: float


class RateLimits:
    """Limits of one key and model. What was never told is unlimited; what has been reset is full again."""

    def __init__(self, clock: Clock, wall: Clock) -> None:
        """Know nothing yet; `wall` gives seconds since 1970, as the headers do."""
        self._clock = clock
        self._wall = wall
        self._known: dict[str, _Limit] = {}
        self._rest_until = 0.0

    def learn(self, headers: Mapping[str, str]) -> None:
        """Believe an answer's headers."""
        for kind in KINDS:
            limit, remaining = (headers.get(_HEADER.format(kind=kind, part=part)) for part in ("limit", "remaining"))
            reset = _instant(headers.get(_HEADER.format(kind=kind, part="reset")))
            if reset is None or not (limit or "").isdecimal() or not (remaining or "").isdecimal():
                continue
            away_s = min(_LONGEST_S, max(0.0, reset - self._wall()))
            self._known[kind] = _Limit(int(limit or 0), int(remaining or 0), self._clock() + away_s)

    def rest(self, wait_s: float) -> None:
        """Take nothing for this long: the provider said so."""
        self._rest_until = max(self._rest_until, self._clock() + wait_s)

    def take(self, input_tokens: int) -> None:
        """Count a request that is about to leave, until the next answer says what is true."""
        for kind, needed in (("requests", 1), ("input-tokens", input_tokens)):
            if kind in self._known:
                self._known[kind].remaining -= needed

    def wait_s(self, input_tokens: int) -> float:
        """Return how long a request of this size has to wait, in seconds; 0 when it may leave now."""
        now = self._clock()
        needs = {"requests": 1, "input-tokens": input_tokens, "output-tokens": 1}
        waits = [self._rest_until - now]
        for kind, known in self._known.items():
            # Larger than the whole limit: let the provider decide when everything is free.
            if known.remaining < min(needs[kind], known.limit):
                waits.append(known.reset_at_s - now)
        return max(0.0, *waits)

    def room(self, input_tokens: int) -> float:
        """Return how many requests of this size still fit, 1,000 where nothing is known."""
        now = self._clock()
        needs = {"requests": 1, "input-tokens": max(1, input_tokens), "output-tokens": 1}
        fits = [max(known.remaining, 0) / needs[kind] for kind, known in self._known.items() if known.reset_at_s > now]
        return min([1_000.0, *fits])

    def remaining(self) -> dict[str, int]:
        """Return what is left of each limit that is known."""
        return {kind: known.remaining for kind, known in self._known.items()}


def _instant(text: str | None) -> float | None:
    try:
        return datetime.fromisoformat(text or "").timestamp()
    except ValueError:
        return None
