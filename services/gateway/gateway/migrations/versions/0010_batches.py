"""Batches: their rows, their rejected URLs, and what jobs know of them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from gateway.times import Instant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

LIGHT = sa.text("state = 'queued' AND light = 1")
HEAVY = sa.text("state = 'queued' AND light = 0")
BATCH = sa.text("batch_id IS NOT NULL")
HELD = sa.text("state = 'held'")
OPEN = sa.text("state IN ('queued', 'running')")
OVER = sa.text("finished_at IS NOT NULL")
WALLED = ("batches", "batch_rejects")


def document() -> sa.JSON:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def counter(name: str, default: str | None = "0") -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, server_default=default)


def upgrade() -> None:
    op.add_column("jobs", sa.Column("light", sa.SmallInteger, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("batch_id", sa.String(64)))
    op.add_column("jobs", sa.Column("seq", sa.Integer))
    op.add_column("jobs", sa.Column("brief", sa.Text))
    for name, columns, rows in (
        ("ix_jobs_light", ["priority", "order_key", "id"], LIGHT),
        ("ix_jobs_heavy", ["priority", "order_key", "id"], HEAVY),
        ("ix_jobs_batch", ["batch_id", "seq"], BATCH),
        ("ix_jobs_held", ["batch_id", "order_key", "seq"], HELD),
    ):
        op.create_index(name, "jobs", columns, postgresql_where=rows, sqlite_where=rows)
    op.create_table(
        "batches",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("asked", document(), nullable=False),
        sa.Column("concurrency", sa.Integer, nullable=False),
        sa.Column("max_cost_microusd", sa.BigInteger),
        sa.Column("unit_microusd", sa.BigInteger, nullable=False),
        sa.Column("sitemap_url", sa.Text),
        sa.Column("webhook_url", sa.Text),
        sa.Column("webhook_each", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("error_code", sa.String(40)),
        sa.Column("error_detail", sa.Text),
        *(counter(name, None) for name in ("total", "rejected", "held")),
        *(counter(name) for name in ("succeeded", "failed", "cancelled", "by_static", "by_browser", "by_unblocker")),
        sa.Column("cost_microusd", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("started_at", Instant),
        sa.Column("finished_at", Instant),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
    )
    op.create_index("ix_batches_tenant_id_id", "batches", ["tenant_id", "id"])
    op.create_index("ix_batches_open", "batches", ["id"], postgresql_where=OPEN, sqlite_where=OPEN)
    op.create_index("ix_batches_finished", "batches", ["finished_at"], postgresql_where=OVER, sqlite_where=OVER)
    op.create_table(
        "batch_rejects",
        sa.Column("batch_id", sa.String(64), nullable=False),
        sa.Column("place", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "place", name="pk_batch_rejects"),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], ondelete="CASCADE", name="fk_batch_rejects_batch_id"),
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in WALLED:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(
                f"CREATE POLICY tenant_wall ON {table} USING "
                "(current_setting('app.tenant', true) = '*' OR tenant_id = current_setting('app.tenant', true))"
            )


def downgrade() -> None:
    op.drop_table("batch_rejects")
    op.drop_table("batches")
    # The release before would find them in no state, and of no kind, that it knows.
    op.execute("UPDATE jobs SET state = 'queued' WHERE state = 'held'")
    op.execute("DELETE FROM jobs WHERE kind = 'sitemap'")
    for name in ("ix_jobs_held", "ix_jobs_batch", "ix_jobs_heavy", "ix_jobs_light"):
        op.drop_index(name, "jobs")
    for column in ("brief", "seq", "batch_id", "light"):
        op.drop_column("jobs", column)
