"""One job from claim to result. No transaction is open while another service is waited for."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from contracts import render as wire
from contracts.analyze import Asking, Preset
from contracts.errors import ErrorCode
from contracts.fetch import FetchRequest, FetchResult, Reason, Tier, TierAttempt
from contracts.render import RenderResult
from contracts.result import Analyzed, Memo, Ticket, TicketRead, TicketState
from gateway.blobs.base import BlobStore
from gateway.db import Database
from gateway.gathering import Gathering
from gateway.jobs import confidential, enrichment, memos, outcomes, spending
from gateway.jobs.delays import TICKET_PATIENCE, after_absence
from gateway.jobs.enrichment import Held
from gateway.jobs.settling import Done
from gateway.jobs.states import Claimed, Document, Kind, LeaseLostError, NotEnoughError, Stage
from gateway.metrics import WORK_SECONDS
from gateway.orders import Extras, analysis_keys, analyze_order, asked, capture_keys, fetch_order, render_order
from gateway.room import Room
from gateway.settings import GatewaySettings
from runtime.client import ServiceClient
from runtime.errors import ServiceError

_LOOK = timedelta(seconds=75)
_FIRST_ERROR_STATUS = 400
_UNAUTHORIZED = 401
_WHOLE = "ok"
_ANOTHER_WAY = frozenset(
    {
        ErrorCode.TARGET_BLOCKED,
        ErrorCode.TARGET_REFUSED,
        ErrorCode.TARGET_TIMEOUT,
        ErrorCode.TARGET_TLS,
        ErrorCode.PAGE_EMPTY,
    }
)
"""Failures over plain HTTP that another tier may not have."""


@dataclass(frozen=True)
class Ports:
    """The other services, as a worker sees them."""

    renderer: ServiceClient
    analyzer: ServiceClient
    blobs: BlobStore


class StillAwayError(Exception):
    """An enrichment was in vain: the model is still away. `analyzed` says what it cost, and when to try again."""

    def __init__(self, analyzed: Analyzed) -> None:
        """Keep the answer."""
        super().__init__(analyzed.engine.degraded_reason)
        self.analyzed = analyzed


class StillInBatchError(Exception):
    """The message batch with an enrichment's page has not ended."""


