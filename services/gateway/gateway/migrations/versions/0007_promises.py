"""Answers that are given again: idempotency keys, results for later requests; objects that are still to be removed."""

import sqlalchemy as sa
from alembic import op

from gateway.times import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

REUSABLE = sa.text("cache_key IS NOT NULL")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("cache_key", sa.String(64)))
    op.add_column("jobs", sa.Column("callers", sa.Integer, nullable=False, server_default="1"))
    op.create_index(
        "ix_jobs_cache_key",
        "jobs",
        ["tenant_id", "cache_key", "id"],
        postgresql_where=REUSABLE,
        sqlite_where=REUSABLE,
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("job_id", sa.String(64)),
        sa.Column("origin", sa.String(10), nullable=False, server_default="made"),
        sa.Column("answer", sa.Text),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_index("ix_idempotency_keys_job_id", "idempotency_keys", ["job_id"])
    op.create_table(
        "removals",
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("job_id", name="pk_removals"),
    )
    op.create_index("ix_removals_due_at", "removals", ["due_at"])


def downgrade() -> None:
    for table in ("removals", "idempotency_keys"):
        op.drop_table(table)
    op.drop_index("ix_jobs_cache_key", "jobs")
    op.drop_column("jobs", "callers")
    op.drop_column("jobs", "cache_key")
