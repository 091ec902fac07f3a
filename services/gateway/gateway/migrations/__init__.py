"""Schema revisions; alembic loads them by path."""
