"""The second wall around the tables that came after it."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

WALLED = ("idempotency_keys", "removals", "events", "memos")


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in WALLED:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY tenant_wall ON {table} USING "
            "(current_setting('app.tenant', true) = '*' OR tenant_id = current_setting('app.tenant', true))"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in WALLED:
        op.execute(f"DROP POLICY tenant_wall ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
