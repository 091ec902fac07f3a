"""When a delivery is tried again."""

import random
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

DELAYS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
"""After each failed attempt. Source: the retry schedule that Svix publishes; with the first, 8 attempts in 28 h."""

ATTEMPTS = len(DELAYS_S) + 1
_SPREAD = 0.1
_LONGEST = timedelta(hours=10)
_PAUSE = timedelta(seconds=5)


def delay(attempt: int, asked: timedelta | None) -> timedelta | None:
    """Return how long to wait after failed attempt `attempt` (from 1), or None when it was the last.

    Spread by ± 10 %, so that what failed together does not come back together; never less than the receiver `asked`.
    """
    if attempt >= ATTEMPTS:
        return None
    planned = timedelta(seconds=DELAYS_S[attempt - 1] * random.uniform(1 - _SPREAD, 1 + _SPREAD))  # noqa: S311  # spreads load, guards nothing
    return max(planned, asked or timedelta())


def pause(asked: timedelta | None) -> timedelta:
    """Return how long a receiver that is overloaded is left alone, whatever else waits for it."""
    return max(_PAUSE, asked or timedelta())


def retry_after(header: str | None, now: datetime | None = None) -> timedelta | None:
    """Read `Retry-After`: seconds or an HTTP date; ten hours at most, None where it says nothing that can be read."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), _LONGEST)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(moment - (now or datetime.now(UTC)), timedelta()), _LONGEST)
