"""Every table. The `jobs` row is the queue item, the record of what was asked, and the truth about its state."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    literal_column,
)
from sqlalchemy.dialects.postgresql import JSONB

from gateway.times import Instant

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

DOCUMENT = JSON().with_variant(JSONB(), "postgresql")

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("url", Text, nullable=False),
    # empty for what is no analysis
    Column("preset", String(20), nullable=False),
    # what a capture asks besides its URL; nothing confidential
    Column("options", DOCUMENT),
    Column("trace", String(100), nullable=False, server_default=""),
    # order: priority class first, then the virtual finish time given at enqueue
    Column("priority", SmallInteger, nullable=False),
    Column("order_key", Double, nullable=False),
    Column("run_at", Instant, nullable=False),
    # progress
    Column("state", String(20), nullable=False),
    Column("stage", String(20), nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("crash_count", Integer, nullable=False, server_default="0"),
    # the lease: `fence` grows with every claim, so a worker that was declared dead cannot write
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("worker_id", String(64)),
    Column("lease_until", Instant),
    # outcome
    Column("error_code", String(40)),
    Column("error_detail", Text),
    # what makes two requests the same; empty for a result that nobody else may be given
    Column("cache_key", String(64)),
    # requests that were given this job and may still wait for it
    Column("callers", Integer, nullable=False, server_default="1"),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    # the day (UTC) on whose quota it was accepted
    Column("quota_day", String(10)),
    # 1: plain HTTP is all it needs for now, so it takes no browser's place
    Column("light", SmallInteger, nullable=False, server_default="0"),
    # of a batch: which one, the place of the URL in it, and its line of the results once it has succeeded
    Column("batch_id", String(64)),
    Column("seq", Integer),
    Column("brief", Text),
)

# Literal text and not bound values: a planner can only use a partial index whose condition it can read.
IS_QUEUED = jobs.c.state == literal_column("'queued'")
IS_RUNNING = jobs.c.state.in_([literal_column("'rendering'"), literal_column("'analyzing'")])
IS_WAITING = jobs.c.state == literal_column("'waiting'")
IS_HELD = jobs.c.state == literal_column("'held'")
IS_LIGHT = jobs.c.light == literal_column("1")
IS_HEAVY = jobs.c.light == literal_column("0")
IN_BATCH = jobs.c.batch_id.is_not(None)
IS_ACTIVE = jobs.c.state.in_([literal_column("'queued'"), literal_column("'rendering'"), literal_column("'analyzing'")])

# One line for all kinds: what interactive callers wait for goes before any kind's batches.
Index(
    "ix_jobs_due",
    jobs.c.priority,
    jobs.c.order_key,
    jobs.c.id,
    postgresql_where=IS_QUEUED,
    sqlite_where=IS_QUEUED,
)
# Of no use any more, except to the release before captures, which may still run beside this one.
Index(
    "ix_jobs_queued",
    jobs.c.kind,
    jobs.c.priority,
    jobs.c.order_key,
    jobs.c.id,
    postgresql_where=IS_QUEUED,
    sqlite_where=IS_QUEUED,
)
Index("ix_jobs_running", jobs.c.lease_until, postgresql_where=IS_RUNNING, sqlite_where=IS_RUNNING)
Index("ix_jobs_tenant", jobs.c.tenant_id, jobs.c.kind, jobs.c.id)
Index("ix_jobs_active", jobs.c.tenant_id, postgresql_where=IS_ACTIVE, sqlite_where=IS_ACTIVE)
Index(
    "ix_jobs_waiting",
    jobs.c.tenant_id,
    jobs.c.priority,
    jobs.c.order_key,
    jobs.c.id,
    postgresql_where=IS_WAITING,
    sqlite_where=IS_WAITING,
)
Index(
    "ix_jobs_light",
    jobs.c.priority,
    jobs.c.order_key,
    jobs.c.id,
    postgresql_where=IS_QUEUED & IS_LIGHT,
    sqlite_where=IS_QUEUED & IS_LIGHT,
)
Index(
    "ix_jobs_heavy",
    jobs.c.priority,
    jobs.c.order_key,
    jobs.c.id,
    postgresql_where=IS_QUEUED & IS_HEAVY,
    sqlite_where=IS_QUEUED & IS_HEAVY,
)
Index("ix_jobs_batch", jobs.c.batch_id, jobs.c.seq, postgresql_where=IN_BATCH, sqlite_where=IN_BATCH)
Index("ix_jobs_held", jobs.c.batch_id, jobs.c.order_key, jobs.c.seq, postgresql_where=IS_HELD, sqlite_where=IS_HELD)
IS_REUSABLE = jobs.c.cache_key.is_not(None)
Index(
    "ix_jobs_cache_key",
    jobs.c.tenant_id,
    jobs.c.cache_key,
    jobs.c.id,
    postgresql_where=IS_REUSABLE,
    sqlite_where=IS_REUSABLE,
)

lanes = Table(
    "lanes",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("priority", SmallInteger, primary_key=True, autoincrement=False),
    Column("last_key", Double, nullable=False),
    Index("ix_lanes_last_key", "kind", "priority", "last_key"),
    Index("ix_lanes_priority", "priority", "last_key"),
)
"""The last virtual finish time that each tenant was given, for each kind of work: one clock for all kinds."""

renders = Table(
    "renders",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("document", DOCUMENT, nullable=False),
    Column("blob_keys", DOCUMENT, nullable=False),
    Column("saved_at", Instant, nullable=False),
)
"""What the renderer answered, so that a failed analysis never renders twice. `blob_keys`: artifact name → blob key."""

results = Table(
    "results",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("document", DOCUMENT, nullable=False),
    Column("blob_keys", DOCUMENT),
    Column("saved_at", Instant, nullable=False),
)
"""What customers get. `blob_keys`, of captures only: artifact name → blob key."""

job_secrets = Table(
    "job_secrets",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("document", DOCUMENT, nullable=False),
    Column("saved_at", Instant, nullable=False),
)
"""Headers, cookies and passwords for a visit, gone as soon as the job has ended. No query joins it."""

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

IS_FINISHED = jobs.c.finished_at.is_not(None)
Index("ix_jobs_finished", jobs.c.finished_at, postgresql_where=IS_FINISHED, sqlite_where=IS_FINISHED)
events = Table(
    "events",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("type", String(40), nullable=False),
    Column("document", DOCUMENT, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_events_tenant", "tenant_id", "id"),
    Index("ix_events_job_id", "job_id", "type"),
)
"""What happened to a job after its end, for those who want to be told."""

memos = Table(
    "memos",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("page", String(64), primary_key=True),
    Column("preset", String(20), primary_key=True),
    Column("document", DOCUMENT, nullable=False),
    Column("saved_at", Instant, nullable=False),
    Index("ix_memos_saved", "saved_at"),
)
"""The model's last answer to each page of a tenant. `page`: the address's SHA-256."""
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    # empty only inside the transaction that makes the job
    Column("job_id", String(64)),
    Column("origin", String(10), nullable=False, server_default="made"),
    # the answer as it was given, where the job was not finished then
    Column("answer", Text),
    Column("created_at", Instant, nullable=False),
    Index("ix_idempotency_keys_created_at", "created_at"),
    Index("ix_idempotency_keys_job_id", "job_id"),
)
"""Which job a caller's `Idempotency-Key` made. It outlives a deleted job, so that a late repetition makes no other."""

