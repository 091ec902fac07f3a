"""The loop that takes what is due, sends it, and writes down what came of it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx2
import structlog

from gateway import metrics
from gateway.db import Database
from gateway.deliveries import claims, records
from gateway.deliveries.parcels import Parcel, Space
from gateway.deliveries.sending import Attempt, Verdict, post
from gateway.deliveries.signing import new_secret, signed_headers, wrapping
from gateway.deliveries.targets import checked
from gateway.hints import DELIVERIES, Hints
from gateway.outbox.events import addressed
from gateway.settings import GatewaySettings
from runtime import netguard
from runtime.dialing import DialLimits
from runtime.errors import ServiceError
from runtime.guarded import guarded_transport
from runtime.netguard import AddressPolicy
from runtime.tunnels import ProxyAddress

log = structlog.get_logger(__name__)

_SWEEP_S = 5.0
_AWAY = timedelta(seconds=5)
_POLL_S = 0.5
_FORGET_EVERY = 60  # sweeps
_CONNECT_S = 10.0
_OWNER = "shared-webhooks"


class Courier:
    """Delivers until stopped. One per worker process; any number of processes."""

    def __init__(
        self,
        worker_id: str,
        db: Database,
        hints: Hints,
        settings: GatewaySettings,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Keep the parts; `transport` replaces the guarded way out, and is closed at the end."""
        self._id = worker_id
        self._db = db
        self._hints = hints
        self._settings = settings
        self._policy = AddressPolicy.from_setting(settings.egress_allow_private)
        self._wrapping = wrapping(settings)
        self._transport = transport
        # Whoever takes longer than the wait for an answer and a lease is dead, as far as others can see.
        self._lease = settings.webhook_timeout + settings.lease
        self._stopping = False
        self._changed = asyncio.Event()
        self._hint: asyncio.Task[None] | None = None
        self._tasks: dict[asyncio.Task[None], Parcel] = {}
        self._troubled: set[str] = set()
        self._sweeps = 0

    def stop(self) -> None:
        """Claim nothing more; finish what is being sent, or give it back when the drain time is over."""
        self._stopping = True
        self._changed.set()

    async def run(self) -> None:
        """Deliver until `stop`, then drain."""
        try:
            async with asyncio.TaskGroup() as group:
                sweeps = group.create_task(self._sweeping())
                while not self._stopping:
                    await self._round(group)
                await self._drain()
                sweeps.cancel()
        finally:
            if self._hint is not None:
                self._hint.cancel()
                await asyncio.gather(self._hint, return_exceptions=True)
            if self._transport is not None:
                await self._transport.aclose()

    async def _round(self, group: asyncio.TaskGroup) -> None:
        self._changed.clear()
        space = self._space()
        claimed: list[Parcel] = []
        # A claim costs the same for one as for many: wait until there is room for a few.
        if space.all > self._settings.webhook_concurrency // 8:
            with _contained("webhook_claim"):
                claimed = await self._claim(space)
        for parcel in claimed:
            task = group.create_task(self._work(parcel))
            self._tasks[task] = parcel
        if not claimed:
            await self._idle()

    def _space(self) -> Space:
        concurrency = self._settings.webhook_concurrency
        troubled = sum(parcel.lane in self._troubled for parcel in self._tasks.values())
        # Half of the room at most for receivers that may not answer at all.
        return Space(concurrency - len(self._tasks), max(0, max(1, concurrency // 2) - troubled))

    async def _claim(self, space: Space) -> list[Parcel]:
        usual = self._settings.webhook_endpoint_concurrency
        async with self._db.read() as db:
            if not await claims.anything_due(db, usual):
                return []
        async with self._db.begin() as db:
            return await claims.claim(db, self._id, space, self._lease, usual)

    async def _idle(self) -> None:
        """Wait for room or for work; never longer than the poll time, and no look at the database is worth less."""
        poll_s = max(_POLL_S, self._settings.poll_seconds)
        if self._hint is None or self._hint.done():
            # Kept over many rounds: a wait that is cancelled may cost a connection.
            self._hint = asyncio.create_task(self._hints.wait(DELIVERIES, timedelta(seconds=poll_s)))
        changed = asyncio.create_task(self._changed.wait())
        waits: set[asyncio.Task[Any]] = {changed, self._hint} if self._space().all > 0 else {changed}
        try:
            await asyncio.wait(waits, timeout=poll_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
            await asyncio.gather(changed, return_exceptions=True)

    async def _work(self, parcel: Parcel) -> None:
        with structlog.contextvars.bound_contextvars(delivery_id=parcel.id, attempt=parcel.attempt):
            try:
                await self._deliver(parcel)
            except ServiceError as error:
                log.warning("webhook_not_settled", reason=error.reason)
            except asyncio.CancelledError:
                await self._give_back(parcel)
            except Exception:  # outermost: the lease runs out, and somebody else tries
                log.exception("webhook_surprised")
            finally:
                task = asyncio.current_task()
                assert task is not None
                del self._tasks[task]
                self._changed.set()

    async def _deliver(self, parcel: Parcel) -> None:
        attempt = await self._attempt(parcel)
        metrics.WEBHOOK_ATTEMPTS.labels(attempt.verdict.value).inc()
        metrics.WEBHOOK_SECONDS.observe(attempt.ms / 1_000)
        if attempt.verdict is Verdict.AWAY:
            # Nobody's fault but ours: neither the schedule nor the receiver's record may suffer for it.
            log.warning("webhook_way_out_down", reason=attempt.detail)
            await self._give_back(parcel, _AWAY)
            return
        patience = timedelta(days=self._settings.webhook_disable_days)
        settled = await self._db.insist(lambda db: records.settle(db, parcel, attempt, patience), self._settings.lease)
        if not settled.ours:
            metrics.WEBHOOK_FENCED.inc()
        if attempt.verdict is Verdict.DELIVERED:
            self._troubled.discard(parcel.lane)
        else:
            self._troubled.add(parcel.lane)
        if settled.disabled:
            metrics.WEBHOOK_DISABLED.labels(settled.disabled).inc()
            log.warning("webhook_endpoint_disabled", endpoint_id=parcel.endpoint_id, reason=settled.disabled)
            await self._hints.notify(DELIVERIES)
        log.info("webhook_attempted", verdict=attempt.verdict.value, status=attempt.status, error=attempt.error)

    async def _attempt(self, parcel: Parcel) -> Attempt:
        if not parcel.open:
            # Disabled between the end of a job and now: the same as if it had waited.
            return Attempt(Verdict.GONE, error=records.CLOSED, detail="The endpoint was disabled.")
        try:
            url = checked(self._policy, parcel.url)
            body = addressed(parcel.document, self._settings.public_url)
            secrets = [self._wrapping.unwrap(wrapped) for wrapped in await self._valid(parcel)]
        except ServiceError as error:
            log.warning("webhook_not_sent", code=error.code.value, reason=error.reason)
            return Attempt(Verdict.FAILED, error=error.code, detail=error.detail)
        target = netguard.parse(url)
        if self._policy.names(target.host, target.port):
            log.info("private_host_opened", host=target.host, port=target.port)
        signature = signed_headers(parcel.event_id, body, secrets)
        return await post(self._way_out(), url, body, signature, self._settings.webhook_timeout)

    async def _valid(self, parcel: Parcel) -> list[str]:
        if parcel.wrapped or parcel.endpoint_id:
            return list(parcel.wrapped)
        wrapped = self._wrapping.wrap(new_secret())
        async with self._db.begin() as db:
            return await records.first_secret(db, parcel.tenant_id, wrapped)

    def _way_out(self) -> httpx2.AsyncBaseTransport:
        # Made at the first use: it reads every certificate authority of the machine.
        if self._transport is None:
            service = self._settings.egress_proxy_url
            self._transport = guarded_transport(
                self._policy,
                DialLimits(connect_s=min(_CONNECT_S, self._settings.webhook_timeout_seconds)),
                job_id=_OWNER,
                connections=self._settings.webhook_concurrency,
                service=ProxyAddress.parse(service) if service else None,
            )
        return self._transport

    async def _give_back(self, parcel: Parcel, wait: timedelta = timedelta()) -> None:  # immutable
        # If this write fails, the lease runs out.
        try:
            async with self._db.begin() as db:
                await claims.release(db, parcel, wait)
        except ServiceError as error:
            log.warning("webhook_not_given_back", reason=error.reason)

    async def _sweeping(self) -> None:
        while True:
            with _contained("webhook_sweep"):
                await self._sweep()
            await asyncio.sleep(min(_SWEEP_S, self._lease.total_seconds() / 3))

    async def _sweep(self) -> None:
        """Take back what dead couriers hold, show how much waits; now and then forget what is old."""
        async with self._db.once() as db:
            reaped = await claims.reap(db)
        if reaped:
            log.warning("webhooks_reaped", count=reaped)
            await self._hints.notify(DELIVERIES)
        async with self._db.read() as db:
            metrics.WEBHOOK_PENDING.set(await claims.pending(db))
        if self._sweeps == 0:
            async with self._db.begin() as db:
                await records.wrap_anew(db, self._wrapping)
        if self._sweeps % _FORGET_EVERY == 0:
            async with self._db.begin() as db:
                await claims.forget(db, timedelta(days=self._settings.webhook_log_days))
        self._sweeps += 1

    async def _drain(self) -> None:
        for patience_s in (self._settings.drain_seconds, None):
            if self._tasks:
                await asyncio.wait(list(self._tasks), timeout=patience_s)
            for task in list(self._tasks):
                task.cancel()


@contextmanager
def _contained(loop: str) -> Iterator[None]:
    """Keep a loop going whatever one round of it raises."""
    try:
        yield
    except ServiceError as error:
        metrics.TICK_FAILURES.labels(loop).inc()
        log.warning("courier_round_failed", loop=loop, code=error.code.value, reason=error.reason)
    except Exception:  # outermost: the loop must outlive its rounds
        metrics.TICK_FAILURES.labels(loop).inc()
        log.exception("courier_round_failed", loop=loop)
