"""The route of the caller's own account."""

from datetime import UTC, datetime

from fastapi import APIRouter

from gateway.jobs.states import Kind
from gateway.refusals import refusals
from gateway.tenants import store
from gateway.tenants.schemas import QuotaRead, TenantRead, plan_read
from gateway.usage import store as usage
from gateway.wiring import Reading, TheCaller

router = APIRouter(prefix="/v1/tenant", tags=["tenant"])


@router.get("", summary="Your account: plan, limits, what is used of them", responses=refusals())
async def show(db: Reading, caller: TheCaller) -> TenantRead:
    """Read the plan, how much of today's quotas is used, and what this key may do. Any key may ask."""
    today = datetime.now(UTC).date()
    tenant = await store.get(db, caller.tenant_id)
    load = await store.load(db, caller.tenant_id)
    used = {day.kind: day.held for day in await usage.days(db, caller.tenant_id, today, today)}
    daily = caller.plan.daily
    quotas = [QuotaRead(kind=kind, used=used.get(kind, 0), limit=daily.get(kind)) for kind in Kind]
    return TenantRead(
        id=caller.tenant_id,
        name=tenant.name if tenant else caller.tenant_id,
        plan=plan_read(caller.plan),
        key_id=caller.key_id,
        scopes=sorted(caller.scopes),
        active_jobs=load.active,
        waiting_jobs=load.waiting,
        today=quotas,
    )
