"""How many event streams each tenant holds open in this process."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from contracts.errors import ErrorCode
from gateway import metrics
from runtime.errors import ServiceError

_RETRY_AFTER_S = 5


class Places:
    """A number of places for each tenant."""

    def __init__(self, per_tenant: int) -> None:
        """Start with all of them free."""
        self._per_tenant = per_tenant
        self._taken: Counter[str] = Counter()

    def check(self, tenant_id: str) -> None:
        """Raise `ServiceError` (rate_limited) where the tenant has no place left."""
        if self._taken[tenant_id] >= self._per_tenant:
            detail = f"You have {self._per_tenant} event streams open already. Close one, or ask for the status."
            raise ServiceError(ErrorCode.RATE_LIMITED, detail, retry_after_s=_RETRY_AFTER_S)

    @contextmanager
    def taken(self, tenant_id: str) -> Iterator[None]:
        """Take a place for as long as the block lasts."""
        self._taken[tenant_id] += 1
        metrics.STREAMS.inc()
        try:
            yield
        finally:
            metrics.STREAMS.dec()
            self._taken[tenant_id] -= 1
            if not self._taken[tenant_id]:
                del self._taken[tenant_id]
