"""What each tenant's day cost with the model provider, and what is held for jobs in progress."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ai_spend",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("reserved_microusd", sa.BigInteger, nullable=False),
        sa.Column("spent_microusd", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "day", name="pk_ai_spend"),
    )
    op.create_table(
        "ai_reservations",
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("microusd", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_ai_reservations"),
    )


def downgrade() -> None:
    for table in ("ai_reservations", "ai_spend"):
        op.drop_table(table)
