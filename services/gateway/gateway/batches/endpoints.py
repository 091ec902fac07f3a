"""The public routes of batches."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from contracts.errors import ErrorCode
from gateway.batches import events, results, service, store, uploads
from gateway.batches.schemas import (
    BATCHES,
    BatchCreate,
    BatchPage,
    BatchRead,
    RejectedPage,
    ResultPage,
    path_of,
    read,
    rejected,
)
from gateway.batches.store import Record
from gateway.cursors import opened, paged, unknown
from gateway.guard import ROOM
from gateway.idempotency.keys import IdempotencyKey, ticket
from gateway.jobs.states import State
from gateway.patience import RETRY_AFTER_S
from gateway.refusals import MAKING, refusals
from gateway.wiring import Caller, Parts, TheCaller, TheParts

router = APIRouter(prefix=BATCHES, tags=["batches"])

_WHAT = "batch"
NDJSON = "application/x-ndjson"
_CSV = "text/csv"
_SHOWN_REJECTS = 100
_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "CSV (column `url`, or the first), or NDJSON"},
        "kind": {"type": "string", "enum": ["analysis", "capture"]},
        "options": {"type": "string", "description": "JSON"},
        "concurrency": {"type": "integer"},
        "max_cost_usd": {"type": "string"},
    },
}
_EXAMPLE = {
    "kind": "capture",
    "urls": ["https://example.com/", {"url": "https://example.com/shop", "options": {"tier": "auto"}}],
    "options": {"tier": "static", "outputs": [{"kind": "html"}]},
}
# Pydantic's own definitions: the body is read by hand, as it may be a form.
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": BatchCreate.model_json_schema(ref_template="#/components/schemas/{model}"),
                "example": _EXAMPLE,
            },
            "multipart/form-data": {"schema": _FORM, "example": {"file": "(the bytes of a file)", "kind": "capture"}},
        },
    }
}

BatchId = Annotated[str, Path(description="the id that was given at creation", examples=["bat_0193…"], max_length=64)]
Limit = Annotated[int, Query(ge=1, le=1_000, description="entries on a page")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")]
Status = Annotated[list[State] | None, Query(alias="status", description="only URLs in these states")]


@router.post(
    "",
    summary="Capture or analyse up to 10,000 pages",
    status_code=202,
    response_model=BatchRead,
    openapi_extra=_BODY,
    dependencies=[ROOM],
    responses=refusals(
        ErrorCode.INVALID_REQUEST,
        ErrorCode.URL_INVALID,
        ErrorCode.URL_FORBIDDEN,
        ErrorCode.QUOTA_EXCEEDED,
        ErrorCode.IDEMPOTENCY_MISMATCH,
        *MAKING,
    ),
)
async def create(
    request: Request, parts: TheParts, caller: TheCaller, idempotency_key: IdempotencyKey = None
) -> Response:
    """Accept all usable URLs at once; the others are set aside with a reason each, and stop nothing.

    As JSON with `urls` or the address of a `sitemap`, or as a form with a file: CSV, or one URL or object on each line
    (NDJSON).
    """
    async with uploads.reading(request) as sent:
        fields = sent.asked.model_dump(mode="json", exclude={"urls"})
        secret = parts.settings.signing_key
        key = ticket(idempotency_key, caller.tenant_id, f"POST {BATCHES}", [fields, sent.digest], secret)
        made = await service.create(parts, caller, sent, key)
    answer = await _document(parts, caller, made.record)
    answer.status_code = 202
    answer.headers["Location"] = path_of(made.record.id)
    answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    if made.replayed:
        answer.headers["Idempotent-Replayed"] = "true"
    return answer


async def _document(parts: Parts, caller: Caller, record: Record) -> Response:
    refused = []
    if record.rejected:
        async with parts.db.read() as db:
            refused = await store.rejects(db, caller.tenant_id, record.id, _SHOWN_REJECTS, -1)
    return Response(read(record, refused).model_dump_json(), media_type="application/json")


@router.get("", summary="List batches, newest first", responses=refusals(ErrorCode.INVALID_REQUEST))
async def index(
    parts: TheParts,
    caller: TheCaller,
    limit: Annotated[int, Query(ge=1, le=100, description="batches on a page")] = 20,
    cursor: Cursor = None,
) -> BatchPage:
    """List batches with their counts."""
    before = opened(parts, caller, _WHAT, cursor)
    async with parts.db.read() as db:
        records = await store.page(db, caller.tenant_id, limit + 1, before)
    shown, following = paged(parts, caller, _WHAT, records, limit)
    return BatchPage(data=[read(record, []) for record in shown], next_cursor=following)


@router.get(
    "/{batch_id}", summary="Read a batch's progress", response_model=BatchRead, responses=refusals(ErrorCode.NOT_FOUND)
)
async def show(parts: TheParts, caller: TheCaller, batch_id: BatchId) -> Response:
    """Read how far a batch is: counts by state and tier, rate, estimated finish. It costs the same for any size."""
    return await _document(parts, caller, await service.found(parts, caller, batch_id))


@router.get(
    "/{batch_id}/events",
    summary="Follow a batch",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The events, until the batch has ended",
            "content": {"text/event-stream": {"example": "event: progress\ndata: {…}\n\n"}},
        },
        **refusals(ErrorCode.NOT_FOUND, ErrorCode.RATE_LIMITED),
    },
)
async def follow(request: Request, parts: TheParts, caller: TheCaller, batch_id: BatchId) -> Response:
    """Server-sent events: `progress` when a count has moved, `ended` as the last one."""
    return await events.answer(request, parts, caller, batch_id)


@router.get(
    "/{batch_id}/rejected",
    summary="URLs that were set aside",
    responses=refusals(ErrorCode.NOT_FOUND, ErrorCode.INVALID_REQUEST),
)
async def refused(
    parts: TheParts, caller: TheCaller, batch_id: BatchId, limit: Limit = 100, cursor: Cursor = None
) -> RejectedPage:
    """List the URLs that were set aside at acceptance, with the reason of each."""
    await service.found(parts, caller, batch_id)
    async with parts.db.read() as db:
        found = await store.rejects(db, caller.tenant_id, batch_id, limit + 1, _place(cursor))
    shown = found[:limit]
    more = str(shown[-1].place) if len(found) > limit else None
    return RejectedPage(data=[rejected(one) for one in shown], next_cursor=more)


@router.get(
    "/{batch_id}/results",
    summary="Results, also while it runs",
    response_model=ResultPage,
    responses={
        200: {
            "description": "A page, or all of them as a stream",
            "content": {
                NDJSON: {"schema": {"type": "string"}, "example": '{"url": "https://example.com/", …}\n'},
                _CSV: {"schema": {"type": "string"}, "example": "url,status\r\nhttps://example.com/,succeeded\r\n"},
            },
        },
        **refusals(ErrorCode.NOT_FOUND, ErrorCode.INVALID_REQUEST),
    },
)
async def show_results(  # noqa: PLR0913, PLR0917  # a route's parameters are its arguments
    request: Request,
    parts: TheParts,
    caller: TheCaller,
    batch_id: BatchId,
    limit: Limit = 100,
    cursor: Cursor = None,
    status: Status = None,
) -> Response:
    """Give one object for each URL, in the order of the request: as pages of JSON, or all of them as a stream.

    `Accept: application/x-ndjson` gives one object on each line, `Accept: text/csv` a table. Unfinished URLs are there
    with their state; `status=succeeded` leaves them out.
    """
    await service.found(parts, caller, batch_id)
    states = status or ()
    accept = ",".join(request.headers.getlist("accept")).lower()
    headers = {"Vary": "Accept"}
    if NDJSON in accept:
        stream = results.ndjson(parts.db, caller.tenant_id, batch_id, states)
        return StreamingResponse(stream, media_type=NDJSON, headers=headers)
    if _CSV in accept:
        stream = results.as_csv(parts.db, caller.tenant_id, batch_id, states)
        headers["Content-Disposition"] = f'attachment; filename="{batch_id}.csv"'
        return StreamingResponse(stream, media_type=_CSV, headers=headers)
    async with parts.db.read() as db:
        found = await store.lines(db, caller.tenant_id, batch_id, limit + 1, _place(cursor), states=states)
    shown = found[:limit]
    more = str(shown[-1].seq) if len(found) > limit else None
    return Response(results.as_page(shown, more), media_type="application/json", headers=headers)


def _place(cursor: str | None) -> int:
    if cursor is None:
        return -1
    if not cursor.isascii() or not cursor.isdecimal() or len(cursor) > 9:  # noqa: PLR2004  # what an integer column holds
        raise unknown()
    return int(cursor)


@router.delete(
    "/{batch_id}",
    summary="Delete a batch and its results",
    status_code=204,
    responses={204: {"description": "Gone"}, **refusals(ErrorCode.NOT_FOUND, ErrorCode.CONFLICT)},
)
async def delete(parts: TheParts, caller: TheCaller, batch_id: BatchId) -> None:
    """Remove a batch that has ended, its URLs and every result; the stored bytes of them follow within the hour."""
    await service.remove(parts, caller, batch_id)


_CHANGED: dict[int | str, dict[str, Any]] = refusals(ErrorCode.NOT_FOUND, ErrorCode.CONFLICT)


@router.post("/{batch_id}/cancel", summary="Cancel a batch", response_model=BatchRead, responses=_CHANGED)
async def cancel(parts: TheParts, caller: TheCaller, batch_id: BatchId) -> Response:
    """End every URL that has not ended: what is in work is aborted. Results that are there stay."""
    return await _document(parts, caller, await service.cancel(parts, caller, batch_id))


@router.post("/{batch_id}/pause", summary="Pause a batch", response_model=BatchRead, responses=_CHANGED)
async def pause(parts: TheParts, caller: TheCaller, batch_id: BatchId) -> Response:
    """Start no more of its URLs; what is in work is finished."""
    return await _document(parts, caller, await service.pause(parts, caller, batch_id))


@router.post("/{batch_id}/resume", summary="Resume a paused batch", response_model=BatchRead, responses=_CHANGED)
async def resume(parts: TheParts, caller: TheCaller, batch_id: BatchId) -> Response:
    """Let a paused batch go on."""
    return await _document(parts, caller, await service.resume(parts, caller, batch_id))


@router.post("/{batch_id}/retry-failed", summary="Retry failed URLs", response_model=BatchRead, responses=_CHANGED)
async def retry_failed(parts: TheParts, caller: TheCaller, batch_id: BatchId) -> Response:
    """Give every failed URL all its attempts again; the others keep their results."""
    return await _document(parts, caller, await service.retry_failed(parts, caller, batch_id))
