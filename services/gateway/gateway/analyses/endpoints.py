"""The public routes of analyses."""

import base64
import binascii
import re
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import HTMLResponse

from contracts.errors import ErrorCode, FieldError
from gateway.analyses import service, store
from gateway.analyses.schemas import MAX_WAIT_S, AnalysisCreate, AnalysisPage, AnalysisRead, read, summary
from gateway.analyses.service import Patience
from gateway.wiring import Reading, TheCaller, TheParts
from runtime.errors import ServiceError

router = APIRouter(prefix="/v1/analyses", tags=["analyses"])

_RETRY_AFTER_S = 2
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*(\d{1,9})", re.IGNORECASE)
_ID = re.compile(r"an_[0-9a-f]{32}")

AnalysisId = Annotated[str, Path(description="the id that was given at creation", examples=["an_0193…"], max_length=64)]
Wait = Annotated[int, Query(ge=0, le=MAX_WAIT_S, description="seconds to wait for it to finish")]
Prefer = Annotated[
    str, Header(description="`wait=N`: seconds to wait for the result (RFC 7240)", examples=["wait=30"], max_length=200)
]


def refusals(*codes: ErrorCode) -> dict[int | str, dict[str, Any]]:
    """Describe the problem answers of an operation for OpenAPI."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for code in (*codes, ErrorCode.UNAVAILABLE):
        text = by_status.get(code.status, {}).get("description", "")
        line = f"`{code.value}`: {code.headline}."
        content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        by_status[code.status] = {"description": f"{text} {line}".strip(), "content": content}
    return by_status


_NOT_FOUND = refusals(ErrorCode.NOT_FOUND)
_REFUSED_INPUT = refusals(ErrorCode.INVALID_REQUEST, ErrorCode.URL_INVALID, ErrorCode.URL_FORBIDDEN)
_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"model": AnalysisRead, "description": "Accepted, and not finished yet: see `Location` and `Retry-After`"}
}


def _seconds(body: int | None, prefer: str) -> timedelta:
    found = _WAIT.search(prefer)
    asked = body if body is not None else int(found.group(1)) if found else 0
    return timedelta(seconds=min(asked, MAX_WAIT_S))


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
    wait = _seconds(body.wait, prefer)
    analysis_id = await service.create(parts, caller, body.url, body.preset)
    record = await service.waited_for(parts, caller, analysis_id, Patience(wait, request.is_disconnected))
    response.headers["Location"] = f"/v1/analyses/{analysis_id}"
    if _WAIT.search(prefer):
        response.headers["Preference-Applied"] = f"wait={int(wait.total_seconds())}"
    if not record.state.final:
        response.status_code = 202
        response.headers["Retry-After"] = str(_RETRY_AFTER_S)
    return read(record)


@router.get("", summary="List analyses, newest first", responses=refusals(ErrorCode.INVALID_REQUEST))
async def index(
    db: Reading,
    caller: TheCaller,
    limit: Annotated[int, Query(ge=1, le=100, description="analyses on a page")] = 20,
    cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")] = None,
) -> AnalysisPage:
    """List analyses without their results. Pages stay stable while new analyses arrive."""
    records = await store.page(db, caller.tenant_id, limit + 1, None if cursor is None else _opened(cursor))
    shown = records[:limit]
    more = len(records) > limit
    return AnalysisPage(data=[summary(record) for record in shown], next_cursor=_cursor(shown[-1].id) if more else None)


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
        response.headers["Retry-After"] = str(_RETRY_AFTER_S)
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


def _cursor(analysis_id: str) -> str:
    return base64.urlsafe_b64encode(analysis_id.encode()).decode().rstrip("=")


def _opened(cursor: str) -> str:
    try:
        found = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        found = ""
    if not _ID.fullmatch(found):
        text = "use the next_cursor of the page before, unchanged"
        raise ServiceError(
            ErrorCode.INVALID_REQUEST, f"cursor: {text}", errors=[FieldError(field="cursor", message=text)]
        )
    return found
