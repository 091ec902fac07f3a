"""Which results may be given to later requests, too."""

from contracts.fetch import FetchResult
from contracts.result import Analysis
from contracts.wire import Wire

_FIRST_ERROR_STATUS = 400
# What will be the same at the next attempt. Anything else passes, and must not stay for a day.
_LASTING = frozenset({"no_key", "nothing_to_judge"})


def may_be_given_again(result: Wire) -> bool:
    """Whether a result is what another try would give, too: whole, of a page that was well, judged by all we have."""
    if isinstance(result, Analysis):
        return not result.engine.degraded or result.engine.degraded_reason in _LASTING
    if isinstance(result, FetchResult):
        return not result.partial and result.http_status < _FIRST_ERROR_STATUS
    return False
