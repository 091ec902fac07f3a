"""The arithmetic of rate limits: the generic cell rate algorithm, in whole microseconds.

A limit remembers one instant, the theoretical arrival time: when all that was taken will have flowed off.
The script in `shared` does the same sums inside Redis; a test holds both to one model.
"""

import math
from dataclasses import dataclass, replace

_MICRO = 1_000_000


@dataclass(frozen=True)
class Limit:
    """`quota` requests in `window_s`, of which `burst` may come at once; this request takes `cost` of them."""

    name: str
    key: str
    quota: int
    window_s: int
    burst: int
    cost: int = 1

    @property
    def interval_us(self) -> int:
        """Time in which one request flows off."""
        return max(1, self.window_s * _MICRO // self.quota)

    @property
    def tolerance_us(self) -> int:
        """How far ahead of the clock the theoretical arrival time may run."""
        return self.burst * self.interval_us

    @property
    def increment_us(self) -> int:
        """How far this request moves it."""
        return self.cost * self.interval_us

    def share(self, parts: int) -> "Limit":
        """Return one of `parts` equal shares; never nothing."""
        return replace(self, quota=max(1, self.quota // parts), burst=max(self.cost, self.burst // parts))


@dataclass(frozen=True)
class Level:
    """What is left of one limit. `retry_us` is 0 where the request was within it."""

    limit: Limit
    remaining: int
    retry_us: int
    reset_us: int

    @property
    def retry_after_s(self) -> int:
        """Whole seconds after which the same request would be within the limit."""
        return math.ceil(self.retry_us / _MICRO)

    @property
    def reset_s(self) -> int:
        """Whole seconds after which everything is there again."""
        return math.ceil(self.reset_us / _MICRO)


@dataclass(frozen=True)
class Verdict:
    """All limits of one request; it is taken from all of them or from none."""

    levels: tuple[Level, ...]

    @property
    def allowed(self) -> bool:
        """Whether every limit has room."""
        return all(level.retry_us == 0 for level in self.levels)

    @property
    def tightest(self) -> Level:
        """The limit that refused for longest or, with none, the one with least left."""
        return max(self.levels, key=lambda level: (level.retry_us, -level.remaining))


def level(limit: Limit, arrival_us: int, now_us: int) -> Level:
    """Return what a limit says whose theoretical arrival time is `arrival_us`, before anything is taken."""
    ahead = max(0, arrival_us - now_us)
    late = ahead + limit.increment_us - limit.tolerance_us
    return Level(limit, (limit.tolerance_us - ahead) // limit.interval_us, max(0, late), ahead)


def taken(before: Level) -> Level:
    """Return the level after the request was taken."""
    limit = before.limit
    return Level(limit, before.remaining - limit.cost, 0, before.reset_us + limit.increment_us)
