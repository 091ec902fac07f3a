"""Having a render judged: by rules and, as far as preset, budget and provider allow, by the model."""

from contextlib import nullcontext
from datetime import timedelta
from decimal import Decimal

from contracts.analyze import Asking, Preset
from contracts.result import Analyzed, Memo
from gateway.jobs import enrichment, memos, outcomes, spending
from gateway.jobs.delays import TICKET_PATIENCE
from gateway.jobs.outcomes import Rendered
from gateway.jobs.states import Claimed, Kind, Stage
from gateway.orders import Extras, analyze_order
from gateway.pipeline import Pipeline, timed


async def judged(line: Pipeline, job: Claimed, analysis: Claimed, rendered: Rendered) -> Analyzed:
    """Have a render judged, on the account of `job`; `analysis` is what the result is for. Raises `ServiceError`."""
    with timed(job.stage if job.stage is Stage.ENRICH else Stage.ANALYZE):
        budget = timedelta(seconds=line.settings.analyze_budget_seconds)
        ai, ticket = _asking(job), enrichment.ticket(job)
        extras = Extras(await _held(line, job, ai), _may_wait(line, job), await _memo(line, job), ai, ticket)
        order = analyze_order(analysis, rendered.render, rendered.keys, line.ports.blobs, budget, extras=extras)
        with line.room.aside(job) if ai is Asking.BULK else nullcontext():
            return await line.ports.analyzer.post("/analyze", order, Analyzed, budget)


def _asking(job: Claimed) -> Asking:
    """Bulk work is announced with the rules' result, and done by its enrichment."""
    if not enrichment.in_bulk(job):
        return Asking.NOW
    return Asking.BULK if job.kind is Kind.ENRICHMENT else Asking.LATER


async def _held(line: Pipeline, job: Claimed, ai: Asking) -> Decimal | None:
    """Return how much of the tenant's AI budget this analysis may spend, held until its end. None: no limit."""
    if job.preset is Preset.RULES or ai is Asking.LATER:
        return None
    if enrichment.ticket(job) is not None:
        async with line.db.read() as db:
            return await spending.held(db, spending.for_ticket(job.id))
    async with line.db.read() as db:
        limit = await spending.limit_of(db, job.tenant_id, line.settings.tenant_ai_budget_usd_per_day)
    if limit is None:
        return None
    wanted = Decimal(str(line.settings.ai_reservation_usd.get(job.preset or "", 0)))
    return await line.written(lambda db: outcomes.reserve(db, job, wanted, limit))


def _may_wait(line: Pipeline, job: Claimed) -> bool:
    """Whether the model may be asked later; a result waits from its first attempt on, not from its order."""
    waited = enrichment.waited(job) if job.kind is Kind.ENRICHMENT else timedelta()
    in_bulk = enrichment.in_bulk(job) or enrichment.ticket(job) is not None
    patience = TICKET_PATIENCE if in_bulk else line.settings.enrich_patience
    return job.preset is not Preset.RULES and waited < patience


async def _memo(line: Pipeline, job: Claimed) -> Memo | None:
    if job.preset is Preset.RULES or not line.settings.ai_memo_days:
        return None
    async with line.db.read() as db:
        return await memos.load(db, job, line.settings.memo_life)
