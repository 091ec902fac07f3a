"""The route of the caller's own account."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Body

from contracts import thresholds
from contracts.analyze import Overrides
from contracts.errors import ErrorCode
from gateway.guard import needs
from gateway.jobs.states import Kind
from gateway.refusals import refusals
from gateway.tenants import store
from gateway.tenants.schemas import QuotaRead, TenantRead, plan_read
from gateway.usage import store as usage
from gateway.wiring import Reading, TheCaller, TheParts, Writing
from runtime.errors import ServiceError

router = APIRouter(prefix="/v1/tenant", tags=["tenant"])

_THRESHOLDS = {"hero.density": {"warn": 150}}
Thresholds = Annotated[
    Overrides,
    Body(max_length=60, examples=[_THRESHOLDS], description="rule id → threshold → value"),
]


@router.get("", summary="Your account: plan, limits, what is used of them", responses=refusals())
async def show(db: Reading, caller: TheCaller) -> TenantRead:
    """Read the plan, how much of today's quotas is used, and what this key may do. Any key may ask."""
    today = datetime.now(UTC).date()
    tenant = await store.get(db, caller.tenant_id)
    load = await store.load(db, caller.tenant_id)
    used = {day.kind: day.held for day in await usage.days(db, caller.tenant_id, today, today)}
    daily = caller.plan.daily
    quotas = [
        QuotaRead(kind=kind, used=used.get(kind, 0), limit=daily.get(kind)) for kind in Kind if kind is not Kind.SITEMAP
    ]
    return TenantRead(
        id=caller.tenant_id,
        name=tenant.name if tenant else caller.tenant_id,
        plan=plan_read(caller.plan),
        key_id=caller.key_id,
        scopes=sorted(caller.scopes),
        active_jobs=load.active,
        waiting_jobs=load.waiting,
        today=quotas,
        thresholds=caller.thresholds,
    )


@router.put(
    "/thresholds",
    summary="Set your own thresholds of rules",
    dependencies=[needs("tenant")],
    responses={
        200: {
            "description": "They hold",
            "content": {"application/json": {"example": {"hero.density": {"warn": 150}}}},
        },
        **refusals(ErrorCode.INVALID_REQUEST, ErrorCode.CONFLICT, ErrorCode.PAYLOAD_TOO_LARGE),
    },
)
async def set_thresholds(parts: TheParts, db: Writing, caller: TheCaller, body: Thresholds) -> Overrides:
    """Replace all of them: `{}` brings the defaults back. A threshold may move to between a quarter and four times.

    New analyses go by them within five seconds, name them in `engine.overrides`, and are never answered with a result
    of other thresholds. Rules and thresholds are listed in the documentation.
    """
    if problems := thresholds.problems(body, thresholds.defaults()):
        raise ServiceError(ErrorCode.INVALID_REQUEST, "Some thresholds cannot be set.", errors=problems)
    if not await store.set_thresholds(db, caller.tenant_id, body):
        detail = "There are no accounts here: the operator sets RULE_THRESHOLDS."
        raise ServiceError(ErrorCode.CONFLICT, detail)
    parts.keyring.forget_tenant(caller.tenant_id)
    return body
