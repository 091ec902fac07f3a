"""Rules now and the model later: a job of its own asks again, and puts the whole result in the place of the first.

The analysis itself has succeeded and stays so. Its enrichment has a row with its own state, lease, fence and time to
run, so that claiming, retrying and reaping are those of every job; customers list jobs by kind and never see it.
See docs/adr/0018.

Where the model is asked in bulk, it hands the page in for a message batch, keeps the ticket among its options, and
redeems it when the batch has ended. See docs/adr/0025.
"""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import null, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.render import RenderResult
from contracts.result import Analysis, Analyzed, DegradedReason, Ticket
from gateway.jobs import accounts, announcing, briefs, events, memos, outcomes, spending
from gateway.jobs.lasting import may_be_given_again
from gateway.jobs.leases import mine, release
from gateway.jobs.outcomes import DONE, Rendered, ended_by_us
from gateway.jobs.states import Claimed, Document, Kind, Priority, Stage, State
from gateway.outbox.events import EventType
from gateway.tables import jobs, renders, results
from gateway.times import now_plus

BULK = "bulk"
_AI, _TICKET, _SINCE_S = "ai", "ticket", "ticket_since_s"


def options(own: Document | None, ai: str) -> Document | None:
    """Return an analysis's options with the wish that the model be asked `now`, which is no option, or in `bulk`."""
    return {**(own or {}), _AI: BULK} if ai == BULK else own


def in_bulk(job: Claimed) -> bool:
    """Whether the page is to be handed in for a message batch, and has not been."""
    return (job.options or {}).get(_AI) == BULK


def ticket(job: Claimed) -> Ticket | None:
    """Return the ticket of a page that is in a message batch."""
    found = (job.options or {}).get(_TICKET)
    return None if found is None else Ticket.model_validate(found)


def waited(job: Claimed) -> timedelta:
    """Return how long an enrichment has waited: for its batch, or without a ticket since it was made."""
    since = (job.options or {}).get(_SINCE_S, 0.0)
    return job.age - timedelta(seconds=float(str(since)))


def _with(job: Claimed, ticket: Ticket | None) -> Claimed:
    """Return a job with this ticket, or without any. Either way the page is not handed in again."""
    had = job.options or {}
    rest = {name: value for name, value in had.items() if name not in {_AI, _TICKET, _SINCE_S}}
    if ticket is None:
        return replace(job, options=rest)
    since = had.get(_SINCE_S, job.age.total_seconds())
    return replace(job, options={**rest, _TICKET: ticket.model_dump(mode="json"), _SINCE_S: since})


def target(job: Claimed) -> str:
    """Return the id of the analysis that an enrichment is for."""
    return str((job.options or {})["analysis_id"])


async def conclude(db: AsyncConnection, job: Claimed, analyzed: Analyzed, delay: timedelta) -> bool:
    """End an analysis with all that belongs to its result; where the model was away, it is asked again after `delay`.

    May be done twice. False: the job is no longer ours.
    """
    if not await outcomes.finish(db, job, analyzed.public()):
        return False
    if analyzed.memo is not None:
        await memos.keep(db, job, analyzed.memo)
    if analyzed.engine.ai_pending:
        await schedule(db, job, delay)
    return True


async def schedule(db: AsyncConnection, analysis: Claimed, delay: timedelta) -> None:
    """Have the model asked again after `delay`, in the commit that ends the analysis. Twice is as good as once."""
    key = select(jobs.c.order_key).where(jobs.c.id == analysis.id).scalar_subquery()
    row = {
        "id": f"{Kind.ENRICHMENT.id_prefix}_{analysis.id.partition('_')[2]}",
        "tenant_id": analysis.tenant_id,
        "kind": Kind.ENRICHMENT,
        "url": analysis.url,
        "preset": analysis.preset or "",
        "options": {**(analysis.options or {}), "analysis_id": analysis.id},
        "trace": analysis.trace,
        "priority": int(Priority.BATCH),
        "order_key": key,
        "state": State.QUEUED,
        "stage": Stage.ENRICH,
        "run_at": now_plus(delay),
        "created_at": now_plus(),
    }
    insert = (postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert)(jobs).values(row)
    await db.execute(insert.on_conflict_do_nothing())


async def load(db: AsyncConnection, job: Claimed) -> Rendered | None:
    """Return what to start from; None where the analysis is gone or waits for nothing."""
    ours = (renders.c.job_id == target(job)) & (renders.c.tenant_id == job.tenant_id)
    row = (await db.execute(select(renders.c.document, renders.c.blob_keys).where(ours))).first()
    stored = await _stored(db, job)
    if row is None or stored is None or not stored.engine.ai_pending:
        return None
    return Rendered(RenderResult.model_validate(row.document), row.blob_keys)


async def finish(db: AsyncConnection, job: Claimed, analyzed: Analyzed | None) -> bool:
    """Put the enriched result in place and say so, all in one commit. None: there is nothing to put.

    False: the job is no longer ours, and nothing was written.
    """
    done = update(jobs).where(mine(job)).values(state=State.SUCCEEDED, error_code=null(), **DONE)
    if not (await db.execute(done)).rowcount:
        return await ended_by_us(db, job, State.SUCCEEDED)
    if analyzed is not None or ticket(job) is None:
        # The ticket of an analysis that is gone is left to the sweep: its bill comes all the same.
        await _settled(db, job, analyzed)
    if analyzed is not None and await _replaced(db, job, analyzed.public()):
        if analyzed.memo is not None:
            await memos.keep(db, job, analyzed.memo)
        if analyzed.engine.mode == "rules+ai":
            await _told(db, job, analyzed)
    return True


