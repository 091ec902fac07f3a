"""One analysis: read the facts, apply the rules, ask the judge, put the document together."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, runtime_checkable

import structlog

from analyzer import document, facts_json
from analyzer.artifacts import ArtifactReader
from analyzer.judged import Judge, JudgedPage, Judgement
from analyzer.measured import Measured, Pixels, measure, section_ids
from analyzer.rules import overrides
from analyzer.rules.policy import Policy
from contracts.analyze import AnalyzeRequest, Preset
from contracts.errors import ErrorCode
from contracts.facts import PageFacts
from contracts.geometry import ViewportName
from contracts.result import AiRun, Analysis
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

ANALYSIS_DEGRADED = "analysis_degraded"
FACTS_REFUSED = "facts_refused"
_RESERVE_MS = 500
_LEAST_JUDGE_MS = 1_000


@runtime_checkable
class Spent(Protocol):
    """A failure of the judge that knows what the model was paid for before it failed."""

    run: AiRun | None


@runtime_checkable
class Worded(Protocol):
    """A failure of the judge that has a word of its own for the result."""

    degraded: str


@dataclass(frozen=True)
class Judged:
    """What became of the judge: its answer, or why there is none and what was spent all the same."""

    judgement: Judgement | None = None
    degraded: str = ""
    spent: AiRun | None = None


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


def _judged_page(request: AnalyzeRequest, measured: Measured, images: Mapping[str, bytes]) -> JudgedPage:
    first = next(iter(measured.views.values()))
    return JudgedPage(
        url=request.render.final_url,
        language=first.language,
        type=first.type,
        facts={name: view.facts for name, view in measured.views.items()},
        sections=measured.sections,
        images=images,
        findings=measured.findings,
        rules=measured.rules,
        tenant_id=request.tenant_id,
        analysis_id=request.analysis_id,
        ai_budget_usd=request.ai_budget_usd,
    )


async def _judge(
    request: AnalyzeRequest, measured: Measured, reader: ArtifactReader, judge: Judge, clock: Clock
) -> Judged:
    """Ask the judge. A judge that fails costs its findings and never the analysis: the reason comes back instead."""
    try:
        async with asyncio.timeout(max(clock.left_ms(), 1) / 1000):
            page = _judged_page(request, measured, await _images(request, reader, clock))
            left = clock.left_ms()
            if left < _LEAST_JUDGE_MS:
                return Judged(degraded=ErrorCode.DEADLINE_EXCEEDED.value)
            return Judged(await judge(page, request.preset, left))
    except ServiceError as exc:
        log.warning(ANALYSIS_DEGRADED, code=exc.code.value, reason=exc.reason)
        word = exc.degraded if isinstance(exc, Worded) else exc.code.value
        return Judged(degraded=word, spent=exc.run if isinstance(exc, Spent) else None)
    except TimeoutError:
        log.warning(ANALYSIS_DEGRADED, code=ErrorCode.DEADLINE_EXCEEDED.value)
        return Judged(degraded=ErrorCode.DEADLINE_EXCEEDED.value)


async def _measured(request: AnalyzeRequest, facts: Mapping[ViewportName, PageFacts], policy: Policy) -> Measured:
    pixels = Pixels(
        analysis_id=request.analysis_id,
        sections=tuple(request.render.sections),
        assets=document.assets(request),
        keys=request.asset_keys,
    )
    return await asyncio.to_thread(measure, facts, pixels, policy)


async def analyze(request: AnalyzeRequest, reader: ArtifactReader, judge: Judge | None, policy: Policy) -> Analysis:
    """Analyse a rendered page within its budget.

    Raises `ServiceError`: INVALID_REQUEST without readable facts or with thresholds that are not allowed,
    STORAGE_FAILED when the store keeps them back,
    DEADLINE_EXCEEDED when the budget ends before the rules are done.
    """
    policy = overrides.apply(policy, request.overrides)
    clock = Clock(request.budget_ms)
    try:
        async with asyncio.timeout(request.budget_ms / 1000):
            facts, missing = await _facts(request, reader, clock)
            clock.lap("download")
            measured = await _measured(request, facts, policy)
            clock.lap("rules")
    except TimeoutError as exc:
        raise ServiceError(ErrorCode.DEADLINE_EXCEEDED, "The analysis did not end within its budget.") from exc
    judged = Judged()
    if judge is not None and request.preset is not Preset.RULES:
        judged = await _judge(request, measured, reader, judge, clock)
        clock.lap("ai")
    total = round((time.perf_counter() - clock.begun) * 1000, 1)
    timings = {"render": request.render.timings.total_ms, **clock.phases, "total": total}
    parts = document.Parts(
        request=request,
        measured=measured,
        policy=policy,
        warnings=missing,
        judgement=judged.judgement,
        degraded=judged.degraded,
        spent=judged.spent,
        timings_ms=timings,
    )
    return document.assemble(parts)
