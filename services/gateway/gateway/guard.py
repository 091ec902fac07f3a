"""What stands before a route: how often its caller may ask, and whether there is room for another job."""

from fastapi import Depends, Request

from contracts.errors import ErrorCode
from gateway import metrics
from gateway.limits.policy import Asker
from gateway.wiring import LOCAL_TENANT, Parts, TheCaller, TheParts
from runtime.errors import ServiceError


async def _limited(request: Request, caller: TheCaller) -> None:
    parts: Parts = request.app.state.parts
    address = request.client.host if request.client else ""
    asker = Asker(address, "" if caller.tenant_id == LOCAL_TENANT else caller.tenant_id, caller.key_id or "")
    limits = parts.rates.limits(asker)
    if not limits:
        return
    # Shown on the answer by the doorway, whatever the answer will be.
    verdict = request.state.verdict = await parts.limiter.take(limits)
    if not verdict.allowed:
        metrics.SHED.labels(ErrorCode.RATE_LIMITED.value).inc()
        level = verdict.tightest
        detail = f"The {level.limit.name} may ask {level.limit.quota} times in {level.limit.window_s} s."
        raise ServiceError(ErrorCode.RATE_LIMITED, detail, retry_after_s=level.retry_after_s)


async def _room(parts: TheParts) -> None:
    await parts.backlog.admit()


LIMITED = Depends(_limited)
"""For every route of a customer."""

ROOM = Depends(_room)
"""For routes that make jobs."""
