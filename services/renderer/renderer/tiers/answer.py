"""What the caller gets: the artifacts of a plain page, and how the page was had."""

import asyncio
import time
from datetime import UTC, datetime
from decimal import Decimal

from fastapi import Response

from contracts.fetch import FetchRequest, FetchResult, TierAttempt
from contracts.outputs import DocumentKind, DocumentOutput
from contracts.render import (
    PoolState,
    RenderResult,
    Timings,
    Warning,  # noqa: A004  # the contract's word
)
from renderer import documents, headers
from renderer.render import Piece, Rendered
from renderer.tiers.job import Climb, Found, Job, Tried
from renderer.tiers.page import Page
from renderer.tiers.verdict import Finding

_HTML = "text/html; charset=utf-8"
_BIG = 200_000
_TITLE = 1_000


async def rendered(job: Job, climb: Climb, winner: Tried, pool: PoolState) -> Rendered:
    """Return the winner's result with every attempt in it."""
    if winner.found and winner.found.rendered:
        return _with_tiers(winner.found.rendered, job, climb, winner)
    _, page = _plain(winner)
    many = len(page.text) > _BIG
    pieces = await asyncio.to_thread(_pieces, page, job.request) if many else _pieces(page, job.request)
    return Rendered(_result(job, climb, winner, pieces, pool), pieces)


def _plain(winner: Tried) -> tuple[Found, Page]:
    assert winner.found is not None
    assert winner.found.page is not None
    return winner.found, winner.found.page


def _pieces(page: Page, request: FetchRequest) -> list[Piece]:
    document: documents.Document | None = None
    pieces = []
    for output in request.outputs:
        assert isinstance(output, DocumentOutput)
        kind = DocumentKind(output.kind)
        if kind is DocumentKind.HTML:
            content_type, data = _HTML, page.markup_bytes
        else:
            document = document or documents.read(page.markup, page.url)
            content_type, data = documents.piece(document, kind)
        pieces.append(Piece.of(output.name, content_type, data, output.viewport))
    return pieces


def _result(job: Job, climb: Climb, winner: Tried, pieces: list[Piece], pool: PoolState) -> FetchResult:
    found, page = _plain(winner)
    lacking = found.verdict.finding is Finding.NEEDS_JAVASCRIPT
    return FetchResult(
        job_id=job.request.job_id,
        requested_url=job.request.url,
        final_url=page.url,
        redirects=page.redirects,
        http_status=page.status,
        title=found.seen.title[:_TITLE] if found.seen else "",
        artifacts={piece.artifact.name: piece.artifact for piece in pieces},
        warnings=[Warning.PAGE_EMPTY] if lacking else [],
        response_headers=headers.reported(page.headers),
        captured_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        timings=Timings(goto_ms=round(winner.ms, 1), total_ms=round((time.monotonic() - job.begun) * 1_000, 1)),
        pool=pool,
        tier=winner.tier,
        reason=winner.reason,
        cost_usd=_cost(job, climb),
        attempts=_attempts(job, climb),
        charset=page.charset,
    )


def _with_tiers(had: Rendered, job: Job, climb: Climb, winner: Tried) -> Rendered:
    had_by = {
        "tier": winner.tier,
        "reason": winner.reason,
        "cost_usd": _cost(job, climb),
        "attempts": _attempts(job, climb),
    }
    return Rendered(FetchResult.model_validate({**dict(had.result), **had_by}), had.pieces)


def _attempts(job: Job, climb: Climb) -> list[TierAttempt]:
    return [*job.request.climbed, *(tried.attempt() for tried in climb.tried)]


def _cost(job: Job, climb: Climb) -> Decimal:
    return sum((attempt.cost_usd for attempt in _attempts(job, climb)), Decimal(0))


def mark(answer: Response, result: RenderResult) -> Response:
    """Say in headers how the page was had, for answers that are bytes."""
    if isinstance(result, FetchResult):
        answer.headers["X-Tier"] = result.tier.value
        answer.headers["X-Tier-Reason"] = result.reason.value
        answer.headers["X-Cost-Usd"] = str(result.cost_usd)
    return answer
