"""One analysis: read the facts, apply the rules, ask the judge, put the document together."""

import asyncio

from analyzer import asking, document, subject
from analyzer.artifacts import ArtifactReader
from analyzer.asking import Judged, Judges
from analyzer.case import Case, Clock
from analyzer.judged import BulkJudge, Judge
from analyzer.rules import overrides
from analyzer.rules.policy import Policy
from analyzer.subject import Subject
from contracts.analyze import AnalyzeRequest
from contracts.errors import ErrorCode
from contracts.result import Analyzed
from runtime.errors import ServiceError


async def analyze(
    request: AnalyzeRequest, reader: ArtifactReader, judge: Judge | None, policy: Policy, bulk: BulkJudge | None = None
) -> Analyzed:
    """Analyse a rendered page, or a picture of one, within its budget.

    Raises `ServiceError`: INVALID_REQUEST without readable facts or picture or with thresholds that are
    not allowed, STORAGE_FAILED when the store keeps them back, DEADLINE_EXCEEDED when the budget ends too early.
    """
    case = Case(request, reader, overrides.apply(policy, request.overrides), Clock(request.budget_ms))
    try:
        async with asyncio.timeout(request.budget_ms / 1000):
            about = await subject.read(case)
    except TimeoutError as exc:
        raise ServiceError(ErrorCode.DEADLINE_EXCEEDED, "The analysis did not end within its budget.") from exc
    return _document(case, about, await asking.ask(case, about, Judges(judge, bulk)))


def _document(case: Case, about: Subject, judged: Judged) -> Analyzed:
    """Put the answer together. It is pending where asking the judge again, or its ticket, may still complete it."""
    request, clock = case.request, case.clock
    pending = (judged.passes and request.ai_later) or judged.later or judged.ticket is not None
    total = round(clock.passed_ms(), 1)
    parts = document.Parts(
        request=request,
        measured=about.measured,
        policy=case.policy,
        warnings=about.warnings,
        judgement=judged.judgement,
        degraded=judged.degraded,
        spent=judged.spent,
        ai_pending=pending,
        timings_ms={"render": request.render.timings.total_ms, **clock.phases, "total": total},
    )
    memo = judged.judgement.memo if judged.judgement else None
    retry_after_s = judged.retry_after_s if pending else None
    return Analyzed(**dict(document.assemble(parts)), memo=memo, retry_after_s=retry_after_s, ticket=judged.ticket)
