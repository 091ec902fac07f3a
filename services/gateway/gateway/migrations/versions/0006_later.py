"""The outbox of events, and the model's last answer to each page."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from gateway.times import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def document() -> sa.JSON:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("document", document(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_events_job_id", ondelete="CASCADE"),
    )
    op.create_index("ix_events_tenant", "events", ["tenant_id", "id"])
    op.create_table(
        "memos",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("page", sa.String(64), nullable=False),
        sa.Column("preset", sa.String(20), nullable=False),
        sa.Column("document", document(), nullable=False),
        sa.Column("saved_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "page", "preset", name="pk_memos"),
    )
    op.create_index("ix_memos_saved", "memos", ["saved_at"])


def downgrade() -> None:
    op.execute("DELETE FROM jobs WHERE kind = 'enrichment'")
    for table in ("memos", "events"):
        op.drop_table(table)
