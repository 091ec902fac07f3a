"""Claude at half the price: a page is handed in for a message batch, and its ticket redeemed when that has ended.

All that is known about a page in a batch is in its ticket, which the caller keeps; a restart loses nothing. See
docs/adr/0025.
"""

import asyncio
from dataclasses import replace

import structlog

from analyzer.judged import JudgedPage, Judgement
from analyzer.judging import prompts, tickets
from analyzer.judging.batches import NO_RESULT, Batches, BatchItem, BatchRecord
from analyzer.judging.claude import Claude
from analyzer.judging.collector import Collector
from analyzer.judging.exchange import ClaudeUnavailable, Reply, Trouble
from analyzer.judging.failures import Failure
from analyzer.judging.judge import SMALLER_HELPS, ClaudeJudge, Prepared
from analyzer.judging.ledger import Ledger
from analyzer.judging.results import Results
from analyzer.judging.settings import ClaudeSettings
from analyzer.judging.tickets import Claim
from contracts.analyze import Preset
from contracts.result import Ticket, TicketState
from runtime.ids import new_id

log = structlog.get_logger(__name__)

_LOOK_S = 60.0


class Bulk:
    """A `BulkJudge` beside the judge that answers at once."""

    def __init__(self, judge: ClaudeJudge, batches: Batches, settings: ClaudeSettings, results: Results) -> None:
        """Use the connections of `judge`, which its owner closes after this."""
        self._judge = judge
        self._settings = settings
        self._batches = batches
        self._collector = Collector(batches, settings)
        self._results = results

    async def aclose(self) -> None:
        """Collect no more."""
        await self._collector.aclose()

    async def hand_in(self, page: JudgedPage, preset: Preset, budget_ms: int) -> Judgement | Ticket:
        """Send a page with others, which takes some seconds; a page that was judged before is answered at once.

        Raises `ClaudeUnavailable`. One whose batch could not be sent `passes`: it can still be asked alone.
        """
        ledger, degraded = Ledger(preset), ""
        models = self._settings.ladder(preset)
        for model in models:
            ready = await self._judge.prepared(page, model, prompts.new_marker())
            known = await self._judge.recalled(ready, ledger, degraded)
            if known is not None:
                return known
            try:
                most = self._judge.afford(ready, model, ledger, batch=True)
            except ClaudeUnavailable:
                if model == models[-1]:
                    raise
                degraded = f"{model} {Trouble.BUDGET}"
                continue
            record = await self._sent(ready, model, budget_ms)
            return Ticket(claim=_claim(record, ready, degraded).model_dump_json(), most_usd=most)
        raise AssertionError("the last model returns or raises")

    async def _sent(self, ready: Prepared, model: str, budget_ms: int) -> BatchRecord:
        item = BatchItem(new_id("ask"), ready.prompt)
        try:
            async with asyncio.timeout(self._judge.deadline(budget_ms).left_s()):
                record = await self._collector.hand_in(item, model)
        except TimeoutError as exc:
            raise _ordinarily(ClaudeUnavailable(Trouble.TIMEOUT, "the batch was not sent in time")) from exc
        except ClaudeUnavailable as exc:
            raise _ordinarily(exc) from exc
        return record.model_copy(update={"custom_ids": (item.custom_id,)})

    async def look(self, ticket: Ticket) -> TicketState:
        """Say what a ticket is worth now. A provider that cannot be asked changes nothing."""
        claim = tickets.opened(ticket)
        if claim is None or not self._batches.reachable(claim.record):
            return TicketState.LOST
        try:
            async with asyncio.timeout(_LOOK_S):
                return TicketState.READY if await self._results.of(claim.record) is not None else TicketState.WAITING
        except TimeoutError:
            return TicketState.WAITING
        except ClaudeUnavailable as exc:
            # No such batch, or its results lie elsewhere: nothing will change that. A refused key may be mended.
            state = TicketState.LOST if exc.trouble is Trouble.REQUEST else TicketState.WAITING
            log.warning("bulk_look_failed", batch_id=claim.record.batch_id, state=state.value, reason=exc.reason)
            return state

    async def redeem(self, page: JudgedPage, preset: Preset, budget_ms: int, ticket: Ticket) -> Judgement | Ticket:
        """Check what the batch brought exactly as an ordinary answer; the same ticket comes back while it runs.

        Raises `ClaudeUnavailable` as the judge does. What the batch did not bring `passes`: it can be asked alone.
        """
        claim = tickets.opened(ticket)
        state = await self.look(ticket)
        if claim is None or state is TicketState.LOST:
            raise _ordinarily(ClaudeUnavailable(Trouble.EXPIRED, "nobody can redeem the ticket"))
        found = await self._results.of(claim.record) if state is TicketState.READY else None
        if found is None:
            return ticket
        outcome = found.get(claim.custom_id, NO_RESULT)
        if isinstance(outcome, Failure):
            raise _ordinarily(ClaudeUnavailable(outcome.trouble, outcome.reason))
        return await self._answered(outcome, claim, page, preset, budget_ms)

    async def _answered(
        self, reply: Reply, claim: Claim, page: JudgedPage, preset: Preset, budget_ms: int
    ) -> Judgement:
        ledger, model = Ledger(preset), claim.record.model
        ledger.record(reply)
        deadline = self._judge.deadline(budget_ms)
        try:
            ready = await self._judge.prepared(page, model, claim.marker)
            if tickets.told(ready.prompt) != claim.told:
                # Another release describes pages differently: ids in the answer may mean something else now.
                raise _ordinarily(ClaudeUnavailable(Trouble.GARBLED, "the page is described in another way now"))
            ready = replace(ready, memo_key=claim.memo_key)
            return await self._judge.judgement(reply, ready, ledger, claim.degraded)
        except ClaudeUnavailable as exc:
            exc.run = ledger.run()
            smaller = self._below(preset, model)
            if exc.passes or not smaller or exc.trouble not in SMALLER_HELPS:
                raise
            log.warning("claude_model_failed", model=model, trouble=exc.trouble.value, reason=exc.reason)
            return await self._judge.down(page, smaller, ledger, deadline, f"{model} {exc.trouble}")

    def _below(self, preset: Preset, model: str) -> tuple[str, ...]:
        models = self._settings.ladder(preset)
        return models[models.index(model) + 1 :] if model in models else ()


def _ordinarily(exc: ClaudeUnavailable) -> ClaudeUnavailable:
    """Whatever went wrong with a batch, the page can be asked about alone."""
    exc.passes = True
    return exc


def _claim(record: BatchRecord, ready: Prepared, degraded: str) -> Claim:
    return Claim(
        record=record,
        marker=ready.marker,
        told=tickets.told(ready.prompt),
        memo_key=ready.memo_key,
        degraded=degraded,
    )


def from_settings(settings: ClaudeSettings) -> tuple[ClaudeJudge, Bulk]:
    """Return both ways to ask, over the same connections."""
    claude = Claude(settings)
    judge, batches = ClaudeJudge(settings, claude), Batches(claude)
    return judge, Bulk(judge, batches, settings, Results(batches))
