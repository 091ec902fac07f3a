"""Keys, plans, usage and the audit log."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, TypeAlias

from cro_analyzer.models.captures import Tier

Scope: TypeAlias = Literal[
    "analyses:read",
    "analyses:write",
    "captures:read",
    "captures:write",
    "batches:read",
    "batches:write",
    "webhooks:read",
    "webhooks:write",
    "keys:admin",
    "tenant:admin",
    "usage:read",
    "audit:read",
]
"""One permission. `keys:admin` reaches no further than the scopes that its own key has."""


@dataclass(frozen=True, kw_only=True)
class KeyRead:
    """A key without its secret."""

    id: str
    name: str
    hint: str
    """how the key begins"""
    scopes: list[Scope]
    active: bool
    created_by: str
    """the key that made it, or `operator`"""
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    """to within ten seconds"""
    replaces: str | None
    """the key from which it was rotated"""


@dataclass(frozen=True, kw_only=True)
class KeyMade(KeyRead):
    """A key with its secret, which is shown this once and kept nowhere."""

    key: str
    """send it as `Authorization: Bearer …`"""


@dataclass(frozen=True, kw_only=True)
class UsageDay:
    """One kind of work in one day."""

    day: date
    """UTC, of acceptance"""
    kind: str
    accepted: int
    succeeded: int
    failed: int
    cancelled: int
    cost_usd: Decimal
    """what providers (Claude, unblocker) billed for what succeeded"""


@dataclass(frozen=True, kw_only=True)
class UsageTotal:
    """All days together."""

    accepted: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    cost_usd: Decimal = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class UsageRead:
    """Days, latest first; those without work are left out."""

    data: list[UsageDay]
    total: UsageTotal


@dataclass(frozen=True, kw_only=True)
class PlanRead:
    """The limits of a plan; null means no limit."""

    name: str
    requests_per_minute: int | None
    """of all keys of the tenant together"""
    burst: int | None
    concurrency: int | None
    """jobs in the queue or in work at a time; later ones are `waiting`"""
    daily: dict[str, int]
    """jobs accepted in a day (UTC) by kind; failed and cancelled ones are given back"""
    max_wait_s: int
    max_batch: int
    tiers: list[Tier]
    scripts: bool
    ai_budget_usd_per_day: Decimal | None


@dataclass(frozen=True, kw_only=True)
class QuotaRead:
    """How much of today is used."""

    kind: str
    used: int
    limit: int | None


@dataclass(frozen=True, kw_only=True)
class TenantRead:
    """The caller's own account."""

    id: str
    name: str
    plan: PlanRead
    key_id: str | None
    """the key of this very call; null where there are no keys"""
    scopes: list[Scope]
    """of this key"""
    active_jobs: int
    waiting_jobs: int
    today: list[QuotaRead]
    thresholds: dict[str, dict[str, float]] = field(default_factory=dict)
    """of rules, in the place of the defaults"""


@dataclass(frozen=True, kw_only=True)
class AuditRead:
    """One mutating call."""

    id: str
    at: datetime
    actor: str
    """the key's id, `local` where there are no keys, or `operator`"""
    action: str
    """method and route"""
    target_id: str
    """what was made or changed; empty where the call failed before"""
    address: str
    """where the call came from"""
    request_id: str
    status: int
    """the HTTP status of the answer"""
