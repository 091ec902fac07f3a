"""Webhooks: endpoints with their secrets, events, and their deliveries as a queue."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from gateway.times import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

PENDING = sa.text("state = 'pending'")
SENDING = sa.text("state = 'sending'")
TABLES = (
    "job_webhooks",
    "webhook_endpoints",
    "webhook_secrets",
    "webhook_events",
    "webhook_deliveries",
    "webhook_attempts",
    "webhook_lanes",
)


def document() -> sa.JSON:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "job_webhooks",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_job_webhooks"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_webhooks_job_id", ondelete="CASCADE"),
    )
    op.create_index("ix_job_webhooks_job_id", "job_webhooks", ["job_id"])
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("events", document()),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("concurrency", sa.SmallInteger, nullable=False),
        sa.Column("enabled", sa.SmallInteger, nullable=False),
        sa.Column("disabled_reason", sa.String(20)),
        sa.Column("disabled_at", Instant),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_endpoints"),
    )
    op.create_index("ix_webhook_endpoints_tenant", "webhook_endpoints", ["tenant_id", "id"])
    op.create_table(
        "webhook_secrets",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("wrapped", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_secrets"),
    )
    op.create_index("ix_webhook_secrets_owner", "webhook_secrets", ["tenant_id", "owner"])
    op.create_table(
        "webhook_events",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("once_key", sa.String(120), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_events"),
        sa.UniqueConstraint("once_key", name="uq_webhook_events_once_key"),
    )
    op.create_index("ix_webhook_events_created_at", "webhook_events", ["created_at"])
    _deliveries()
    op.create_table(
        "webhook_lanes",
        sa.Column("lane", sa.String(320), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("failing_since", Instant, nullable=False),
        sa.Column("paused_until", Instant),
        sa.PrimaryKeyConstraint("lane", name="pk_webhook_lanes"),
    )
    op.create_index("ix_events_job_id", "events", ["job_id", "type"])
    if op.get_bind().dialect.name == "postgresql":
        _walls()


def _walls() -> None:
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY tenant_wall ON {table} USING "
            "(current_setting('app.tenant', true) = '*' OR tenant_id = current_setting('app.tenant', true))"
        )


def _deliveries() -> None:
    deliveries = "webhook_deliveries"
    op.create_table(
        deliveries,
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("endpoint_id", sa.String(64)),
        sa.Column("url", sa.Text),
        sa.Column("lane", sa.String(320), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("attempt", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("run_at", Instant, nullable=False),
        sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
        sa.Column("worker_id", sa.String(64)),
        sa.Column("lease_until", Instant),
        sa.Column("last_status", sa.SmallInteger),
        sa.Column("last_error", sa.String(40)),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("finished_at", Instant),
        sa.PrimaryKeyConstraint("id", name=f"pk_{deliveries}"),
        sa.ForeignKeyConstraint(
            ["event_id"], ["webhook_events.id"], name=f"fk_{deliveries}_event_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoints.id"], name=f"fk_{deliveries}_endpoint_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_webhook_deliveries_event_id", deliveries, ["event_id"])
    op.create_index("ix_webhook_deliveries_log", deliveries, ["tenant_id", "endpoint_id", "id"])
    op.create_index(
        "ix_webhook_deliveries_due", deliveries, ["lane", "run_at"], postgresql_where=PENDING, sqlite_where=PENDING
    )
    op.create_index(
        "ix_webhook_deliveries_sending",
        deliveries,
        ["lane", "lease_until"],
        postgresql_where=SENDING,
        sqlite_where=SENDING,
    )
    op.create_table(
        "webhook_attempts",
        sa.Column("delivery_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("status", sa.SmallInteger),
        sa.Column("error", sa.String(40)),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("ms", sa.Integer, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "number", name="pk_webhook_attempts"),
        sa.ForeignKeyConstraint(
            ["delivery_id"], [f"{deliveries}.id"], name="fk_webhook_attempts_delivery_id", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    op.drop_index("ix_events_job_id", "events")
    for table in reversed(TABLES):
        op.drop_table(table)
