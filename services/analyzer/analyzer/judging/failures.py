"""What a call that brought no answer means: whose fault it is, whether to try again, and how long to wait."""

import random
from dataclasses import dataclass

from analyzer.judging.exchange import Trouble

_BACKOFF_S, _BACKOFF_CAP_S = 0.5, 8.0
_LEAST_SERVER_STATUS = 500

_BY_TYPE = {
    "overloaded_error": Trouble.OVERLOADED,
    "rate_limit_error": Trouble.RATE_LIMITED,
    "api_error": Trouble.SERVER,
    "timeout_error": Trouble.SERVER,
    "authentication_error": Trouble.CREDENTIALS,
    "permission_error": Trouble.CREDENTIALS,
    "billing_error": Trouble.SPEND_LIMIT,
    "invalid_request_error": Trouble.REQUEST,
    "not_found_error": Trouble.REQUEST,
    "request_too_large": Trouble.REQUEST,
}
_BY_STATUS = {
    401: Trouble.CREDENTIALS,
    402: Trouble.SPEND_LIMIT,
    403: Trouble.CREDENTIALS,
    408: Trouble.SERVER,
    409: Trouble.SERVER,
    429: Trouble.RATE_LIMITED,
    529: Trouble.OVERLOADED,
}
RETRIED = frozenset({Trouble.OVERLOADED, Trouble.RATE_LIMITED, Trouble.SERVER, Trouble.CONNECTION})
"""What may be gone in a minute."""
OUTAGES = frozenset({Trouble.OVERLOADED, Trouble.SERVER, Trouble.CONNECTION})
"""What speaks against the provider's health."""
OF_ONE_KEY = frozenset({Trouble.RATE_LIMITED, Trouble.CREDENTIALS, Trouble.SPEND_LIMIT})
"""What another key may not meet."""


@dataclass(frozen=True)
class Failure:
    """A call without an answer.

    `final`: the provider says that a retry is useless. `outage`: it speaks against the provider's health. `key` is the
    fingerprint of the key that was used, or that has to be waited for.
    """

    trouble: Trouble
    reason: str
    retry_after_s: float | None = None
    final: bool = False
    outage: bool = False
    key: str = ""


def worth_retrying(failure: Failure) -> bool:
    """Say whether the same call may succeed in a moment. A 429 that names no time is left to the queue (F11)."""
    silent = failure.trouble is Trouble.RATE_LIMITED and failure.retry_after_s is None
    return failure.trouble in RETRIED and not failure.final and not silent


def trouble_of(status: int, kind: str, error_code: str) -> Trouble:
    """Classify an error answer: by its type first, since an error inside a stream that began well has status 200."""
    if "spend_limit" in error_code:
        return Trouble.SPEND_LIMIT
    known = _BY_TYPE.get(kind) or _BY_STATUS.get(status)
    return known or (Trouble.SERVER if status >= _LEAST_SERVER_STATUS else Trouble.REQUEST)


def seconds(text: str | None) -> float | None:
    """Read a `retry-after` header in seconds; None where it says nothing usable."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None


def wait_s(attempt: int, retry_after_s: float | None) -> float:
    """Draw the wait after a failed `attempt` (from 1): what the provider asks, plus full jitter of a growing range.

    Jitter comes on top of the provider's wish: everybody who was told the same must not come back together.
    """
    ceiling: float = min(_BACKOFF_CAP_S, _BACKOFF_S * 2 ** (attempt - 1))
    return (retry_after_s or 0.0) + random.uniform(0, ceiling)  # noqa: S311  # spreads retries, guards nothing