@dataclass(frozen=True)
class Pipeline:
    """What every job of a worker goes through."""

    db: Database
    ports: Ports
    room: Room
    settings: GatewaySettings
    gathering: Gathering

    async def run(self, job: Claimed) -> None:
        """Do what is left of `job` and write its result.

        Raises `ServiceError` when it failed, `StillAwayError` when the model is still away, `StillInBatchError` when
        it takes its time, and `LeaseLostError` when the job is no longer ours.
        """
        if job.kind is Kind.CAPTURE:
            await self._capture(job)
        elif job.kind is Kind.ENRICHMENT:
            await self._enrich(job)
        else:
            await self._analyse(job)

    async def _analyse(self, job: Claimed) -> None:
        render, keys = await self._rendered(job)
        analyzed = await self._judged(job, job, Held(render, keys))
        again = timedelta() if enrichment.in_bulk(job) else after_absence(timedelta(), analyzed.retry_after_s)
        if not await self.db.insist(lambda db: enrichment.conclude(db, job, analyzed, again), self.settings.patience):
            raise LeaseLostError

    async def _judged(self, job: Claimed, analysis: Claimed, held: Held) -> Analyzed:
        """Have a render judged, on the account of `job`; `analysis` is what the result is for."""
        with _timed(job.stage if job.stage is Stage.ENRICH else Stage.ANALYZE):
            budget = timedelta(seconds=self.settings.analyze_budget_seconds)
            ai, ticket = _asking(job), enrichment.ticket(job)
            extras = Extras(await self._held(job, ai), self._may_wait(job), await self._memo(job), ai, ticket)
            order = analyze_order(analysis, held.render, held.keys, self.ports.blobs, budget, extras=extras)
            with self.room.aside(job) if ai is Asking.BULK else nullcontext():
                return await self.ports.analyzer.post("/analyze", order, Analyzed, budget)

    def _may_wait(self, job: Claimed) -> bool:
        """Whether the model may be asked later; a result waits from its first attempt on, not from its order."""
        waited = enrichment.waited(job) if job.kind is Kind.ENRICHMENT else timedelta()
        in_bulk = enrichment.in_bulk(job) or enrichment.ticket(job) is not None
        patience = TICKET_PATIENCE if in_bulk else self.settings.enrich_patience
        return job.preset is not Preset.RULES and waited < patience

    async def _memo(self, job: Claimed) -> Memo | None:
        if job.preset is Preset.RULES or not self.settings.ai_memo_days:
            return None
        async with self.db.read() as db:
            return await memos.load(db, job, self.settings.memo_life)

    async def _enrich(self, job: Claimed) -> None:
        async with self.db.read() as db:
            held = await enrichment.load(db, job)
        analyzed = None
        if held is not None:
            job = await self._redeemable(job)
            analyzed = await self._judged(job, replace(job, id=enrichment.target(job)), held)
        if analyzed is not None and analyzed.engine.ai_pending:
            raise StillAwayError(analyzed)
        if not await self.db.insist(lambda db: enrichment.finish(db, job, analyzed), self.settings.patience):
            raise LeaseLostError

    async def _redeemable(self, job: Claimed) -> Claimed:
        """Return an enrichment with a ticket that can be redeemed, or without. Raises `StillInBatchError`."""
        ticket = enrichment.ticket(job)
        if ticket is None:
            return job
        state = await self._looked(ticket) if enrichment.waited(job) < TICKET_PATIENCE else TicketState.LOST
        if state is TicketState.WAITING:
            raise StillInBatchError
        if state is TicketState.READY:
            return job
        without = await self.db.insist(lambda db: enrichment.lose_ticket(db, job), self.settings.patience)
        if without is None:
            raise LeaseLostError
        return without

    async def _looked(self, ticket: Ticket) -> TicketState:
        """Ask what a ticket is worth, at no cost: nothing is read or judged for it."""
        try:
            return (await self.ports.analyzer.post("/tickets", ticket, TicketRead, _LOOK)).state
        except ServiceError as error:
            # An analyzer that restarts, or is of the release before, must not cost the ticket or an attempt.
            if error.code.retry or error.code is ErrorCode.NOT_FOUND:
                return TicketState.WAITING
            raise

    async def _held(self, job: Claimed, ai: Asking) -> Decimal | None:
        """Return how much of the tenant's AI budget this analysis may spend, held until its end. None: no limit."""
        if job.preset is Preset.RULES or ai is Asking.LATER:
            return None
        if enrichment.ticket(job) is not None:
            async with self.db.read() as db:
                return await spending.held(db, spending.for_ticket(job.id))
        async with self.db.read() as db:
            limit = await spending.limit_of(db, job.tenant_id, self.settings.tenant_ai_budget_usd_per_day)
        if limit is None:
            return None
        wanted = Decimal(str(self.settings.ai_reservation_usd.get(job.preset or "", 0)))
        held = await self.db.insist(lambda db: outcomes.reserve(db, job, wanted, limit), self.settings.patience)
        if held is None:
            raise LeaseLostError
        return held

    async def _rendered(self, job: Claimed) -> tuple[RenderResult, dict[str, str]]:
        if job.stage is Stage.ANALYZE:
            async with self.db.read() as db:
                return await outcomes.load_render(db, job)
        keys = analysis_keys(job)
        with self._in_the_pool(job):
            render = await self._render(job, keys)
        keys = await self._stored(render, keys)
        if not await self.db.insist(lambda db: outcomes.save_render(db, job, render, keys), self.settings.patience):
            raise LeaseLostError
        return render, keys

    async def _render(self, job: Claimed, keys: dict[str, str]) -> RenderResult:
        budget = timedelta(seconds=self.settings.render_budget_seconds)
        order = render_order(job, keys, self.ports.blobs, budget)
        render = await self.ports.renderer.post("/render", order, RenderResult, budget)
        self._learn(render)
        if render.http_status == _UNAUTHORIZED:
            raise ServiceError(ErrorCode.TARGET_AUTH, "The site asks for a login (HTTP status 401).")
        if render.http_status >= _FIRST_ERROR_STATUS:
            detail = f"The site answered with HTTP status {render.http_status}."
            raise ServiceError(ErrorCode.TARGET_STATUS, detail)
        if wire.Warning.PAGE_EMPTY in render.warnings:
            raise ServiceError(ErrorCode.PAGE_EMPTY, "The page loaded, but shows neither text nor pictures.")
        return render

    async def _capture(self, job: Claimed) -> None:
        request = asked(job, await self._secrets(job))
        keys = capture_keys(job, request)
        with self._in_the_pool(job):
            result = await (self._fetch_light(request, keys) if job.light else self._fetch(request, keys))
        result = without_strays(result, keys)
        keys = await self._stored(result, keys)
        if job.batch_id:
            kept = await self.gathering.finish(Done(job, result, keys))
        else:
            kept = await self.db.insist(lambda db: outcomes.finish(db, job, result, keys), self.settings.patience)
        if not kept:
            raise LeaseLostError

    async def _secrets(self, job: Claimed) -> Document:
        if not (job.options or {}).get("withheld"):
            return {}
        async with self.db.read() as db:
            found = await confidential.load(db, job)
        if found is None:
            # Dropped only with the end of the job: whoever ended it was not us.
            raise LeaseLostError
        return found

    async def _fetch(self, request: FetchRequest, keys: dict[str, str]) -> FetchResult:
        """Have the page. What it answered, and whether it is whole, is part of the result: `fail_if` says otherwise."""
        budget = timedelta(seconds=self.settings.capture_budget_seconds)
        order = fetch_order(request, keys, self.ports.blobs, budget)
        result = await self.ports.renderer.post("/fetch", order, FetchResult, budget)
        self._learn(result)
        return result

    async def _fetch_light(self, request: FetchRequest, keys: dict[str, str]) -> FetchResult:
        """Have the page over plain HTTP, whatever dearer tier may follow. Raises `NotEnoughError` where one should."""
        if request.tier is not Tier.AUTO or request.max_tier is Tier.STATIC:
            return await self._fetch(request, keys)
        begun = time.perf_counter()
        try:
            first = request.model_copy(update={"max_tier": Tier.STATIC, "spare_browser": True})
            result = await self._fetch(first, keys)
        except ServiceError as error:
            if error.code not in _ANOTHER_WAY:
                raise
            raise NotEnoughError([_in_vain(error, begun)]) from error
        if not any(attempt.outcome == _WHOLE for attempt in result.attempts):
            raise NotEnoughError(result.attempts)
        return result

    @contextmanager
    def _in_the_pool(self, job: Claimed) -> Iterator[None]:
        """Time the render and, however it ends, say that its place is free again."""
        try:
            with _timed(Stage.RENDER):
                yield
        finally:
            self.room.rendered(job)

    def _learn(self, render: RenderResult) -> None:
        if render.pool is not None:
            self.room.learn(render.pool)

    async def _stored(self, render: RenderResult, keys: dict[str, str]) -> dict[str, str]:
        """Return the keys that hold an object, after a look at each: a row must never point at nothing."""
        used = {name: keys[name] for name, artifact in render.artifacts.items() if artifact.data is None}
        for name, key in used.items():
            if await self.ports.blobs.size(key) != render.artifacts[name].bytes:
                detail = "An artifact of the page could not be stored."
                raise ServiceError(ErrorCode.STORAGE_FAILED, detail, reason=f"{name} is missing or short")
        return used


