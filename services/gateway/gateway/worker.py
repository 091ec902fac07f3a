"""The loops that claim jobs, keep their leases alive, and call what keeps the queue going."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import structlog

from gateway import metrics
from gateway.attempts import Attempts, Works
from gateway.batches.sitemaps import Sitemaps
from gateway.db import Database
from gateway.deliveries.courier import Courier
from gateway.gathering import Gathering
from gateway.hints import QUEUE, Hints, cancel_topic
from gateway.housekeeping import Housekeeper
from gateway.jobs import leases, records
from gateway.jobs.states import Claimed, Weight
from gateway.pipeline import Pipeline, Ports
from gateway.room import Room
from gateway.settings import GatewaySettings
from gateway.sweeping import Sweeper
from runtime.errors import ServiceError
from runtime.ids import new_id

log = structlog.get_logger(__name__)

_BEAT_S = 2.0  # a cancelled job is noticed after two beats, at the price of one small statement each
_SWEEP_S = 5.0
_FEED_S = 0.25
_GATHER_S = 0.02
_MANY = 20
_HOUSE_S = 60.0
_LISTEN = timedelta(seconds=60)

Key = tuple[str, int]


class Worker:
    """Claims and works until stopped. One per process; any number of processes."""

    def __init__(self, db: Database, ports: Ports, hints: Hints, settings: GatewaySettings) -> None:
        """Keep the parts; nothing runs before `run`."""
        self.id = new_id("wrk")
        self._db = db
        self._hints = hints
        self._settings = settings
        self._room = Room(
            settings.worker_concurrency, settings.worker_light_concurrency, aside=settings.bulk_concurrency
        )
        self._gathering = Gathering(db, settings.patience)
        pipeline = Pipeline(db, ports, self._room, settings, self._gathering)
        works = Works(pipeline, Sitemaps(db, ports.renderer, settings))
        self._attempts = Attempts(db, hints, works, self._room, settings)
        self._courier = Courier(self.id, db, hints, settings)
        self._sweeper = Sweeper(db, hints, settings)
        self._housekeeper = Housekeeper(db, ports.blobs, settings)
        self._stopping = False
        self._over = asyncio.Event()
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._suspects: set[Key] = set()
        self._database_failed_at = float("-inf")

    def stop(self) -> None:
        """Claim nothing more; finish what is in progress, or give it back when the drain time is over."""
        self._stopping = True
        self._courier.stop()
        self._room.changed.set()

    async def run(self) -> None:
        """Work until `stop`, then drain."""
        log.info("worker_started", worker_id=self.id, concurrency=self._settings.worker_concurrency)
        async with asyncio.TaskGroup() as group:
            lease_s = self._settings.lease_seconds
            for seconds, name, tick in (
                (min(_BEAT_S, lease_s / 3), "heartbeat", self._beat),
                (min(_SWEEP_S, lease_s / 3), "sweep", self._sweep),
                (min(_FEED_S, self._settings.poll_seconds), "feed", self._sweeper.feed),
                (_HOUSE_S, "housekeeping", self._housekeeper.tick),
            ):
                group.create_task(self._every(seconds, name, tick))
            group.create_task(self._courier.run())
            while not self._stopping:
                await self._round(group)
            await self._drain()
            await self._gathering.aclose()
            # They end between two rounds: a statement that is cancelled costs its connection.
            self._over.set()
        log.info("worker_stopped", worker_id=self.id)

    async def _round(self, group: asyncio.TaskGroup) -> None:
        """Claim as many jobs as there is room for, then wait for a reason to claim again."""
        self._room.changed.clear()
        rooms = {Weight.HEAVY: self._room.free(), Weight.LIGHT: self._room.free_light()}
        count = 0
        for weight, wanted in rooms.items():
            claimed = await self._claimed(weight, wanted) if wanted else []
            for job in claimed:
                self._room.admit(job)
                self._tasks[job.key] = group.create_task(self._work(job))
            count += len(claimed)
        if not count:
            await self._idle(has_room=any(rooms.values()))
        elif len(self._tasks) > _MANY:
            # Many end every second: what they leave free is claimed together.
            await asyncio.sleep(_GATHER_S)

    async def _claimed(self, weight: Weight, wanted: int) -> list[Claimed]:
        claimed: list[Claimed] = []
        with self._contained("claim"):
            async with self._db.once() as db:
                claimed = await leases.claim(db, self.id, wanted, self._settings.lease, weight)
        return claimed

    async def _work(self, job: Claimed) -> None:
        ear = asyncio.create_task(self._listen(job))
        try:
            await self._attempts.work(job)
        finally:
            ear.cancel()
            del self._tasks[job.key]
            self._room.leave(job)

    async def _listen(self, job: Claimed) -> None:
        """End the work on a job as soon as a hint says that it was cancelled; without one, the heartbeat notices."""
        while True:
            await self._hints.wait(cancel_topic(job.id), _LISTEN)
            with self._contained("cancel"):
                async with self._db.read() as db:
                    cancelled = await records.cancelled(db, job.tenant_id, job.id)
                if cancelled and job.key in self._tasks:
                    self._attempts.take_away(job.key)
                    self._tasks[job.key].cancel()
                    return

    async def _idle(self, *, has_room: bool) -> None:
        """Wait for more room or, where there is room, for a job; never longer than the poll time."""
        waits: list[asyncio.Task[object]] = [asyncio.create_task(self._room.changed.wait())]
        if has_room:
            waits.append(asyncio.create_task(self._hints.wait(QUEUE, self._settings.poll)))
        try:
            await asyncio.wait(waits, timeout=self._settings.poll_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _every(self, seconds: float, name: str, tick: Callable[[], Awaitable[None]]) -> None:
        while not self._over.is_set():
            with self._contained(name):
                await tick()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), seconds)

    @contextmanager
    def _contained(self, loop: str) -> Iterator[None]:
        """Keep a loop going whatever one round of it raises."""
        try:
            yield
        except ServiceError as error:
            self._database_failed_at = time.monotonic()
            metrics.TICK_FAILURES.labels(loop).inc()
            log.warning("worker_round_failed", loop=loop, code=error.code.value, reason=error.reason)
        except Exception:  # outermost: the loop must outlive its rounds
            metrics.TICK_FAILURES.labels(loop).inc()
            log.exception("worker_round_failed", loop=loop)

    async def _beat(self) -> None:
        """Renew every lease; end the work on jobs that were cancelled or given to others."""
        before = set(self._tasks)
        if not before:
            return
        async with self._db.once() as db:
            kept = await leases.heartbeat(db, self.id, self._settings.lease)
        missing = before - kept
        # Twice in a row: a job missing for the first time may just have been finished by its own task.
        for key in missing & self._suspects & set(self._tasks):
            self._attempts.take_away(key)
            self._tasks[key].cancel()
        self._suspects = missing

    async def _sweep(self) -> None:
        # After an outage of the database every lease looks expired: first let the living renew theirs.
        if time.monotonic() - self._database_failed_at >= self._settings.lease_seconds:
            await self._sweeper.reap()
        await self._sweeper.sweep()

    async def _drain(self) -> None:
        for patience_s in (self._settings.drain_seconds, None):
            running = list(self._tasks.values())
            if running:
                await asyncio.wait(running, timeout=patience_s)
            for task in self._tasks.values():
                task.cancel()
