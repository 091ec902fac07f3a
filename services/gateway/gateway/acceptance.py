"""From what is asked to the job that answers it: one that was promised before, one that is there, or a new one."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import ErrorCode
from gateway.hints import DELIVERIES, QUEUE
from gateway.idempotency import store as promises
from gateway.idempotency.keys import Ticket
from gateway.idempotency.store import Promise
from gateway.jobs import announcing, intake
from gateway.jobs.states import NewJob
from gateway.metrics import ACCEPTED
from gateway.outbox import announce
from gateway.reuse import store as reuse
from gateway.reuse.policy import Wish
from gateway.reuse.store import Same
from gateway.wiring import Parts
from runtime.errors import ServiceError


class Origin(StrEnum):
    """How a request came by its job."""

    MADE = "made"
    JOINED = "joined"
    CACHED = "cached"


@dataclass(frozen=True)
class Accepted:
    """The job that answers a request.

    `replayed`: its key, of which it has the `ticket`, was used before; `answer`: what was answered then.
    """

    id: str
    origin: Origin = Origin.MADE
    replayed: bool = False
    answer: str | None = None
    ticket: Ticket | None = None

    @property
    def cached(self) -> bool:
        """Whether it was finished before it was asked for."""
        return self.origin is Origin.CACHED


@dataclass(frozen=True)
class Terms:
    """What a caller allows, how old the answer may be; the key under which it may ask again; who is told of the end."""

    wish: Wish
    ticket: Ticket | None = None
    webhook_url: str | None = field(default=None, repr=False)


async def known(parts: Parts, job: NewJob, terms: Terms) -> Accepted | None:
    """Return what answers a request without making anything, at the price of a look. None: `accept` has to decide.

    An earlier result is told to webhooks before it is returned. Raises `ServiceError` (idempotency_mismatch).
    """
    async with parts.db.read() as db:
        if terms.ticket is not None:
            promise = await promises.find(db, terms.ticket)
            return _replayed(promise, terms.ticket) if promise else None
        stored = await _stored(db, job, terms.wish)
        wanted = bool(stored and (terms.webhook_url or await announce.listening(db, job.tenant_id)))
    if stored and wanted:
        async with parts.db.begin() as db:
            await announcing.given_again(db, job.tenant_id, stored.id, terms.webhook_url)
        await parts.hints.notify(DELIVERIES)
    return stored


async def accept(parts: Parts, job: NewJob, terms: Terms) -> Accepted:
    """Find or make the job that answers a request, all in one commit. Raises `ServiceError` (idempotency_mismatch)."""
    async with parts.turns.taken(_line(job, terms)):
        accepted = await known(parts, job, terms)
        if accepted is None:
            async with parts.turns.taken(("tenant", job.tenant_id)), parts.db.begin() as db:
                accepted = await _promised(db, job, terms)
            if accepted.cached and not accepted.replayed:
                await parts.hints.notify(DELIVERIES)
    if accepted.origin is Origin.MADE and not accepted.replayed:
        await parts.hints.notify(QUEUE)
    ACCEPTED.labels(job.kind.value, "replayed" if accepted.replayed else accepted.origin.value).inc()
    return accepted


def _line(job: NewJob, terms: Terms) -> tuple[str, str] | None:
    """Name what only one request should decide at a time. The database decides between processes."""
    if terms.ticket is None and terms.wish.refresh:
        return None
    wanted = job.cache_key or (terms.ticket and terms.ticket.key)
    return (job.tenant_id, wanted) if wanted else None


async def remember(parts: Parts, accepted: Accepted, answer: str) -> None:
    """Keep the answer to a request with a key, so that the same can be given again.

    Only what is said of an unfinished job: of a finished one the same is said at any time.
    """
    if accepted.ticket is not None and accepted.answer is None:
        async with parts.db.once() as db:
            await promises.remember(db, accepted.ticket, accepted.id, answer)


async def _promised(db: AsyncConnection, job: NewJob, terms: Terms) -> Accepted:
    if terms.ticket is None:
        return await _found_or_made(db, job, terms)
    promise = await promises.claim(db, terms.ticket)
    if promise is not None:
        return _replayed(promise, terms.ticket)
    accepted = await _found_or_made(db, job, terms)
    await promises.point(db, terms.ticket, accepted.id, accepted.origin.value)
    return replace(accepted, ticket=terms.ticket)


def _replayed(promise: Promise, ticket: Ticket) -> Accepted:
    if promise.fingerprint != ticket.fingerprint:
        detail = "This Idempotency-Key was used for another request in the last 24 hours."
        raise ServiceError(ErrorCode.IDEMPOTENCY_MISMATCH, detail)
    return Accepted(promise.job_id, Origin(promise.origin), replayed=True, answer=promise.answer, ticket=ticket)


async def _found_or_made(db: AsyncConnection, job: NewJob, terms: Terms) -> Accepted:
    if job.cache_key and not terms.wish.refresh:
        same = Same(job.tenant_id, job.kind, job.cache_key)
        await reuse.hold(db, same)
        if stored := await _stored(db, job, terms.wish):
            await announcing.given_again(db, job.tenant_id, stored.id, terms.webhook_url)
            return stored
        if running := await reuse.join(db, same):
            # Its row is ours until this commit: its end waits for that, and reads who is to be told.
            return await _expected(db, job, terms, Accepted(running, Origin.JOINED))
    made = await intake.enqueue(db, job if terms.wish.store else replace(job, cache_key=None))
    return await _expected(db, job, terms, Accepted(made))


async def _expected(db: AsyncConnection, job: NewJob, terms: Terms, accepted: Accepted) -> Accepted:
    if terms.webhook_url:
        await announce.expect(db, job.tenant_id, accepted.id, terms.webhook_url)
    return accepted


async def _stored(db: AsyncConnection, job: NewJob, wish: Wish) -> Accepted | None:
    if not job.cache_key or wish.refresh or not wish.max_age:
        return None
    found = await reuse.stored(db, Same(job.tenant_id, job.kind, job.cache_key), wish.max_age)
    return Accepted(found, Origin.CACHED) if found else None
