"""How long a job waits before it is tried again."""

import random
from datetime import timedelta

LONGEST_S = 300.0
_LONGEST_PARK_S = 3_600.0
_LEAST_STORAGE_S, _LONGEST_STORAGE_S = 5.0, 60.0
_LEAST_ABSENCE_S, _LONGEST_ABSENCE_S = 30.0, 1_800.0

_LEAST_BATCH_S, _LONGEST_BATCH_S = 60.0, 1_200.0
TICKET_PATIENCE = timedelta(hours=26)
"""How long a message batch is waited for: the provider ends each within 24 hours, give or take a look or two."""


def backoff(attempt: int, base_s: float, at_least_s: float | None = None) -> timedelta:
    """Draw from [0, base × 2^(attempt - 1)], capped at 300 s, on top of what the other side asked for.

    Full jitter: jobs that failed together must not come back together.
    """
    ceiling = min(LONGEST_S, base_s * 2.0 ** min(attempt - 1, 30))
    return timedelta(seconds=(at_least_s or 0) + random.uniform(0, ceiling))  # noqa: S311  # spreads load, guards nothing


def after_outage(retry_after_s: float | None) -> timedelta:
    """Draw from [r, r + 30] for a model provider that asked for `retry_after_s` (5 when it said nothing).

    Never longer than an hour: what it asks for may be a month, and an operator may end that sooner.
    """
    asked = min(_LONGEST_PARK_S, retry_after_s or 5.0)
    return timedelta(seconds=asked + random.uniform(0, min(30.0, asked)))  # noqa: S311  # spreads load, guards nothing


def after_absence(age: timedelta, retry_after_s: float | None) -> timedelta:
    """Draw from [d, 2 d] for a result that waits for the model: d is what was asked, or a quarter of its age.

    From 30 s to half an hour: the first hour of an outage is probed closely, its second day is not.
    """
    asked = min(_LONGEST_ABSENCE_S, max(_LEAST_ABSENCE_S, retry_after_s or 0, age.total_seconds() / 4))
    return timedelta(seconds=random.uniform(asked, 2 * asked))  # noqa: S311  # spreads load, guards nothing


def after_storage(age: timedelta) -> timedelta:
    """Draw from [d, 2 d] for a job whose artifacts could not be stored or read: d is a quarter of its age, 5 to 60 s.

    Each try may cost a render: some 15 of them for the quarter of an hour that the store may be away.
    """
    least = min(_LONGEST_STORAGE_S, max(_LEAST_STORAGE_S, age.total_seconds() / 4))
    return timedelta(seconds=random.uniform(least, 2 * least))  # noqa: S311  # spreads load, guards nothing


def until_batched(age: timedelta) -> timedelta:
    """Draw from [d, 1.5 d] for a page that is in a message batch since `age`: d is a quarter of that.

    From one minute to twenty: most batches end within an hour, and each look costs little.
    """
    least = min(_LONGEST_BATCH_S, max(_LEAST_BATCH_S, age.total_seconds() / 4))
    return timedelta(seconds=random.uniform(least, 1.5 * least))  # noqa: S311  # spreads load, guards nothing


def after_busy(retry_after_s: float | None) -> timedelta:
    """Draw from [r, 2 r] for a side that is full and said `retry_after_s` (1 when it said nothing)."""
    asked = retry_after_s or 1.0
    return timedelta(seconds=random.uniform(asked, 2 * asked))  # noqa: S311  # spreads load, guards nothing
