"""Captures: jobs of a second kind, with options of their own and, until they end, secrets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from gateway.times import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

QUEUED = sa.text("state = 'queued'")


def document() -> sa.JSON:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    # Columns are only added: a rebuilt table would take its children with it on SQLite, by their foreign keys.
    op.add_column("jobs", sa.Column("options", document()))
    op.add_column("results", sa.Column("blob_keys", document()))
    # ix_jobs_queued and ix_lanes_last_key stay for the release before this one.
    op.create_index(
        "ix_jobs_due", "jobs", ["priority", "order_key", "id"], postgresql_where=QUEUED, sqlite_where=QUEUED
    )
    op.create_index("ix_lanes_priority", "lanes", ["priority", "last_key"])
    op.create_table(
        "job_secrets",
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("document", document(), nullable=False),
        sa.Column("saved_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_job_secrets"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_secrets_job_id", ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.execute("DELETE FROM jobs WHERE kind = 'capture'")
    op.drop_table("job_secrets")
    op.drop_index("ix_lanes_priority", "lanes")
    op.drop_index("ix_jobs_due", "jobs")
    op.drop_column("results", "blob_keys")
    op.drop_column("jobs", "options")
