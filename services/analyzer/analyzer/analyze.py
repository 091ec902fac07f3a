"""One analysis: read the facts, apply the rules, ask the judge, put the document together."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, runtime_checkable

import structlog

from analyzer import document, facts_json, uploaded
from analyzer.artifacts import ArtifactReader
from analyzer.judged import BulkJudge, Judge, JudgedPage, Judgement
from analyzer.measured import Measured, Pixels, measure, section_ids
from analyzer.rules import overrides
from analyzer.rules.policy import Policy
from contracts.analyze import AnalyzeRequest, Asking, Preset
from contracts.errors import ErrorCode
from contracts.facts import PageFacts
from contracts.geometry import ViewportName
from contracts.render import UPLOAD
from contracts.result import AiRun, Analyzed, DegradedReason, PageType, Ticket
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

ANALYSIS_DEGRADED = "analysis_degraded"
FACTS_REFUSED = "facts_refused"
_RESERVE_MS = 500
_LEAST_JUDGE_MS = 1_000

_Ask = Callable[[JudgedPage, int], Awaitable[Judgement | Ticket]]


@runtime_checkable
class Spent(Protocol):
    """A failure of the judge that knows what the model was paid for before it failed."""

    run: AiRun | None


@runtime_checkable
class Worded(Protocol):
    """A failure of the judge that has a word of its own for the result. `passes`: asking later may help."""

    degraded: DegradedReason
    passes: bool


@dataclass(frozen=True)
class Judges:
    """Who may be asked: the one that answers at once, and the one that answers within a day."""

    now: Judge | None = None
    bulk: BulkJudge | None = None


@dataclass(frozen=True)
class Judged:
    """What became of the judge: its answer, or why there is none and what was spent all the same.

    `later`: it was not asked yet. `ticket`: it will answer.
    """

    judgement: Judgement | None = None
    ticket: Ticket | None = None
    later: bool = False
    degraded: DegradedReason = DegradedReason.NONE
    spent: AiRun | None = None
    passes: bool = False
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Taken:
    """What there is to judge. `images` are by section id where they need not be read any more."""

    measured: Measured
    warnings: tuple[str, ...] = ()
    images: Mapping[str, bytes] | None = None


@dataclass
class Clock:
    """Owns one analysis's time: what is left of the budget, and how long each phase took."""

    budget_ms: int
    begun: float = field(default_factory=time.perf_counter)
    phases: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.perf_counter)

    def lap(self, phase: str) -> None:
        """Close a phase."""
        now = time.perf_counter()
        self.phases[phase] = round((now - self._since) * 1000, 1)
        self._since = now

    def left_ms(self) -> int:
        """Return what is left of the budget after keeping some for the answer."""
        return int(self.budget_ms - _RESERVE_MS - (time.perf_counter() - self.begun) * 1000)


async def _facts(
    request: AnalyzeRequest, reader: ArtifactReader, clock: Clock
) -> tuple[dict[ViewportName, PageFacts], tuple[str, ...]]:
    """Read both viewports' facts; what cannot be had is named. Raises `ServiceError` when there is nothing at all."""
    found: dict[ViewportName, PageFacts] = {}
    missing: list[str] = []
    failure: ServiceError | None = None
    for viewport in ViewportName:
        try:
            content = await reader.read(request, f"facts.{viewport}", timedelta(milliseconds=max(clock.left_ms(), 1)))
            if content is not None:
                found[viewport] = await asyncio.to_thread(facts_json.parse, content)
                continue
        except ServiceError as exc:
            failure = exc
            log.warning(FACTS_REFUSED, viewport=viewport.value, code=exc.code.value, reason=exc.reason)
        except ValueError as exc:
            log.warning(FACTS_REFUSED, viewport=viewport.value, reason=str(exc)[:500])
        missing.append(f"facts_missing:{viewport}")
    if not found:
        detail = "Neither facts.desktop nor facts.mobile can be read."
        raise failure or ServiceError(ErrorCode.INVALID_REQUEST, detail)
    return found, tuple(missing)


