"""The `jobs` row is the queue item, the record of what was asked, and the truth about its state."""

from sqlalchemy import Column, Double, ForeignKey, Index, Integer, SmallInteger, String, Table, Text, literal_column

from gateway.tables.base import DOCUMENT, Words, metadata
from gateway.times import Instant

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("url", Text, nullable=False),
    # empty for what is no analysis
    Column("preset", String(20), nullable=False),
    # what a capture asks besides its URL; nothing confidential
    Column("options", DOCUMENT),
    Column("trace", String(100), nullable=False, server_default=""),
    # order: priority class first, then the virtual finish time given at enqueue
    Column("priority", SmallInteger, nullable=False),
    Column("order_key", Double, nullable=False),
    Column("run_at", Instant, nullable=False),
    # progress
    Column("state", String(20), nullable=False),
    Column("stage", String(20), nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("crash_count", Integer, nullable=False, server_default="0"),
    # the lease: `fence` grows with every claim, so a worker that was declared dead cannot write
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("worker_id", String(64)),
    Column("lease_until", Instant),
    # outcome
    Column("error_code", String(40)),
    Column("error_detail", Words),
    # what makes two requests the same; empty for a result that nobody else may be given
    Column("cache_key", String(64)),
    # requests that were given this job and may still wait for it
    Column("callers", Integer, nullable=False, server_default="1"),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    # the day (UTC) on whose quota it was accepted
    Column("quota_day", String(10)),
    # 1: plain HTTP is all it needs for now, so it takes no browser's place
    Column("light", SmallInteger, nullable=False, server_default="0"),
    # of a batch: which one, the place of the URL in it, and its line of the results once it has succeeded
    Column("batch_id", String(64)),
    Column("seq", Integer),
    Column("brief", Text),
)

# Literal text and not bound values: a planner can only use a partial index whose condition it can read.
IS_QUEUED = jobs.c.state == literal_column("'queued'")
IS_RUNNING = jobs.c.state.in_([literal_column("'rendering'"), literal_column("'analyzing'")])
IS_WAITING = jobs.c.state == literal_column("'waiting'")
IS_HELD = jobs.c.state == literal_column("'held'")
IS_LIGHT = jobs.c.light == literal_column("1")
IS_HEAVY = jobs.c.light == literal_column("0")
IN_BATCH = jobs.c.batch_id.is_not(None)
IS_ACTIVE = jobs.c.state.in_([literal_column("'queued'"), literal_column("'rendering'"), literal_column("'analyzing'")])

# One line for all kinds: what interactive callers wait for goes before any kind's batches.
Index(
    "ix_jobs_due",
    jobs.c.priority,
    jobs.c.order_key,
    jobs.c.id,
    postgresql_where=IS_QUEUED,
    sqlite_where=IS_QUEUED,
)
# Of no use any more, except to the release before captures, which may still run beside this one.
Index(
    "ix_jobs_queued",
    jobs.c.kind,
    jobs.c.priority,
    jobs.c.order_key,
    jobs.c.id,
    postgresql_where=IS_QUEUED,
    sqlite_where=IS_QUEUED,
)
Index("ix_jobs_running", jobs.c.lease_until, postgresql_where=IS_RUNNING, sqlite_where=IS_RUNNING)
Index("ix_jobs_tenant", jobs.c.tenant_id, jobs.c.kind, jobs.c.id)
Index("ix_jobs_active", jobs.c.tenant_id, postgresql_where=IS_ACTIVE, sqlite_where=IS_ACTIVE)
Index(
    "ix_jobs_waiting",
    jobs.c.tenant_id,
    jobs.c.priority,
    jobs.c.order_key,
    jobs.c.id,
    postgresql_where=IS_WAITING,
    sqlite_where=IS_WAITING,
)
Index(
    "ix_jobs_light",
    jobs.c.priority,
    jobs.c.order_key,
    jobs.c.id,
    postgresql_where=IS_QUEUED & IS_LIGHT,
    sqlite_where=IS_QUEUED & IS_LIGHT,
)
Index(
    "ix_jobs_heavy",
    jobs.c.priority,
    jobs.c.order_key,
    jobs.c.id,
    postgresql_where=IS_QUEUED & IS_HEAVY,
    sqlite_where=IS_QUEUED & IS_HEAVY,
)
Index("ix_jobs_batch", jobs.c.batch_id, jobs.c.seq, postgresql_where=IN_BATCH, sqlite_where=IN_BATCH)
Index("ix_jobs_held", jobs.c.batch_id, jobs.c.order_key, jobs.c.seq, postgresql_where=IS_HELD, sqlite_where=IS_HELD)
IS_REUSABLE = jobs.c.cache_key.is_not(None)
Index(
    "ix_jobs_cache_key",
    jobs.c.tenant_id,
    jobs.c.cache_key,
    jobs.c.id,
    postgresql_where=IS_REUSABLE,
    sqlite_where=IS_REUSABLE,
)

lanes = Table(
    "lanes",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("priority", SmallInteger, primary_key=True, autoincrement=False),
    Column("last_key", Double, nullable=False),
    Index("ix_lanes_last_key", "kind", "priority", "last_key"),
    Index("ix_lanes_priority", "priority", "last_key"),
)
"""The last virtual finish time that each tenant was given, for each kind of work: one clock for all kinds."""

renders = Table(
    "renders",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("document", DOCUMENT, nullable=False),
    Column("blob_keys", DOCUMENT, nullable=False),
    Column("saved_at", Instant, nullable=False),
)
"""What the renderer answered, so that a failed analysis never renders twice. `blob_keys`: artifact name → blob key."""

results = Table(
    "results",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("document", DOCUMENT, nullable=False),
    Column("blob_keys", DOCUMENT),
    Column("saved_at", Instant, nullable=False),
)
"""What customers get. `blob_keys`, of captures only: artifact name → blob key."""

job_secrets = Table(
    "job_secrets",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("document", DOCUMENT, nullable=False),
    Column("saved_at", Instant, nullable=False),
)
"""Headers, cookies and passwords for a visit, gone as soon as the job has ended. No query joins it."""