def _asking(job: Claimed) -> Asking:
    """Bulk work is announced with the rules' result, and done by its enrichment."""
    if not enrichment.in_bulk(job):
        return Asking.NOW
    return Asking.BULK if job.kind is Kind.ENRICHMENT else Asking.LATER


def _in_vain(error: ServiceError, begun: float) -> TierAttempt:
    ms = round((time.perf_counter() - begun) * 1_000, 1)
    return TierAttempt(tier=Tier.STATIC, reason=Reason.FIRST, outcome=error.code.value, ms=ms, error=error.code)


def without_strays(result: FetchResult, keys: dict[str, str]) -> FetchResult:
    """Leave out artifacts that nobody gave a place to: they came with the answer, and a row is no place for them."""
    kept = {name: artifact for name, artifact in result.artifacts.items() if name in keys and artifact.data is None}
    if len(kept) == len(result.artifacts):
        return result
    warnings = list(dict.fromkeys([*result.warnings, wire.Warning.PICTURES_MISSING]))
    return result.model_copy(update={"artifacts": kept, "warnings": warnings, "partial": True})


@contextmanager
def _timed(stage: Stage) -> Iterator[None]:
    begun = time.perf_counter()
    try:
        yield
    finally:
        WORK_SECONDS.labels(stage.value).observe(time.perf_counter() - begun)
