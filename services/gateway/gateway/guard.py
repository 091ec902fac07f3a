"""What stands before a route: who asks, how often they may, what their key allows, whether there is room for a job."""

from typing import Any, Final

from fastapi import Depends, Request

from contracts.errors import ErrorCode
from gateway import metrics, walls
from gateway.access import plans, strangers
from gateway.access.scopes import for_route
from gateway.auth import Auth
from gateway.edge.addresses import address_of
from gateway.limits.policy import Asker
from gateway.wiring import LOCAL_TENANT, Caller, Parts, TheParts
from runtime.errors import ServiceError

_BEARER: Final = "bearer "

SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer cro_live_…`"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "`X-API-Key: cro_live_…`"},
}
"""How a key is shown, as OpenAPI says it."""


async def _identified(request: Request, parts: Parts) -> Caller:
    if parts.settings.auth_mode is Auth.LOOPBACK:
        strangers.check(request.method, request.headers, parts.settings.public_url)
        return Caller(LOCAL_TENANT, plan=parts.plans[plans.LOCAL], thresholds=parts.settings.rule_thresholds)
    found = await parts.keyring.credential(_key(request), address_of(request.scope))
    plan = parts.plans.get(found.plan)
    if plan is None:
        detail = "Something failed on our side."
        raise ServiceError(ErrorCode.INTERNAL, detail, reason=f"tenant {found.tenant_id}: no plan {found.plan!r}")
    thresholds = found.thresholds or parts.settings.rule_thresholds
    return Caller(found.tenant_id, found.key_id, found.scopes, plan, thresholds)


def _key(request: Request) -> str:
    shown = request.headers.get("authorization", "")
    if shown[: len(_BEARER)].lower() == _BEARER:
        return shown[len(_BEARER) :].strip()
    return request.headers.get("x-api-key", "")


async def _limit(request: Request, parts: Parts, caller: Caller) -> None:
    address = request.client.host if request.client else ""
    tenant_id = "" if caller.tenant_id == LOCAL_TENANT else caller.tenant_id
    plan = caller.plan
    asker = Asker(address, tenant_id, caller.key_id or "", plan.requests_per_minute, plan.burst)
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


ROOM = Depends(_room)
"""For routes that make jobs."""


def guarded(noun: str | None = None) -> Any:  # noqa: ANN401  # FastAPI's own type of dependencies
    """Return what stands before all else on a customer's routes, and leaves `request.state.caller`.

    Raises UNAUTHENTICATED, RATE_LIMITED, and FORBIDDEN where the key lacks the scope of the method on `noun`.
    """

    # One for all: each dependency costs a twentieth of the answer that is given most.
    async def guard(request: Request) -> None:
        parts: Parts = request.app.state.parts
        caller = await _identified(request, parts)
        request.scope["state"]["caller"] = caller
        walls.bind(caller.tenant_id)
        await _limit(request, parts, caller)
        if noun is not None:
            _check(caller, noun, request.method)

    return Depends(guard)


def needs(noun: str) -> Any:  # noqa: ANN401  # FastAPI's own type of dependencies
    """Return a dependency for a route that needs a scope of `noun` where its router needs none."""

    async def check(request: Request) -> None:
        _check(request.state.caller, noun, request.method)

    return Depends(check)


def _check(caller: Caller, noun: str, method: str) -> None:
    scope = for_route(noun, method)
    if scope not in caller.scopes:
        raise ServiceError(ErrorCode.FORBIDDEN, f"The API key lacks the scope {scope.value}.")
