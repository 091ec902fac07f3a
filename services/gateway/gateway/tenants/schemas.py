"""What customers receive about themselves."""

from decimal import Decimal

from pydantic import Field

from contracts.analyze import Overrides
from contracts.fetch import Tier
from contracts.wire import Wire
from gateway.access.plans import Plan
from gateway.access.scopes import Scope


class PlanRead(Wire):
    """The limits of a plan; null means no limit."""

    name: str
    requests_per_minute: int | None = Field(description="of all keys of the tenant together")
    burst: int | None
    concurrency: int | None = Field(description="jobs in the queue or in work at a time; later ones are `waiting`")
    daily: dict[str, int] = Field(
        description="jobs accepted in a day (UTC) by kind; failed and cancelled ones are given back"
    )
    max_wait_s: int
    max_batch: int
    tiers: list[Tier]
    scripts: bool
    ai_budget_usd_per_day: Decimal | None


class QuotaRead(Wire):
    """How much of today is used."""

    kind: str
    used: int
    limit: int | None


class TenantRead(Wire):
    """The caller's own account."""

    id: str
    name: str
    plan: PlanRead
    key_id: str | None = Field(description="the key of this very call; null where there are no keys")
    scopes: list[Scope] = Field(description="of this key")
    active_jobs: int
    waiting_jobs: int
    today: list[QuotaRead]
    thresholds: Overrides = Field(description="of rules, where they differ from the defaults, for new analyses")


def plan_read(plan: Plan) -> PlanRead:
    """Show a plan."""
    return PlanRead.model_validate(plan.model_dump(exclude={"share"}))
