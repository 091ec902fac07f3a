"""Removing a job on its owner's request, with everything that it has."""

import structlog

from contracts.errors import ErrorCode
from gateway import metrics
from gateway.blobs.base import BlobStore
from gateway.db import Database
from gateway.idempotency import store as promises
from gateway.jobs import records, removal
from gateway.jobs.removal import Removal
from gateway.jobs.states import Kind
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

_RETRY_AFTER_S = 2


async def remove(db: Database, blobs: BlobStore, kind: Kind, mine: Removal) -> None:
    """Remove a job that has ended. Raises `ServiceError`: not_found, and conflict where it has not ended.

    Where the blob store is away its objects follow later: the row is gone, so nobody is given a link to them.
    """
    async with db.begin() as connection:
        removed = await removal.remove(connection, kind, mine.tenant_id, mine.job_id)
        if removed:
            await promises.forget_answers(connection, mine.tenant_id, [mine.job_id])
        version = None if removed else await records.version(connection, kind, mine.tenant_id, mine.job_id)
    if version is not None:
        detail = f"The {kind.value} is {version.state.value}. Cancel it first."
        raise ServiceError(ErrorCode.CONFLICT, detail, retry_after_s=_RETRY_AFTER_S)
    if not removed:
        raise ServiceError(ErrorCode.NOT_FOUND, f"There is no {kind.value} with this id.")
    metrics.REMOVED.labels("asked").inc()
    await clear(db, blobs, mine)


async def clear(db: Database, blobs: BlobStore, gone: Removal) -> None:
    """Remove the objects of a job that is gone, or put it off. Raises `ServiceError` (unavailable)."""
    try:
        await blobs.remove_job(gone.tenant_id, gone.job_id)
    except ServiceError as error:
        log.warning("objects_left", job_id=gone.job_id, reason=error.reason)
        async with db.once() as connection:
            await removal.postpone(connection, gone)
        return
    async with db.once() as connection:
        await removal.done(connection, gone)
