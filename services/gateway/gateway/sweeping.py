"""What keeps the queue going: more of each batch let in, jobs of the dead taken back, what was left over forgotten."""

from datetime import timedelta

import structlog

from gateway import metrics
from gateway.db import Database
from gateway.hints import DELIVERIES, QUEUE, Hints, job_topic
from gateway.jobs import admission, confidential, enrichment, expansion, feeding, flow, leases, memos, spending
from gateway.settings import GatewaySettings

log = structlog.get_logger(__name__)


class Sweeper:
    """One per worker; any number of them may do the same at once. Raises `ServiceError` where the database is away."""

    def __init__(self, db: Database, hints: Hints, settings: GatewaySettings) -> None:
        """Keep the parts."""
        self._db = db
        self._hints = hints
        self._settings = settings

    async def feed(self) -> None:
        """Let more of each batch into the queue."""
        async with self._db.read() as db:
            waiting = await feeding.hungry(db)
        for batch in waiting:
            async with self._db.begin() as db:
                fed = await feeding.feed(db, batch)
            if fed.let_in:
                await self._hints.notify(QUEUE)
            elif fed.too_dear:
                async with self._db.begin() as db:
                    refused = await feeding.refuse(db, batch)
                await self._hints.notify(DELIVERIES)
                log.info("batch_too_dear", batch_id=batch.id, refused=refused)

    async def reap(self) -> None:
        """Take back the jobs of workers that fell silent."""
        async with self._db.begin() as db:
            reaped = await leases.reap(db, self._settings.max_crashes)
        for job in reaped:
            log.warning("job_reaped", job_id=job.id, dead=job.dead)
            metrics.REAPED.labels("dead" if job.dead else "requeued").inc()
            if job.dead:
                async with self._db.begin() as db:
                    await enrichment.abandon(db, job.id)
                    await expansion.abandon(db, job.id)
            await self._hints.notify(job_topic(job.id) if job.dead else QUEUE)
        if any(job.dead for job in reaped):
            await self._hints.notify(DELIVERIES)

    async def sweep(self) -> None:
        """Let in what waits for no reason, forget what nobody needs, show how long the queue is."""
        await self._let_in()
        await self._forget()
        await self._show()

    async def _let_in(self) -> None:
        async with self._db.begin() as db:
            let_in = await admission.sweep(db)
        async with self._db.begin() as db:
            let_in += await leases.age(db, timedelta(seconds=self._settings.batch_patience_seconds))
        if let_in:
            await self._hints.notify(QUEUE)

    async def _forget(self) -> None:
        """Drop old memos, holds of jobs that are gone, and the secrets of jobs that ended."""
        async with self._db.once() as db:
            await memos.sweep(db, self._settings.memo_life)
        async with self._db.begin() as db:
            await spending.sweep(db)
        async with self._db.read() as db:
            overdue = await confidential.overdue(db)
        if overdue:
            async with self._db.once() as db:
                await confidential.sweep(db)

    async def _show(self) -> None:
        async with self._db.read() as db:
            depths = await flow.depth(db)
        for gauge in (metrics.QUEUED, metrics.RUNNING, metrics.OLDEST_SECONDS):
            gauge.clear()
        for depth in depths:
            labels = (depth.kind, str(depth.priority))
            metrics.QUEUED.labels(*labels).set(depth.queued)
            metrics.RUNNING.labels(*labels).set(depth.running)
            metrics.OLDEST_SECONDS.labels(*labels).set(depth.oldest.total_seconds())