removals = Table(
    "removals",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Index("ix_removals_due_at", "due_at"),
)
"""Deleted jobs whose objects the blob store may still hold."""
job_webhooks = Table(
    "job_webhooks",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("tenant_id", String(64), nullable=False),
    Column("url", Text, nullable=False),
    Index("ix_job_webhooks_job_id", "job_id"),
)
"""Where else the end of one job is told, besides the tenant's endpoints."""

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("url", Text, nullable=False),
    # a list of event types; null: all, also those of later releases
    Column("events", DOCUMENT),
    Column("description", Text, nullable=False),
    Column("concurrency", SmallInteger, nullable=False),
    Column("enabled", SmallInteger, nullable=False),
    Column("disabled_reason", String(20)),
    Column("disabled_at", Instant),
    Column("created_at", Instant, nullable=False),
    Index("ix_webhook_endpoints_tenant", "tenant_id", "id"),
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    # an endpoint's id, or `request` for URLs that came with one request
    Column("owner", String(64), nullable=False),
    Column("wrapped", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Index("ix_webhook_secrets_owner", "tenant_id", "owner"),
)
"""What deliveries are signed with; during a rotation an owner has several that are valid."""

webhook_events = Table(
    "webhook_events",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("type", String(40), nullable=False),
    # what may be told once only: a job's id and the type, or the event's own id
    Column("once_key", String(120), nullable=False, unique=True),
    # text and not JSON: every attempt sends, and signs, the same bytes
    Column("document", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index("ix_webhook_events_created_at", "created_at"),
)
"""What happened, for as long as somebody has to be told or may ask again."""

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("event_id", ForeignKey("webhook_events.id", ondelete="CASCADE"), nullable=False),
    Column("endpoint_id", ForeignKey("webhook_endpoints.id", ondelete="CASCADE")),
    # of one request's own URL; an endpoint's is looked up when it is sent
    Column("url", Text),
    # whose concurrency it counts against: an endpoint, or one tenant's use of a host
    Column("lane", String(320), nullable=False),
    Column("state", String(20), nullable=False),
    # `attempt` is the place in the schedule, `tries` never starts anew
    Column("attempt", SmallInteger, nullable=False, server_default="0"),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("run_at", Instant, nullable=False),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("worker_id", String(64)),
    Column("lease_until", Instant),
    Column("last_status", SmallInteger),
    Column("last_error", String(40)),
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Index("ix_webhook_deliveries_event_id", "event_id"),
    Index("ix_webhook_deliveries_log", "tenant_id", "endpoint_id", "id"),
)
"""The outbox, and a queue of its own: see docs/adr/0022."""

