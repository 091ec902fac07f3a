"""Several API keys as one: the one with the most room is taken, one that is refused is set aside."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import structlog
from prometheus_client import Gauge
from pydantic import SecretStr

from analyzer.judging.deadline import Clock
from analyzer.judging.exchange import Trouble
from analyzer.judging.limits import RateLimits

log = structlog.get_logger(__name__)

PROBE_EVERY_S = 30.0
"""A refused key is tried again by one call in this time (F15: no storm against a door that is shut)."""
SILENT_REST_S = 30.0
"""How long a key rests after a 429 that does not say how long: such limits grow with our own calm (F11)."""
_FINGERPRINT_DIGITS = 8

IN_FLIGHT = Gauge("cro_claude_key_in_flight", "Calls in flight, by key", ["key"])
USABLE = Gauge("cro_claude_key_usable", "1: the key may be used; 0: refused, or at its spending limit", ["key"])
REMAINING = Gauge("cro_claude_key_remaining", "What is left of the key's rate limits, as last told", ["key", "limit"])


def fingerprint(secret: str) -> str:
    """Return the name by which logs and metrics know a key: it says nothing about it."""
    return hashlib.sha256(secret.encode()).hexdigest()[:_FINGERPRINT_DIGITS]


def next_month_s(now_s: float) -> float:
    """Return the seconds until spending limits start anew: midnight UTC of the next month's first day."""
    now = datetime.fromtimestamp(now_s, UTC)
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = first.replace(year=now.year + 1, month=1) if now.month == 12 else first.replace(month=now.month + 1)  # noqa: PLR2004  # December
    return (following - now).total_seconds()


class NoKey(Exception):  # noqa: N818  # it says a state
    """No key may be used now: why, which one may be first, and in how many seconds."""

    def __init__(self, trouble: Trouble, key: "Key", wait_s: float) -> None:
        """Keep the three."""
        super().__init__(f"{trouble}: no API key for another {wait_s:.1f} s")
        self.trouble = trouble
        self.key = key
        self.wait_s = wait_s


class Key:
    """One key with what is known about it."""

    def __init__(self, secret: SecretStr, clock: Clock, wall: Clock) -> None:
        """Believe in the key until it is refused."""
        self.secret = secret
        self.name = fingerprint(secret.get_secret_value())
        self.in_flight = 0
        self._clock = clock
        self._wall = wall
        self._limits: dict[str, RateLimits] = {}
        self._shut_until = 0.0
        self._shut_by: Trouble | None = None
        USABLE.labels(self.name).set(1)

    def limits(self, model: str) -> RateLimits:
        """Return its limits for a model: each line of models has its own."""
        if model not in self._limits:
            self._limits[model] = RateLimits(self._clock, self._wall)
        return self._limits[model]

    def wait_s(self, model: str, input_tokens: int) -> float:
        """Return how long it may not be used for such a request."""
        return max(self._shut_until - self._clock(), self.limits(model).wait_s(input_tokens))

    @property
    def trouble(self) -> Trouble:
        """Why it may not be used, if it may not."""
        return self._shut_by or Trouble.RATE_LIMITED

    def enter(self, model: str, input_tokens: int) -> None:
        """Count a call. Of a key that was refused, this call is the one probe for the next 30 s."""
        self.limits(model).take(input_tokens)
        self.in_flight += 1
        IN_FLIGHT.labels(self.name).inc()
        if self._shut_by is not None:
            self._shut_until = self._clock() + PROBE_EVERY_S

    def leave(self) -> None:
        """Count a call no longer."""
        self.in_flight -= 1
        IN_FLIGHT.labels(self.name).dec()

    def learn(self, model: str, headers: Mapping[str, str]) -> None:
        """Believe an answer's headers."""
        limits = self.limits(model)
        limits.learn(headers)
        for kind, left in limits.remaining().items():
            REMAINING.labels(self.name, kind).set(left)

    def answered(self) -> None:
        """It works, again or still."""
        if self._shut_by is not None:
            log.info("claude_key_back", key=self.name)
            self.reopen()

    def reopen(self) -> None:
        """Use it again, whatever was said about it."""
        self._shut_by, self._shut_until = None, 0.0
        USABLE.labels(self.name).set(1)

    def refused(self, model: str, trouble: Trouble, retry_after_s: float | None) -> None:
        """Draw the consequence of a failure that is the key's own."""
        if trouble is Trouble.RATE_LIMITED:
            self.limits(model).rest(retry_after_s or SILENT_REST_S)
            return
        wait_s = PROBE_EVERY_S if trouble is Trouble.CREDENTIALS else next_month_s(self._wall())
        self._shut_by, self._shut_until = trouble, self._clock() + wait_s
        USABLE.labels(self.name).set(0)
        log.error("claude_key_set_aside", key=self.name, trouble=trouble.value, wait_s=round(wait_s))


def choose(keys: Sequence[Key], model: str, input_tokens: int, waited_for: Key | None = None) -> Key:
    """Return the key with the most room for such a request. Raises `NoKey`.

    `waited_for` has been waited for as long as it asked; it is taken where there is no better one.
    """
    ready = [key for key in keys if key.wait_s(model, input_tokens) <= 0]
    if not ready and waited_for is not None and waited_for.trouble is Trouble.RATE_LIMITED:
        return waited_for
    if not ready:
        soonest = min(keys, key=lambda key: key.wait_s(model, input_tokens))
        raise NoKey(soonest.trouble, soonest, soonest.wait_s(model, input_tokens))
    return min(ready, key=lambda key: (key.in_flight + 1) / max(key.limits(model).room(input_tokens), 0.001))


class Keys:
    """The configured keys. Nothing here waits: whoever finds no key is told how long that may last."""

    def __init__(self, secrets: Sequence[SecretStr], clock: Clock = time.monotonic, wall: Clock = time.time) -> None:
        """Take at least one key."""
        self.all = tuple(Key(secret, clock, wall) for secret in secrets)

    def ready(self, model: str, input_tokens: int) -> bool:
        """Say whether some key may be used now."""
        return any(key.wait_s(model, input_tokens) <= 0 for key in self.all)

    def named(self, name: str) -> Key | None:
        """Return the key with this fingerprint."""
        return next((key for key in self.all if key.name == name), None)
