from alembic import context
from sqlalchemy import text

from gateway.tables import metadata

# One number for "migrations of this schema"; the lock lasts as long as the transaction, so it works through a pooler.
_LOCK = 7_301_120_611_846_241

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
if connection.dialect.name == "postgresql":
    # Two releases that start together: the second waits, and finds nothing to do.
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    # For every revision: rather fail than queue every request behind a lock that is not to be had.
    connection.execute(text("SET LOCAL lock_timeout = '3s'"))
    connection.execute(text("SET LOCAL statement_timeout = '60s'"))
context.run_migrations()
