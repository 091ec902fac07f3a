"""Many jobs under one id."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, SmallInteger, String, Table, Text, literal_column

from gateway.tables.base import DOCUMENT, Words, metadata
from gateway.times import Instant

batches = Table(
    "batches",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    # what was asked for all URLs; nothing confidential
    Column("asked", DOCUMENT, nullable=False),
    Column("concurrency", Integer, nullable=False),
    # the ceiling for all URLs, and the most that one may cost
    Column("max_cost_microusd", BigInteger),
    Column("unit_microusd", BigInteger, nullable=False),
    # where its URLs are read from, if they did not come with the request
    Column("sitemap_url", Text),
    # where its end is told besides the tenant's endpoints; 1: that of each URL, too
    Column("webhook_url", Text),
    Column("webhook_each", SmallInteger, nullable=False, server_default="0"),
    # why it ended before it had URLs
    Column("error_code", String(40)),
    Column("error_detail", Words),
    # counters, moved in the commit that moves a job; what is in none of them is in the queue or in work
    Column("total", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("held", Integer, nullable=False),
    Column("succeeded", Integer, nullable=False, server_default="0"),
    Column("failed", Integer, nullable=False, server_default="0"),
    Column("cancelled", Integer, nullable=False, server_default="0"),
    Column("by_static", Integer, nullable=False, server_default="0"),
    Column("by_browser", Integer, nullable=False, server_default="0"),
    Column("by_unblocker", Integer, nullable=False, server_default="0"),
    Column("cost_microusd", BigInteger, nullable=False, server_default="0"),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Index("ix_batches_tenant_id_id", "tenant_id", "id"),
)
"""Batches. Their URLs are rows of `jobs`."""

IS_FED = batches.c.state.in_([literal_column("'queued'"), literal_column("'running'")])
Index("ix_batches_open", batches.c.id, postgresql_where=IS_FED, sqlite_where=IS_FED)
IS_OVER = batches.c.finished_at.is_not(None)
Index("ix_batches_finished", batches.c.finished_at, postgresql_where=IS_OVER, sqlite_where=IS_OVER)

batch_rejects = Table(
    "batch_rejects",
    metadata,
    Column("batch_id", ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
    # the line or place in the request, from 0
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("tenant_id", String(64), nullable=False),
    Column("url", Words, nullable=False),
    Column("code", String(40), nullable=False),
    Column("detail", Words, nullable=False),
)
"""URLs of batches that were set aside."""
