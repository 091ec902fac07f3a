"""Who is told of ends, and what came of telling them."""

from sqlalchemy import Column, ForeignKey, Index, Integer, SmallInteger, String, Table, Text, literal_column

from gateway.tables.base import DOCUMENT, Words, metadata
from gateway.times import Instant

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
    Column("description", Words, nullable=False),
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
    Column("detail", Words, nullable=False),
    Column("answer", Words, nullable=False),
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
