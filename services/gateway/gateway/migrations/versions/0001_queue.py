"""Jobs, lanes, renders and results."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from gateway.times import Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

QUEUED = sa.text("state = 'queued'")
RUNNING = sa.text("state IN ('rendering', 'analyzing')")


def document() -> sa.JSON:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("preset", sa.String(20), nullable=False),
        sa.Column("trace", sa.String(100), nullable=False, server_default=""),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("order_key", sa.Double, nullable=False),
        sa.Column("run_at", Instant, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("stage", sa.String(20), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("crash_count", sa.Integer, nullable=False, server_default="0"),
        sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
        sa.Column("worker_id", sa.String(64)),
        sa.Column("lease_until", Instant),
        sa.Column("error_code", sa.String(40)),
        sa.Column("error_detail", sa.Text),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("started_at", Instant),
        sa.Column("finished_at", Instant),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index(
        "ix_jobs_queued",
        "jobs",
        ["kind", "priority", "order_key", "id"],
        postgresql_where=QUEUED,
        sqlite_where=QUEUED,
    )
    op.create_index("ix_jobs_running", "jobs", ["lease_until"], postgresql_where=RUNNING, sqlite_where=RUNNING)
    op.create_index("ix_jobs_tenant", "jobs", ["tenant_id", "kind", "id"])
    op.create_table(
        "lanes",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("last_key", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "kind", "priority", name="pk_lanes"),
    )
    op.create_index("ix_lanes_last_key", "lanes", ["kind", "priority", "last_key"])
    op.create_table(
        "renders",
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("document", document(), nullable=False),
        sa.Column("blob_keys", document(), nullable=False),
        sa.Column("saved_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_renders"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_renders_job_id", ondelete="CASCADE"),
    )
    op.create_table(
        "results",
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("document", document(), nullable=False),
        sa.Column("saved_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_results"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_results_job_id", ondelete="CASCADE"),
    )


def downgrade() -> None:
    for table in ("results", "renders", "lanes", "jobs"):
        op.drop_table(table)