async def _told(db: AsyncConnection, job: Claimed, analyzed: Analyzed) -> None:
    seen = sum(finding.source != "rule" for finding in analyzed.findings)
    document = {"overall": analyzed.scores.overall, "findings": len(analyzed.findings), "ai_findings": seen}
    await events.record(db, job.tenant_id, target(job), EventType.ANALYSIS_ENRICHED, {**document, "url": job.url})
    await announcing.enriched(db, job.tenant_id, target(job), analyzed.public())


async def put_off(db: AsyncConnection, job: Claimed, analyzed: Analyzed, delay: timedelta) -> bool:
    """Try again after `delay`, with what the vain attempt cost booked. False: the job is no longer ours.

    A ticket that came is kept, and of the money that was held as much as it may cost; one that did not come back is
    dropped, and the page asked about alone.
    """
    had, purse = ticket(job), await spending.purse_of(db, job.id)
    if not await release(db, job, delay):
        return False
    if analyzed.ticket is None:
        await _settled(db, job, analyzed)
    elif had is None and purse is not None:
        await spending.hold_for_ticket(db, job.id, purse, analyzed.ticket.most_usd)
    if in_bulk(job) or had != analyzed.ticket:
        await _noted(db, _with(job, analyzed.ticket))
    return True


async def lose_ticket(db: AsyncConnection, job: Claimed) -> Claimed | None:
    """Drop a ticket that nobody can redeem, and return the job without it. None: it is no longer ours.

    May be done twice.
    """
    if (await db.execute(select(jobs.c.id).where(mine(job)).with_for_update())).first() is None:
        return None
    await spending.forfeit(db, job.id)
    without = _with(job, None)
    await _noted(db, without)
    return without


async def _noted(db: AsyncConnection, job: Claimed) -> None:
    held_by_us = (jobs.c.id == job.id) & (jobs.c.fence == job.fence)
    await db.execute(update(jobs).where(held_by_us).values(options=job.options))


async def _settled(db: AsyncConnection, job: Claimed, analyzed: Analyzed | None) -> None:
    """Book what an attempt cost, out of the money that was held for it or for its ticket."""
    run = analyzed.engine.ai if analyzed else None
    cost = Decimal(run.cost_usd) if run else Decimal(0)
    name = job.id if ticket(job) is None else spending.for_ticket(job.id)
    await spending.settle(db, name, job.tenant_id, cost)
    if cost:
        await accounts.book_later(db, job.tenant_id, target(job), cost)


async def abandon(db: AsyncConnection, job_id: str) -> None:
    """Let a result stop waiting for an enrichment that has failed for good. Nothing happens for other jobs."""
    failed = select(jobs.c.tenant_id, jobs.c.options).where(
        jobs.c.id == job_id, jobs.c.kind == Kind.ENRICHMENT, jobs.c.state == State.FAILED
    )
    row = (await db.execute(failed)).first()
    if row is None:
        return
    of = (results.c.job_id == row.options["analysis_id"]) & (results.c.tenant_id == row.tenant_id)
    document = (await db.execute(select(results.c.document).where(of).with_for_update())).scalar_one_or_none()
    if document is not None and document["engine"].get("ai_pending"):
        why = document["engine"].get("degraded_reason") or DegradedReason.UNAVAILABLE
        engine = {**document["engine"], "ai_pending": False, "degraded": True, "degraded_reason": why}
        await db.execute(update(results).where(of).values(document={**document, "engine": engine}))
        await _withheld(db, row.tenant_id, row.options["analysis_id"])


def _of(job: Claimed) -> Any:  # noqa: ANN401  # a condition
    return (results.c.job_id == target(job)) & (results.c.tenant_id == job.tenant_id)


async def _stored(db: AsyncConnection, job: Claimed) -> Analysis | None:
    document = (await db.execute(select(results.c.document).where(_of(job)))).scalar_one_or_none()
    return None if document is None else Analysis.model_validate(document)


async def _replaced(db: AsyncConnection, job: Claimed, analysis: Analysis) -> bool:
    values = {"document": analysis.model_dump(mode="json"), "saved_at": now_plus()}
    if not (await db.execute(update(results).where(_of(job)).values(values))).rowcount:
        return False
    # What a batch says of the page, too.
    told = (jobs.c.id == target(job)) & (jobs.c.tenant_id == job.tenant_id) & jobs.c.brief.is_not(None)
    await db.execute(update(jobs).where(told).values(brief=briefs.of(replace(job, id=target(job)), analysis)))
    if not may_be_given_again(analysis):
        await _withheld(db, job.tenant_id, target(job))
    return True


async def _withheld(db: AsyncConnection, tenant_id: str, analysis_id: str) -> None:
    """Give a result to no later request: it promised a model's part that did not come."""
    mine = (jobs.c.id == analysis_id) & (jobs.c.tenant_id == tenant_id)
    await db.execute(update(jobs).where(mine).values(cache_key=null()))
