"""An enrichment: have the model asked again about an analysis that has its rules' result, and put in what it says."""

from dataclasses import replace
from datetime import timedelta

from contracts.errors import ErrorCode
from contracts.result import Analyzed, Ticket, TicketRead, TicketState
from gateway.jobs import enrichment
from gateway.jobs.delays import TICKET_PATIENCE
from gateway.jobs.states import Claimed
from gateway.pipeline import Pipeline
from gateway.work import judging
from runtime.errors import ServiceError

_LOOK = timedelta(seconds=75)


class StillAwayError(Exception):
    """An enrichment was in vain: the model is still away. `analyzed` says what it cost, and when to try again."""

    def __init__(self, analyzed: Analyzed) -> None:
        """Keep the answer."""
        super().__init__(analyzed.engine.degraded_reason)
        self.analyzed = analyzed


class StillInBatchError(Exception):
    """The message batch with an enrichment's page has not ended."""


async def run(line: Pipeline, job: Claimed) -> None:
    """Complete an analysis.

    Raises `ServiceError`, `StillAwayError`, `StillInBatchError`, and `LeaseLostError` when the job is no longer ours.
    """
    async with line.db.read() as db:
        rendered = await enrichment.load(db, job)
    analyzed = None
    if rendered is not None:
        job = await _redeemable(line, job)
        analyzed = await judging.judged(line, job, replace(job, id=enrichment.target(job)), rendered)
    if analyzed is not None and analyzed.engine.ai_pending:
        raise StillAwayError(analyzed)
    await line.written(lambda db: enrichment.finish(db, job, analyzed))


async def _redeemable(line: Pipeline, job: Claimed) -> Claimed:
    """Return an enrichment with a ticket that can be redeemed, or without. Raises `StillInBatchError`."""
    ticket = enrichment.ticket(job)
    if ticket is None:
        return job
    state = await _looked(line, ticket) if enrichment.waited(job) < TICKET_PATIENCE else TicketState.LOST
    if state is TicketState.WAITING:
        raise StillInBatchError
    if state is TicketState.READY:
        return job
    return await line.written(lambda db: enrichment.lose_ticket(db, job))


async def _looked(line: Pipeline, ticket: Ticket) -> TicketState:
    """Ask what a ticket is worth, at no cost: nothing is read or judged for it."""
    try:
        return (await line.ports.analyzer.post("/tickets", ticket, TicketRead, _LOOK)).state
    except ServiceError as error:
        # An analyzer that restarts, or is of the release before, must not cost the ticket or an attempt.
        if error.code.retry or error.code is ErrorCode.NOT_FOUND:
            return TicketState.WAITING
        raise
