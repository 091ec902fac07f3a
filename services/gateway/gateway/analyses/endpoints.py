"""The public routes of analyses."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse

from contracts.comparison import Comparison
from contracts.errors import ErrorCode
from gateway import owned, removing, replies, tags
from gateway.acceptance import remember
from gateway.analyses import examples, service, store, submissions
from gateway.analyses.schemas import AnalysisPage, AnalysisRead, path_of, read, summary
from gateway.answers import Kept
from gateway.cursors import opened, paged
from gateway.events import stream as events
from gateway.events.stream import LastEventId, Until
from gateway.guard import ROOM
from gateway.idempotency.keys import IdempotencyKey
from gateway.jobs.removal import Removal
from gateway.jobs.states import Kind
from gateway.patience import RETRY_AFTER_S, Patience, Prefer, Wait, asked_for, preferred, until_final
from gateway.refusals import MAKING, refusals
from gateway.tags import IfNoneMatch
from gateway.watch import Subject
from gateway.wiring import Caller, Parts, Reading, TheCaller, TheParts
from runtime.errors import ServiceError

router = APIRouter(prefix="/v1/analyses", tags=["analyses"])

AnalysisId = Annotated[str, Path(description="the id that was given at creation", examples=["an_0193…"], max_length=64)]
_NOT_FOUND = refusals(ErrorCode.NOT_FOUND)
_REFUSED_INPUT = refusals(
    ErrorCode.INVALID_REQUEST,
    ErrorCode.URL_INVALID,
    ErrorCode.URL_FORBIDDEN,
    ErrorCode.IMAGE_REJECTED,
    ErrorCode.IDEMPOTENCY_MISMATCH,
    ErrorCode.STORAGE_FAILED,
    *MAKING,
)
_ACCEPTED: dict[int | str, dict[str, Any]] = {
    200: examples.answer("Finished in time", examples.DONE),
    202: {
        "model": AnalysisRead,
        **examples.answer("Accepted, and not finished yet: see `Location` and `Retry-After`", examples.QUEUED),
    },
}


@router.post(
    "",
    summary="Analyse a page, or a picture of one",
    dependencies=[ROOM],
    response_model=AnalysisRead,
    responses={**_ACCEPTED, **_REFUSED_INPUT},
    openapi_extra=submissions.OPENAPI,
)
async def create(
    request: Request,
    parts: TheParts,
    caller: TheCaller,
    prefer: Prefer = "",
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Accept a page for analysis, and wait for the result as long as was asked for.

    200 when it finished in time, with `status` succeeded or failed; otherwise 202 with `Location` to follow. A result
    of yours for the same request that is no older than `max_age` is the answer at once (`cached`), and who asks for
    what is being made already gets the same analysis. As a form with a file `image`, a picture is analysed instead.
    """
    asked = await submissions.read(request)
    accepted = await service.accepted(parts, caller, asked, idempotency_key)
    location = path_of(accepted.id)
    if (answer := replies.again(accepted, location)) is not None:
        return answer
    wants = asked.create.wait
    wait = asked_for(wants, prefer) or 0
    record = await service.waited_for(
        parts, caller, accepted.id, Patience(timedelta(seconds=wait), request.is_disconnected)
    )
    body = read(record, cached=accepted.cached).model_dump_json()
    headers = {"Location": location, **replies.origin(accepted, record.finished_at)}
    if preferred(prefer) is not None:
        headers["Preference-Applied"] = f"wait={wait}"
    if record.state.final:
        return Response(body, 200, headers, media_type="application/json")
    if not await request.is_disconnected():
        await remember(parts, accepted, body)
    return Response(body, 202, {**headers, "Retry-After": str(RETRY_AFTER_S)}, media_type="application/json")


@router.get(
    "",
    summary="List analyses, newest first",
    responses={200: examples.answer("A page of analyses", examples.PAGE), **refusals(ErrorCode.INVALID_REQUEST)},
)
async def index(
    db: Reading,
    parts: TheParts,
    caller: TheCaller,
    limit: Annotated[int, Query(ge=1, le=100, description="analyses on a page")] = 20,
    cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")] = None,
) -> AnalysisPage:
    """List analyses without their results. Pages stay stable while new analyses arrive."""
    before = opened(parts, caller, Kind.ANALYSIS, cursor)
    records = await store.page(db, caller.tenant_id, limit + 1, before)
    shown, following = paged(parts, caller, Kind.ANALYSIS, records, limit)
    return AnalysisPage(data=[summary(record) for record in shown], next_cursor=following)