IS_PENDING = webhook_deliveries.c.state == literal_column("'pending'")
IS_SENDING = webhook_deliveries.c.state == literal_column("'sending'")
Index(
    "ix_webhook_deliveries_due",
    webhook_deliveries.c.lane,
    webhook_deliveries.c.run_at,
    postgresql_where=IS_PENDING,
    sqlite_where=IS_PENDING,
)
Index(
    "ix_webhook_deliveries_sending",
    webhook_deliveries.c.lane,
    webhook_deliveries.c.lease_until,
    postgresql_where=IS_SENDING,
    sqlite_where=IS_SENDING,
)

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("delivery_id", ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("tenant_id", String(64), nullable=False),
    Column("status", SmallInteger),
    Column("error", String(40)),
    Column("detail", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("ms", Integer, nullable=False),
    Column("at", Instant, nullable=False),
)
"""What came of each attempt. `answer`: the first bytes of the receiver's, escaped."""

webhook_lanes = Table(
    "webhook_lanes",
    metadata,
    Column("lane", String(320), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("failing_since", Instant, nullable=False),
    Column("paused_until", Instant),
)
"""Receivers in trouble only: since when nothing went through, and until when to leave them alone."""

batches = Table(
    "batches",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    # what was asked for all URLs; nothing confidential
    Column("asked", DOCUMENT, nullable=False),
    Column("concurrency", Integer, nullable=False),
    # the ceiling for all URLs, and the most that one may cost
    Column("max_cost_microusd", BigInteger),
    Column("unit_microusd", BigInteger, nullable=False),
    # where its URLs are read from, if they did not come with the request
    Column("sitemap_url", Text),
    # where its end is told besides the tenant's endpoints; 1: that of each URL, too
    Column("webhook_url", Text),
    Column("webhook_each", SmallInteger, nullable=False, server_default="0"),
    # why it ended before it had URLs
    Column("error_code", String(40)),
    Column("error_detail", Text),
    # counters, moved in the commit that moves a job; what is in none of them is in the queue or in work
    Column("total", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("held", Integer, nullable=False),
    Column("succeeded", Integer, nullable=False, server_default="0"),
    Column("failed", Integer, nullable=False, server_default="0"),
    Column("cancelled", Integer, nullable=False, server_default="0"),
    Column("by_static", Integer, nullable=False, server_default="0"),
    Column("by_browser", Integer, nullable=False, server_default="0"),
    Column("by_unblocker", Integer, nullable=False, server_default="0"),
    Column("cost_microusd", BigInteger, nullable=False, server_default="0"),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Index("ix_batches_tenant_id_id", "tenant_id", "id"),
)
"""Batches. Their URLs are rows of `jobs`."""

IS_FED = batches.c.state.in_([literal_column("'queued'"), literal_column("'running'")])
Index("ix_batches_open", batches.c.id, postgresql_where=IS_FED, sqlite_where=IS_FED)
IS_OVER = batches.c.finished_at.is_not(None)
Index("ix_batches_finished", batches.c.finished_at, postgresql_where=IS_OVER, sqlite_where=IS_OVER)

batch_rejects = Table(
    "batch_rejects",
    metadata,
    Column("batch_id", ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
    # the line or place in the request, from 0
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("tenant_id", String(64), nullable=False),
    Column("url", Text, nullable=False),
    Column("code", String(40), nullable=False),
    Column("detail", Text, nullable=False),
)
"""URLs of batches that were set aside."""
