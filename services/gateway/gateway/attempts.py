"""One attempt at one job, and what is written down about its end."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import structlog
from opentelemetry import context, propagate

from contracts.errors import ErrorCode
from contracts.result import Analyzed
from gateway import metrics
from gateway.batches.sitemaps import Sitemaps
from gateway.db import Database, Write
from gateway.hints import DELIVERIES, QUEUE, Hints, job_topic
from gateway.jobs import enrichment, expansion, leases, outcomes
from gateway.jobs.delays import (
    TICKET_PATIENCE,
    after_absence,
    after_busy,
    after_outage,
    after_storage,
    backoff,
    until_batched,
)
from gateway.jobs.states import Claimed, Kind, LeaseLostError, NotEnoughError, State
from gateway.pipeline import Pipeline
from gateway.room import Room
from gateway.settings import GatewaySettings
from gateway.work import analysing, capturing, enriching
from gateway.work.enriching import StillAwayError, StillInBatchError
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Works:
    """What can be done with a job."""

    pipeline: Pipeline
    sitemaps: Sitemaps

    async def run(self, job: Claimed) -> None:
        """Do what is left of `job` and write its result. Raises `ServiceError` when it failed, or what says why not."""
        match job.kind:
            case Kind.ANALYSIS:
                await analysing.run(self.pipeline, job)
            case Kind.ENRICHMENT:
                await enriching.run(self.pipeline, job)
            case Kind.CAPTURE:
                await capturing.run(self.pipeline, job)
            case Kind.SITEMAP:
                await self.sitemaps.run(job)


class Attempts:
    """Runs claimed jobs. Nothing that goes wrong with one of them gets out."""

    def __init__(self, db: Database, hints: Hints, works: Works, room: Room, settings: GatewaySettings) -> None:
        """Keep the parts."""
        self._db = db
        self._hints = hints
        self._works = works
        self._room = room
        self._settings = settings
        self._taken_away: set[tuple[str, int]] = set()

    def take_away(self, key: tuple[str, int]) -> None:
        """Say before cancelling a job's task that the job is no longer ours, so that it is not given back."""
        self._taken_away.add(key)

    async def work(self, job: Claimed) -> None:
        """Make one attempt at `job` and settle it."""
        token = context.attach(propagate.extract({"traceparent": job.trace}))
        with structlog.contextvars.bound_contextvars(job_id=job.id, attempt=job.attempt):
            try:
                await self._settle(job)
            except (LeaseLostError, ServiceError) as error:
                self._dropped(repr(error))
            except asyncio.CancelledError:
                await self._interrupted(job)
            except Exception:  # outermost: a job that cannot even be settled is left to its lease, and stops no other
                log.exception("job_unsettled")
            finally:
                self._taken_away.discard(job.key)
                context.detach(token)

    async def _settle(self, job: Claimed) -> None:
        if not job.batch_id:
            # Of ten thousand that begin, nobody waits for one.
            await self._hints.notify(job_topic(job.id))
        try:
            await self._works.run(job)
        except ServiceError as error:
            await self._failed(job, error)
        except StillAwayError as away:
            await self._put_off(job, away.analyzed)
        except StillInBatchError:
            await self._left_in_batch(job)
        except LeaseLostError:
            raise
        except NotEnoughError as lacking:
            climbed = lacking.climbed
            metrics.RELEASED.labels("needs_browser").inc()
            await self._write(lambda db: leases.give_to_browser(db, job, climbed))
            await self._hints.notify(QUEUE)
        except Exception as error:  # outermost: one job's surprise must not stop the others
            log.exception("job_surprised")
            surprise = ServiceError(ErrorCode.INTERNAL, "Something failed on our side.", reason=repr(error))
            await self._failed(job, surprise)
        else:
            await self._ended(job, State.SUCCEEDED, "")

    async def _failed(self, job: Claimed, error: ServiceError) -> None:
        # With a ticket a job is hours old before it goes on: that is no reason to give it up sooner.
        patience = self._settings.outage_patience if enrichment.ticket(job) is None else TICKET_PATIENCE
        unreachable = error.code is ErrorCode.UNAVAILABLE and enrichment.waited(job) < patience
        if error.code is ErrorCode.RENDERER_BUSY or unreachable:
            await self._postpone(job, error)
        elif error.code is ErrorCode.ANALYSIS_UNAVAILABLE and job.age < self._settings.outage_patience:
            # For as long as the model provider asked.
            await self._set_aside(job, error, after_outage(error.retry_after_s))
        elif error.code is ErrorCode.STORAGE_FAILED and job.age < self._settings.outage_patience:
            await self._set_aside(job, error, after_storage(job.age))
        elif error.code.retry and job.attempt < self._settings.max_attempts:
            await self._retry(job, error)
        else:
            log.info("job_failed", code=error.code.value, reason=error.reason)
            await self._write(lambda db: outcomes.fail(db, job, error))
            await self._db.insist(lambda db: enrichment.abandon(db, job.id), self._settings.patience)
            await self._db.insist(lambda db: expansion.abandon(db, job.id), self._settings.patience)
            await self._ended(job, State.FAILED, error.code.value)

    async def _postpone(self, job: Claimed, error: ServiceError) -> None:
        """Give a job back that could not be started, and claim nothing more for as long as the other side asked."""
        delay = after_busy(error.retry_after_s)
        self._room.close(delay)
        log.info("job_postponed", code=error.code.value, reason=error.reason, delay_s=delay.total_seconds())
        metrics.RELEASED.labels(error.code.value).inc()
        await self._write(lambda db: leases.release(db, job, delay))

    async def _set_aside(self, job: Claimed, error: ServiceError, delay: timedelta) -> None:
        """Give a job back that somebody's outage keeps from being done: no attempt is spent on its wait."""
        log.info("job_parked", code=error.code.value, reason=error.reason, delay_s=delay.total_seconds())
        metrics.RELEASED.labels(error.code.value).inc()
        await self._write(lambda db: leases.release(db, job, delay))

    async def _put_off(self, job: Claimed, analyzed: Analyzed) -> None:
        """Give an enrichment back until the model may be there again: no attempt is spent."""
        delay = _until(job, analyzed)
        reason, ticket = analyzed.engine.degraded_reason.value, analyzed.ticket is not None
        log.info("enrichment_put_off", reason=reason, ticket=ticket, delay_s=delay.total_seconds())
        metrics.RELEASED.labels("batch" if ticket else ErrorCode.ANALYSIS_UNAVAILABLE.value).inc()
        await self._write(lambda db: enrichment.put_off(db, job, analyzed, delay))

    async def _left_in_batch(self, job: Claimed) -> None:
        """Give an enrichment back until its message batch may have ended."""
        waited = enrichment.waited(job)
        delay = until_batched(waited)
        log.info("enrichment_in_batch", waited_s=waited.total_seconds(), delay_s=delay.total_seconds())
        metrics.RELEASED.labels("batch").inc()
        await self._write(lambda db: leases.release(db, job, delay))

    async def _retry(self, job: Claimed, error: ServiceError) -> None:
        delay = backoff(job.attempt, self._settings.retry_base_seconds, error.retry_after_s)
        log.info("job_retried", code=error.code.value, reason=error.reason, delay_s=delay.total_seconds())
        metrics.RETRIED.labels(error.code.value).inc()
        await self._write(lambda db: leases.retry(db, job, delay, error))

    async def _interrupted(self, job: Claimed) -> None:
        if job.key in self._taken_away:
            self._dropped("taken away")
            return
        # The drain time is over, or the process is being torn down. If this write fails, the lease runs out.
        try:
            async with self._db.begin() as db:
                await leases.release(db, job, timedelta())
        except ServiceError as error:
            log.warning("job_not_given_back", reason=error.reason)
            return
        log.info("job_given_back")
        metrics.RELEASED.labels("drain").inc()
        await self._hints.notify(QUEUE)

    async def _write(self, write: Write[bool]) -> None:
        if not await self._db.insist(write, self._settings.patience):
            raise LeaseLostError

    async def _ended(self, job: Claimed, state: State, code: str) -> None:
        metrics.FINISHED.labels(state.value, code).inc()
        log.info("job_ended", kind=job.kind.value, state=state.value, code=code)
        await self._hints.notify(job_topic(job.id if job.kind is not Kind.ENRICHMENT else enrichment.target(job)))
        await self._hints.notify(DELIVERIES)

    def _dropped(self, reason: str) -> None:
        metrics.FENCED.inc()
        log.warning("job_dropped", reason=reason)


def _until(job: Claimed, analyzed: Analyzed) -> timedelta:
    """Return when an enrichment goes on: by its age, except where a batch came to nothing, and it begins anew."""
    if analyzed.ticket is not None:
        return until_batched(timedelta() if enrichment.in_bulk(job) else enrichment.waited(job))
    failed_in_bulk = enrichment.in_bulk(job) or enrichment.ticket(job) is not None
    return after_absence(timedelta() if failed_in_bulk else job.age, analyzed.retry_after_s)