@router.get(
    "/{analysis_id}",
    summary="Read an analysis",
    response_model=AnalysisRead,
    responses={200: examples.answer("The analysis", examples.DONE), **tags.NOT_MODIFIED, **_NOT_FOUND},
    openapi_extra=tags.IF_NONE_MATCH,
)
async def show(
    request: Request,
    analysis_id: AnalysisId,
    wait: Wait = 0,
) -> Response:
    """Read an analysis with its result, when it has one; with `wait`, answer as soon as it is finished."""
    # By hand, and not as FastAPI does it: on this, the busiest route, each of those costs a twentieth of the answer.
    parts: Parts = request.app.state.parts
    caller: Caller = request.state.caller
    if_none_match = request.headers.get("if-none-match", "")
    kept = None if if_none_match else parts.answers.get(caller.tenant_id, analysis_id)
    if kept is not None:
        return Response(kept.document, 200, tags.headers(kept.tag), media_type="application/json")
    patience = Patience(timedelta(seconds=wait), request.is_disconnected)
    if if_none_match:
        await until_final(parts, caller, Kind.ANALYSIS, analysis_id, patience)
        current = tags.tag(analysis_id, await owned.version(parts, caller, Kind.ANALYSIS, analysis_id))
        if tags.known(if_none_match, current):
            return tags.unchanged(current)
    try:
        record = await service.waited_for(parts, caller, analysis_id, patience)
    except ServiceError as error:
        if error.code is ErrorCode.NOT_FOUND:
            parts.answers.forget(caller.tenant_id, analysis_id)
        raise
    current, document = tags.tag(record.id, record.version), read(record).model_dump_json().encode()
    headers = tags.headers(current)
    if record.state.final:
        parts.answers.keep(caller.tenant_id, analysis_id, Kept(document, current))
    else:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return Response(document, 200, headers, media_type="application/json")


@router.get(
    "/{analysis_id}/events",
    summary="Follow an analysis as it happens",
    response_class=Response,
    responses=events.responses(Kind.ANALYSIS),
)
async def follow(
    request: Request,
    parts: TheParts,
    caller: TheCaller,
    analysis_id: AnalysisId,
    last_event_id: LastEventId = "",
    until: Annotated[Until, Query(description="enriched: where the model was away, until it has been asked again")] = (
        Until.ENDED
    ),
) -> Response:
    """Send server-sent events: the present state at once, then each change, until the analysis has ended.

    Named `analysis.queued`, `.rendering`, `.analyzing`, `.succeeded`, `.failed`, `.cancelled`; the data is JSON. A
    comment comes every 15 seconds. It is a feed of the state and not a log: who comes late, or comes again with
    `Last-Event-ID`, is told the present state unless it is the one that it knows. Where the data of
    `analysis.succeeded` says `ai_pending`, `analysis.enriched` may follow within a day: with `until=enriched` the
    stream waits for it, and whoever comes later is told of both.
    """
    subject = Subject(caller.tenant_id, Kind.ANALYSIS, analysis_id)
    return await events.answer(request, parts, subject, last_event_id, until)


@router.delete(
    "/{analysis_id}",
    summary="Delete an analysis and its artifacts",
    status_code=204,
    responses={204: {"description": "Gone"}, **refusals(ErrorCode.NOT_FOUND, ErrorCode.CONFLICT)},
)
async def delete(parts: TheParts, caller: TheCaller, analysis_id: AnalysisId) -> None:
    """Remove a finished analysis with its result, its report and its pictures."""
    parts.answers.forget(caller.tenant_id, analysis_id)
    await removing.remove(parts.db, parts.blobs, Kind.ANALYSIS, Removal(caller.tenant_id, analysis_id))


@router.post(
    "/{analysis_id}/cancel",
    summary="Cancel an analysis",
    responses={
        200: examples.answer("The analysis, cancelled", examples.CANCELLED),
        **refusals(ErrorCode.NOT_FOUND, ErrorCode.CONFLICT),
    },
)
async def cancel(parts: TheParts, caller: TheCaller, analysis_id: AnalysisId) -> AnalysisRead:
    """End an analysis that is not finished: a render in progress is aborted. Repeating it changes nothing."""
    await owned.cancel(parts, caller, Kind.ANALYSIS, analysis_id)
    return read(await service.found(parts, caller, analysis_id))


@router.get(
    "/{analysis_id}/compare",
    summary="Compare with another analysis of the same page",
    responses={
        200: examples.answer("The comparison", examples.COMPARISON),
        **refusals(ErrorCode.NOT_FOUND, ErrorCode.CONFLICT, ErrorCode.INVALID_REQUEST),
    },
)
async def compare(
    parts: TheParts,
    caller: TheCaller,
    analysis_id: AnalysisId,
    other: Annotated[str, Query(alias="with", max_length=64, description="the other analysis, of the same address")],
) -> Comparison:
    """Say what was fixed, what is new, what stayed and what changed its measure; the earlier analysis is `before`."""
    return await service.compare(parts, caller, analysis_id, other)


@router.get(
    "/{analysis_id}/report",
    summary="The report as a page",
    response_class=HTMLResponse,
    responses={
        200: examples.answer("The report", examples.REPORT, "text/html"),
        **tags.NOT_MODIFIED,
        **refusals(ErrorCode.NOT_FOUND, ErrorCode.CONFLICT, ErrorCode.STORAGE_FAILED),
    },
)
async def report(
    parts: TheParts, caller: TheCaller, analysis_id: AnalysisId, if_none_match: IfNoneMatch = ""
) -> Response:
    """Show the finished analysis as one self-contained HTML page."""
    current = tags.tag(analysis_id, "report", await owned.version(parts, caller, Kind.ANALYSIS, analysis_id))
    if tags.known(if_none_match, current):
        return tags.unchanged(current)
    html = await service.report(parts, caller, analysis_id)
    return HTMLResponse(html, headers={"X-Content-Type-Options": "nosniff", **tags.headers(current)})