async def _images(request: AnalyzeRequest, reader: ArtifactReader, clock: Clock) -> dict[str, bytes]:
    """Read the sections' pictures, all at once. One that cannot be had is left out."""
    sections = request.render.sections
    names = dict(zip(section_ids(sections), (section.artifact for section in sections), strict=True))
    budget = timedelta(milliseconds=max(clock.left_ms(), 1))

    async def read(name: str) -> bytes | None:
        try:
            return await reader.read(request, name, budget) if name else None
        except ServiceError as exc:
            log.warning("picture_refused", artifact=name, code=exc.code.value, reason=exc.reason)
            return None

    contents = await asyncio.gather(*(read(name) for name in names.values()))
    return {key: content for key, content in zip(names, contents, strict=True) if content is not None}


def _judged_page(request: AnalyzeRequest, taken: Taken, images: Mapping[str, bytes], policy: Policy) -> JudgedPage:
    measured = taken.measured
    first = next(iter(measured.views.values()), None)
    return JudgedPage(
        url=request.render.final_url,
        language=first.language if first else "",
        type=first.type if first else PageType.OTHER,
        facts={name: view.facts for name, view in measured.views.items()},
        sections=measured.sections,
        images=images,
        findings=measured.findings,
        rules=measured.rules,
        tenant_id=request.tenant_id,
        analysis_id=request.analysis_id,
        ai_budget_usd=request.ai_budget_usd,
        rules_version=policy.version,
        memo=request.memo,
    )


async def _judge(
    request: AnalyzeRequest, taken: Taken, reader: ArtifactReader, ask: _Ask, clock: Clock, policy: Policy
) -> Judged:
    """Ask the judge. A judge that fails costs its findings and never the analysis: the reason comes back instead."""
    try:
        async with asyncio.timeout(max(clock.left_ms(), 1) / 1000):
            images = taken.images if taken.images is not None else await _images(request, reader, clock)
            page = _judged_page(request, taken, images, policy)
            left = clock.left_ms()
            if left < _LEAST_JUDGE_MS:
                return _late(request)
            answer = await ask(page, left)
            return Judged(answer) if isinstance(answer, Judgement) else Judged(ticket=answer)
    except ServiceError as exc:
        log.warning(ANALYSIS_DEGRADED, code=exc.code.value, reason=exc.reason)
        return _failed(exc)
    except TimeoutError:
        log.warning(ANALYSIS_DEGRADED, code=ErrorCode.DEADLINE_EXCEEDED.value)
        return _late(request)


def _late(request: AnalyzeRequest) -> Judged:
    """A ticket that there was no time to redeem is as good as before."""
    if request.ticket is not None:
        return Judged(ticket=request.ticket)
    return Judged(degraded=DegradedReason.TIMEOUT, passes=True)


def _ask(request: AnalyzeRequest, judges: Judges) -> _Ask:
    """Choose whom to ask, and how. Without a bulk judge there is only one way."""
    now, bulk, ticket, preset = judges.now, judges.bulk, request.ticket, request.preset
    assert now is not None
    if bulk is None or (ticket is None and request.ai is not Asking.BULK):
        return lambda page, left: now(page, preset, left)
    if ticket is None:
        return lambda page, left: bulk.hand_in(page, preset, left)
    return lambda page, left: bulk.redeem(page, preset, left, ticket)


def _failed(exc: ServiceError) -> Judged:
    spent = exc.run if isinstance(exc, Spent) else None
    if isinstance(exc, Worded):
        return Judged(degraded=exc.degraded, spent=spent, passes=exc.passes, retry_after_s=exc.retry_after_s)
    late = exc.code is ErrorCode.DEADLINE_EXCEEDED
    word = DegradedReason.TIMEOUT if late else DegradedReason.UNAVAILABLE
    return Judged(degraded=word, spent=spent, passes=exc.code.retry, retry_after_s=exc.retry_after_s)


