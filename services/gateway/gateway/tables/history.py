"""What outlives a job, or its end: results kept for others, promises, events, objects to be removed."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from gateway.tables.base import DOCUMENT, metadata
from gateway.tables.queue import jobs
from gateway.times import Instant

IS_FINISHED = jobs.c.finished_at.is_not(None)
Index("ix_jobs_finished", jobs.c.finished_at, postgresql_where=IS_FINISHED, sqlite_where=IS_FINISHED)
events = Table(
    "events",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("type", String(40), nullable=False),
    Column("document", DOCUMENT, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_events_tenant", "tenant_id", "id"),
    Index("ix_events_job_id", "job_id", "type"),
)
"""What happened to a job after its end, for those who want to be told."""

memos = Table(
    "memos",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("page", String(64), primary_key=True),
    Column("preset", String(20), primary_key=True),
    Column("document", DOCUMENT, nullable=False),
    Column("saved_at", Instant, nullable=False),
    Index("ix_memos_saved", "saved_at"),
)
"""The model's last answer to each page of a tenant. `page`: the address's SHA-256."""
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    # empty only inside the transaction that makes the job
    Column("job_id", String(64)),
    Column("origin", String(10), nullable=False, server_default="made"),
    # the answer as it was given, where the job was not finished then
    Column("answer", Text),
    Column("created_at", Instant, nullable=False),
    Index("ix_idempotency_keys_created_at", "created_at"),
    Index("ix_idempotency_keys_job_id", "job_id"),
)
"""Which job a caller's `Idempotency-Key` made. It outlives a deleted job, so that a late repetition makes no other."""

removals = Table(
    "removals",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Index("ix_removals_due_at", "due_at"),
)
"""Deleted jobs whose objects the blob store may still hold."""
