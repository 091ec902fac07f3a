"""The public routes of analyses."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse

from contracts.errors import ErrorCode
from gateway.analyses import service, store
from gateway.analyses.schemas import AnalysisCreate, AnalysisPage, AnalysisRead, read, summary
from gateway.cursors import opened, sealed
from gateway.jobs.states import Kind
from gateway.patience import RETRY_AFTER_S, Patience, Prefer, Wait, asked_for, preferred
from gateway.refusals import refusals
from gateway.wiring import Reading, TheCaller, TheParts

router = APIRouter(prefix="/v1/analyses", tags=["analyses"])

AnalysisId = Annotated[str, Path(description="the id that was given at creation", examples=["an_0193…"], max_length=64)]
_NOT_FOUND = refusals(ErrorCode.NOT_FOUND)
_REFUSED_INPUT = refusals(ErrorCode.INVALID_REQUEST, ErrorCode.URL_INVALID, ErrorCode.URL_FORBIDDEN)
_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"model": AnalysisRead, "description": "Accepted, and not finished yet: see `Location` and `Retry-After`"}
}


@router.post(
    "",
    summary="Analyse a page",
    responses={**_ACCEPTED, **_REFUSED_INPUT},
)
async def create(
    request: Request, response: Response, parts: TheParts, caller: TheCaller, body: AnalysisCreate, prefer: Prefer = ""
) -> AnalysisRead:
    """Accept a page for analysis, and wait for the result as long as was asked for.

    200 when it finished in time, with `status` succeeded or failed; otherwise 202 with `Location` to follow.
    """
    wait = asked_for(body.wait, prefer) or 0
    analysis_id = await service.create(parts, caller, body.url, body.preset, body.webhook_url)
    patience = Patience(timedelta(seconds=wait), request.is_disconnected)
    record = await service.waited_for(parts, caller, analysis_id, patience)
    response.headers["Location"] = f"/v1/analyses/{analysis_id}"
    if preferred(prefer) is not None:
        response.headers["Preference-Applied"] = f"wait={wait}"
    if not record.state.final:
        response.status_code = 202
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return read(record)


@router.get("", summary="List analyses, newest first", responses=refusals(ErrorCode.INVALID_REQUEST))
async def index(
    db: Reading,
    caller: TheCaller,
    limit: Annotated[int, Query(ge=1, le=100, description="analyses on a page")] = 20,
    cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")] = None,
) -> AnalysisPage:
    """List analyses without their results. Pages stay stable while new analyses arrive."""
    before = None if cursor is None else opened(cursor, Kind.ANALYSIS)
    records = await store.page(db, caller.tenant_id, limit + 1, before)
    shown = records[:limit]
    more = len(records) > limit
    return AnalysisPage(data=[summary(record) for record in shown], next_cursor=sealed(shown[-1].id) if more else None)


@router.get("/{analysis_id}", summary="Read an analysis", responses=_NOT_FOUND)
async def show(
    request: Request,
    response: Response,
    parts: TheParts,
    caller: TheCaller,
    analysis_id: AnalysisId,
    wait: Wait = 0,
) -> AnalysisRead:
    """Read an analysis with its result, when it has one; with `wait`, answer as soon as it is finished."""
    patience = Patience(timedelta(seconds=wait), request.is_disconnected)
    record = await service.waited_for(parts, caller, analysis_id, patience)
    if not record.state.final:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return read(record)


@router.post(
    "/{analysis_id}/cancel",
    summary="Cancel an analysis",
    responses=refusals(ErrorCode.NOT_FOUND, ErrorCode.CONFLICT),
)
async def cancel(parts: TheParts, caller: TheCaller, analysis_id: AnalysisId) -> AnalysisRead:
    """End an analysis that is not finished: a render in progress is aborted. Repeating it changes nothing."""
    return read(await service.cancel(parts, caller, analysis_id))


@router.get(
    "/{analysis_id}/report",
    summary="The report as a page",
    response_class=HTMLResponse,
    responses=refusals(ErrorCode.NOT_FOUND, ErrorCode.CONFLICT),
)
async def report(parts: TheParts, caller: TheCaller, analysis_id: AnalysisId) -> HTMLResponse:
    """Show the finished analysis as one self-contained HTML page."""
    html = await service.report(parts, caller, analysis_id)
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache"}
    return HTMLResponse(html, headers=headers)
