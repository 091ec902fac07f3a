"""Asking the judge: whom, with what in hand, and what is known when it gave no answer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import structlog

from analyzer import subject
from analyzer.case import Case
from analyzer.judged import BulkJudge, Judge, JudgedPage, Judgement
from analyzer.rules.policy import Policy
from analyzer.subject import Subject
from contracts.analyze import AnalyzeRequest, Asking, Preset
from contracts.errors import ErrorCode
from contracts.result import AiRun, DegradedReason, PageType, Ticket
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

ANALYSIS_DEGRADED = "analysis_degraded"
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


async def ask(case: Case, about: Subject, judges: Judges) -> Judged:
    """Ask the judge where the request wants one and there is one. Nothing that it does costs the analysis."""
    if case.request.preset is Preset.RULES:
        return Judged()
    if judges.now is None:
        return Judged(degraded=DegradedReason.NO_KEY)
    if case.request.ai is Asking.LATER and case.request.ticket is None:
        return Judged(later=True)
    judged = await _judge(case, about, _way(case.request, judges.now, judges.bulk))
    case.clock.lap("ai")
    return judged


def _way(request: AnalyzeRequest, now: Judge, bulk: BulkJudge | None) -> _Ask:
    """Choose whom to ask, and how. Without a bulk judge there is only one way."""
    ticket, preset = request.ticket, request.preset
    if bulk is None or (ticket is None and request.ai is not Asking.BULK):
        return lambda page, left: now(page, preset, left)
    if ticket is None:
        return lambda page, left: bulk.hand_in(page, preset, left)
    return lambda page, left: bulk.redeem(page, preset, left, ticket)


async def _judge(case: Case, about: Subject, way: _Ask) -> Judged:
    """Ask the judge. A judge that fails costs its findings and never the analysis: the reason comes back instead."""
    try:
        async with asyncio.timeout(max(case.clock.left_ms(), 1) / 1000):
            images = about.images if about.images is not None else await subject.pictures(case)
            page = judged_page(case.request, about, images, case.policy)
            left = case.clock.left_ms()
            if left < _LEAST_JUDGE_MS:
                return _late(case.request)
            answer = await way(page, left)
            return Judged(answer) if isinstance(answer, Judgement) else Judged(ticket=answer)
    except ServiceError as exc:
        log.warning(ANALYSIS_DEGRADED, code=exc.code.value, reason=exc.reason)
        return _failed(exc)
    except TimeoutError:
        log.warning(ANALYSIS_DEGRADED, code=ErrorCode.DEADLINE_EXCEEDED.value)
        return _late(case.request)


def judged_page(request: AnalyzeRequest, about: Subject, images: Mapping[str, bytes], policy: Policy) -> JudgedPage:
    """Put together what a judge is shown."""
    measured = about.measured
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


def _late(request: AnalyzeRequest) -> Judged:
    """A ticket that there was no time to redeem is as good as before."""
    if request.ticket is not None:
        return Judged(ticket=request.ticket)
    return Judged(degraded=DegradedReason.TIMEOUT, passes=True)


def _failed(exc: ServiceError) -> Judged:
    spent = exc.run if isinstance(exc, Spent) else None
    if isinstance(exc, Worded):
        return Judged(degraded=exc.degraded, spent=spent, passes=exc.passes, retry_after_s=exc.retry_after_s)
    late = exc.code is ErrorCode.DEADLINE_EXCEEDED
    word = DegradedReason.TIMEOUT if late else DegradedReason.UNAVAILABLE
    return Judged(degraded=word, spent=spent, passes=exc.code.retry, retry_after_s=exc.retry_after_s)
