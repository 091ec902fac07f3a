"""When to try again, and after how long: full jitter, and what the service says goes first."""

from dataclasses import dataclass

from cro_analyzer.errors import ApiError, ConnectionFailedError, CroError, QuotaExceededError

_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_REFUSED_AT_THE_DOOR = frozenset({429, 503})
"""Statuses with which nothing was begun, so that even what must not happen twice may be sent again."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long. A wait that the service asks for and that is longer than `longest_s` is not taken.

    `base_s`: the first pause is at most that, each later one at most twice the one before, `longest_s` at most.
    """

    max_retries: int = 3
    base_s: float = 0.5
    longest_s: float = 60


def pause_s(policy: RetryPolicy, failure: CroError, tried: int, luck: float, *, repeatable: bool) -> float | None:
    """Return the seconds until the next attempt, or None to give up.

    `tried` counts the attempts that have failed; `luck` is a random number from 0 to 1.
    """
    if tried > policy.max_retries or not _may_pass(failure, repeatable=repeatable):
        return None
    asked = failure.retry_after_s if isinstance(failure, ApiError) else None
    if asked is None:
        return luck * min(policy.longest_s, policy.base_s * 2.0 ** (tried - 1))
    # All who were refused together must not come back together.
    return asked * (1 + luck / 10) + luck * policy.base_s if asked <= policy.longest_s else None


def _may_pass(failure: CroError, *, repeatable: bool) -> bool:
    if isinstance(failure, ConnectionFailedError):
        return repeatable or failure.unsent
    if not isinstance(failure, ApiError) or isinstance(failure, QuotaExceededError):
        return False
    return failure.status in (_PASSING if repeatable else _REFUSED_AT_THE_DOOR)
