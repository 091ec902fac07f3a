"""What the worker does beside its jobs: it lets go what is old, and what belongs to nobody."""

import re
import time
from datetime import timedelta

import structlog

from gateway import metrics
from gateway.blobs.base import BlobStore
from gateway.db import Database
from gateway.idempotency import store as promises
from gateway.jobs import removal
from gateway.jobs.removal import Removal
from gateway.removing import clear
from gateway.settings import GatewaySettings

log = structlog.get_logger(__name__)

_AT_ONCE = 200
_ORPHAN_AGE = timedelta(hours=24)
_NOW = timedelta()
_JOB_ID = re.compile(r"[a-z]+_([0-9a-f]{12})[0-9a-f]{20}")


class Housekeeper:
    """One per worker; any number of them may do the same at once. `ahead`, for tests: as if it were that much later."""

    def __init__(self, db: Database, blobs: BlobStore, settings: GatewaySettings) -> None:
        """Begin the round through the blob store at its beginning."""
        self._db = db
        self._blobs = blobs
        self._age = timedelta(days=settings.retention_days)
        self._ages = {one: timedelta(days=days) for one, days in settings.retention_days_by_tenant.items()}
        self._seen_to = ""

    async def tick(self, ahead: timedelta = _NOW) -> None:
        """Do a bounded part of what is due. Raises `ServiceError` when the database or the blob store is away."""
        await self._retire(ahead)
        await self._clear(ahead)
        await self._forget(ahead)
        await self._sweep_orphans(ahead)

    async def _retire(self, ahead: timedelta) -> None:
        """Remove jobs that are older than their tenant keeps them."""
        async with self._db.read() as db:
            old = await removal.expired(db, self._age, self._ages, ahead, _AT_ONCE)
        if not old:
            async with self._db.once() as db:
                await removal.retire_batches(db, self._age, self._ages, ahead)
            return
        async with self._db.begin() as db:
            removed = await removal.remove_all(db, old)
            for tenant_id in {one.tenant_id for one in removed}:
                ids = [one.job_id for one in removed if one.tenant_id == tenant_id]
                await promises.forget_answers(db, tenant_id, ids)
        metrics.REMOVED.labels("retention").inc(len(removed))
        log.info("jobs_retired", count=len(removed))

    async def _forget(self, ahead: timedelta) -> None:
        """Remove idempotency keys that stand for nothing any more. A look takes no lock; on SQLite the rest does."""
        async with self._db.read() as db:
            overdue = await promises.overdue(db, ahead)
        if overdue:
            async with self._db.begin() as db:
                await promises.sweep(db, ahead)

    async def _clear(self, ahead: timedelta) -> None:
        async with self._db.read() as db:
            due = await removal.due(db, ahead, _AT_ONCE)
        for one in due:
            await clear(self._db, self._blobs, one)

    async def _sweep_orphans(self, ahead: timedelta) -> None:
        """Look at the next part of the blob store; what is a day old and has no job is of no use to anybody."""
        found = [Removal(*pair) for pair in await self._blobs.jobs(self._seen_to, _AT_ONCE)]
        self._seen_to = f"{found[-1].tenant_id}/{found[-1].job_id}" if found else ""
        before = time.time() + (ahead - _ORPHAN_AGE).total_seconds()
        old = [one for one in found if _made_at(one.job_id) < before]
        if not old:
            return
        async with self._db.read() as db:
            orphans = await removal.unknown(db, old)
        for one in orphans:
            log.info("orphan_removed", job_id=one.job_id)
            await self._blobs.remove_job(one.tenant_id, one.job_id)
        metrics.REMOVED.labels("orphan").inc(len(orphans))


def _made_at(job_id: str) -> float:
    """Return when an id was made (seconds since 1970), which it says itself; never for what is no id of a job."""
    found = _JOB_ID.fullmatch(job_id)
    return int(found.group(1), 16) / 1_000 if found else float("inf")
