"""Customers: their keys, their money, what they used, what they changed."""

from sqlalchemy import BigInteger, Column, Double, Index, Integer, SmallInteger, String, Table

from gateway.tables.base import DOCUMENT, metadata
from gateway.times import Instant

ai_spend = Table(
    "ai_spend",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("reserved_microusd", BigInteger, nullable=False),
    Column("spent_microusd", BigInteger, nullable=False),
)
"""A tenant's bill with the model provider, by day (UTC, 2026-01-31). Integers, because SQLite has no decimals."""

ai_reservations = Table(
    "ai_reservations",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("day", String(10), nullable=False),
    Column("microusd", BigInteger, nullable=False),
)
"""What of `ai_spend.reserved_microusd` is held for which job. A deleted job's is swept, so no foreign key."""

tenants = Table(
    "tenants",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("plan", String(40), nullable=False),
    # what the queue needs of the plan, written when the plan is given or its file has changed; null: no limit
    Column("max_active", Integer),
    Column("share", Double, nullable=False),
    Column("daily", DOCUMENT, nullable=False),
    Column("ai_budget_microusd", BigInteger),
    # of rules, which the tenant has moved; null: none
    Column("thresholds", DOCUMENT),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
)
"""Customers. The one local tenant of a machine without keys has no row, and no limits."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("name", String(100), nullable=False),
    Column("hint", String(20), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("scopes", DOCUMENT, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),
    Column("replaces", String(64)),
    Index("ix_api_keys_tenant_id_id", "tenant_id", "id"),
)
"""Keys. `digest`: HMAC-SHA-256 of the key under the pepper, which is not in the database."""

usage = Table(
    "usage",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("day", String(10), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("cost_microusd", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_usage_tenant_id_day", "tenant_id", "day"),
)
"""One row for each job that succeeded, written with its result. It outlives the job, so no foreign key."""

usage_days = Table(
    "usage_days",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("held", Integer, nullable=False),
    Column("succeeded", Integer, nullable=False, server_default="0"),
    Column("failed", Integer, nullable=False, server_default="0"),
    Column("cancelled", Integer, nullable=False, server_default="0"),
    Column("cost_microusd", BigInteger, nullable=False, server_default="0"),
)
"""A tenant's day (UTC, of acceptance) by kind. `held` counts against the quota: accepted less failed and cancelled."""

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(120), nullable=False),
    Column("target_id", String(100), nullable=False),
    Column("address", String(64), nullable=False),
    Column("request_id", String(100), nullable=False),
    Column("status", SmallInteger, nullable=False),
    Index("ix_audit_events_tenant_id_id", "tenant_id", "id"),
)
"""Who changed what. Triggers refuse every change of a row and its removal."""