async def _measured(request: AnalyzeRequest, facts: Mapping[ViewportName, PageFacts], policy: Policy) -> Measured:
    pixels = Pixels(
        analysis_id=request.analysis_id,
        sections=tuple(request.render.sections),
        assets=document.assets(request),
        keys=request.asset_keys,
    )
    return await asyncio.to_thread(measure, facts, pixels, policy)


async def _taken(request: AnalyzeRequest, reader: ArtifactReader, clock: Clock, policy: Policy) -> Taken:
    """Read and measure what was rendered or, where a picture was uploaded, cut that up."""
    if request.render.source == UPLOAD:
        return await _uploaded(request, reader, clock)
    facts, missing = await _facts(request, reader, clock)
    clock.lap("download")
    measured = await _measured(request, facts, policy)
    clock.lap("rules")
    return Taken(measured, missing)


async def _uploaded(request: AnalyzeRequest, reader: ArtifactReader, clock: Clock) -> Taken:
    content = await reader.read(request, UPLOAD, timedelta(milliseconds=max(clock.left_ms(), 1)))
    if content is None:
        raise ServiceError(ErrorCode.INVALID_REQUEST, f"The artifact {UPLOAD} cannot be read.")
    clock.lap("download")
    artifact, key = request.render.artifacts[UPLOAD], request.asset_keys.get(UPLOAD, UPLOAD)
    parts = await asyncio.to_thread(uploaded.cut, content, artifact, key)
    clock.lap("rules")
    return Taken(parts.measured, images=parts.images)


async def _asked(
    request: AnalyzeRequest, taken: Taken, reader: ArtifactReader, judges: Judges, clock: Clock, policy: Policy
) -> Judged:
    if request.preset is Preset.RULES:
        return Judged()
    if judges.now is None:
        return Judged(degraded=DegradedReason.NO_KEY)
    if request.ai is Asking.LATER and request.ticket is None:
        return Judged(later=True)
    judged = await _judge(request, taken, reader, _ask(request, judges), clock, policy)
    clock.lap("ai")
    return judged


async def analyze(
    request: AnalyzeRequest, reader: ArtifactReader, judge: Judge | None, policy: Policy, bulk: BulkJudge | None = None
) -> Analyzed:
    """Analyse a rendered page, or a picture of one, within its budget.

    Raises `ServiceError`: INVALID_REQUEST without readable facts or picture or with thresholds that are
    not allowed, STORAGE_FAILED when the store keeps them back, DEADLINE_EXCEEDED when the budget ends too early.
    """
    policy = overrides.apply(policy, request.overrides)
    clock = Clock(request.budget_ms)
    try:
        async with asyncio.timeout(request.budget_ms / 1000):
            taken = await _taken(request, reader, clock, policy)
    except TimeoutError as exc:
        raise ServiceError(ErrorCode.DEADLINE_EXCEEDED, "The analysis did not end within its budget.") from exc
    judged = await _asked(request, taken, reader, Judges(judge, bulk), clock, policy)
    pending = (judged.passes and request.ai_later) or judged.later or judged.ticket is not None
    total = round((time.perf_counter() - clock.begun) * 1000, 1)
    timings = {"render": request.render.timings.total_ms, **clock.phases, "total": total}
    parts = document.Parts(
        request=request,
        measured=taken.measured,
        policy=policy,
        warnings=taken.warnings,
        judgement=judged.judgement,
        degraded=judged.degraded,
        spent=judged.spent,
        ai_pending=pending,
        timings_ms=timings,
    )
    memo = judged.judgement.memo if judged.judgement else None
    retry_after_s = judged.retry_after_s if pending else None
    report = dict(document.assemble(parts))
    return Analyzed(**report, memo=memo, retry_after_s=retry_after_s, ticket=judged.ticket)
