"""The public routes of captures."""

import time
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request, Response

from contracts.errors import ErrorCode
from contracts.fetch import FetchRequest
from contracts.wire import REVEALED
from gateway import owned, removing, replies, tags
from gateway.acceptance import Accepted, Terms, remember
from gateway.captures import artifacts, examples, negotiation, service, store
from gateway.captures.negotiation import Choice
from gateway.captures.schemas import CAPTURES, CaptureCreate, CapturePage, CaptureRead, path_of, read, summary
from gateway.captures.store import Whole
from gateway.cursors import opened, paged
from gateway.events import stream as events
from gateway.events.stream import LastEventId
from gateway.guard import ROOM
from gateway.idempotency.keys import IdempotencyKey, Ticket, ticket
from gateway.jobs.records import Version
from gateway.jobs.removal import Removal
from gateway.jobs.states import Kind
from gateway.patience import RETRY_AFTER_S, Patience, Prefer, Wait, asked_for, preferred, until_final
from gateway.receivers import receiver
from gateway.refusals import MAKING, refusals
from gateway.tags import IfNoneMatch
from gateway.watch import Subject
from gateway.wiring import Caller, Parts, Reading, TheCaller, TheParts
from runtime import problems
from runtime.errors import ServiceError

router = APIRouter(prefix=CAPTURES, tags=["captures"])

BARE_WAIT_S = 60
"""How long a caller that wants the bytes waits when it does not say."""

CaptureId = Annotated[str, Path(description="the id that was given at creation", examples=["cap_0193…"], max_length=64)]
ArtifactName = Annotated[
    str, Path(description="as in the result's `artifacts`", examples=["screenshot"], pattern=r"^[a-z0-9_.]{1,100}$")
]
_BINARY = {"schema": {"type": "string", "format": "binary"}, "example": "(the bytes of the file)"}
_TEXT = {"schema": {"type": "string"}, "example": "# Example Domain"}
_BYTES: dict[str, Any] = {  # OpenAPI
    **dict.fromkeys(("image/jpeg", "image/png", "image/webp", "application/pdf"), _BINARY),
    **dict.fromkeys(("text/html", "text/markdown", "text/plain"), _TEXT),
}


def _answer(example: dict[str, Any], description: str, **more: object) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"example": example}, **more}}


_CREATED: dict[int | str, dict[str, Any]] = {
    200: _answer(examples.DONE, "Finished in time; with `Accept` of the one output's type, its bytes", **_BYTES),
    202: {
        "model": CaptureRead,
        **_answer(examples.QUEUED, "Accepted, not finished yet: see `Location`, `Retry-After`"),
    },
    **refusals(
        ErrorCode.INVALID_REQUEST,
        ErrorCode.URL_INVALID,
        ErrorCode.URL_FORBIDDEN,
        ErrorCode.NOT_ACCEPTABLE,
        ErrorCode.DEADLINE_EXCEEDED,
        ErrorCode.STORAGE_FAILED,
        *MAKING,
        ErrorCode.IDEMPOTENCY_MISMATCH,
    ),
}


@router.post("", summary="Capture a page", response_model=CaptureRead, responses=_CREATED, dependencies=[ROOM])
async def create(
    request: Request,
    parts: TheParts,
    caller: TheCaller,
    body: Annotated[CaptureCreate, Body(openapi_examples=examples.CREATE)],
    prefer: Prefer = "",
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Open a page and take pictures and documents of it, all from one load.

    As JSON: 200 when it finished within `wait`, with `status` succeeded or failed; otherwise 202 with `Location`.

    As bytes, for one output whose type `Accept` names (`image/*`, `text/markdown`, …): 200 with the bytes, or the
    problem that the page met. Without a `wait` it is waited for 60 seconds, and then answered 504 with `Location`: the
    capture goes on, and is found there. With a `wait` of your own that answer is 202, as for JSON.

    A capture of yours for the same request that is no older than `max_age` is the answer at once (`cached`), and who
    asks for what is being made already gets the same capture. Never so where `visit` has headers, cookies or a login.
    """
    choice = negotiation.choose(negotiation.read(_accept(request)), body.outputs, body.tier)
    seconds = asked_for(body.wait, prefer)
    wait = timedelta(seconds=(BARE_WAIT_S if choice.bare else 0) if seconds is None else seconds)
    key = _ticket(parts, caller, body, choice, idempotency_key)
    terms = Terms(body.wish, key, receiver(parts, body.webhook_url))
    accepted = await service.create(parts, caller, _request(body, choice), terms)
    if (answer := replies.again(accepted, path_of(accepted.id))) is not None:
        return answer
    record = await service.waited_for(parts, caller, accepted.id, Patience(wait, request.is_disconnected))
    here = record.state.final or not await request.is_disconnected()
    if choice.bare and not here and accepted.ticket is None and body.webhook_url is None:
        await service.leave(parts, caller, accepted.id)
    if choice.bare and record.state.final:
        answer = await _bytes(request, parts, record, accepted)
    elif choice.bare and seconds is None:
        answer = _late(request)
    else:
        answer = _document(parts, record, accepted)
        if here and not record.state.final:
            await remember(parts, accepted, bytes(answer.body).decode())
    answer.headers.update({"Location": path_of(accepted.id), "Vary": "Accept"})
    answer.headers.update(replies.origin(accepted, record.finished_at))
    if preferred(prefer) is not None:
        answer.headers["Preference-Applied"] = f"wait={seconds}"
    return answer


def _ticket(parts: Parts, caller: Caller, body: CaptureCreate, choice: Choice, header: str | None) -> Ticket | None:
    fields = body.model_dump(mode="json", exclude={"wait", "outputs"}, context=REVEALED)
    outputs = [output.model_dump(mode="json") for output in choice.outputs]
    return ticket(header, caller.tenant_id, f"POST {CAPTURES}", [fields, outputs], parts.settings.signing_key)


def _accept(request: Request) -> str:
    return ",".join(request.headers.getlist("accept"))


def _request(body: CaptureCreate, choice: Choice) -> FetchRequest:
    return FetchRequest(
        url=body.url,
        outputs=choice.outputs,
        tier=body.tier,
        max_tier=body.max_tier,
        max_cost_usd=body.max_cost_usd,
        visit=body.visit,
        prepare=body.prepare,
        fail_if=body.fail_if,
        settle=body.settle,
        politeness=body.politeness,
    )


def _document(parts: Parts, record: Whole, accepted: Accepted | None = None) -> Response:
    document = read(record, parts.blobs, _link_life(parts), cached=accepted is not None and accepted.cached)
    headers = {} if record.state.final else {"Retry-After": str(RETRY_AFTER_S)}
    status = 200 if record.state.final else 202
    return Response(document.model_dump_json(), status, headers, media_type="application/json")


async def _bytes(request: Request, parts: Parts, record: Whole, accepted: Accepted) -> Response:
    """Answer with the only artifact, or with what kept it from being made."""
    if record.result is None:
        return problems.problem(request, service.failure(record))
    if not record.result.artifacts:
        lack = ", ".join(record.result.warnings)
        error = ServiceError(ErrorCode.DEADLINE_EXCEEDED, f"The page did not give it within the time budget ({lack}).")
        return problems.problem(request, error)
    (name,) = record.result.artifacts
    answer = artifacts.whole(await service.content(parts, record, name))
    answer.headers.update(artifacts.told(record.result))
    if accepted.cached:
        answer.headers["X-Cost-Usd"] = "0"
    return answer


def _late(request: Request) -> Response:
    detail = f"It takes longer than {BARE_WAIT_S} s and goes on: look at Location, or send Prefer: wait=N."
    return problems.problem(request, ServiceError(ErrorCode.DEADLINE_EXCEEDED, detail, retry_after_s=RETRY_AFTER_S))


@router.get(
    "",
    summary="List captures, newest first",
    responses={200: _answer(examples.PAGE, "A page of captures"), **refusals(ErrorCode.INVALID_REQUEST)},
)
async def index(
    db: Reading,
    parts: TheParts,
    caller: TheCaller,
    limit: Annotated[int, Query(ge=1, le=100, description="captures on a page")] = 20,
    cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")] = None,
) -> CapturePage:
    """List captures without their results. Pages stay stable while new captures arrive."""
    before = opened(parts, caller, Kind.CAPTURE, cursor)
    records = await store.page(db, caller.tenant_id, limit + 1, before)
    shown, following = paged(parts, caller, Kind.CAPTURE, records, limit)
    return CapturePage(data=[summary(record) for record in shown], next_cursor=following)


@router.get(
    "/{capture_id}",
    summary="Read a capture",
    response_model=CaptureRead,
    responses={200: _answer(examples.DONE, "The capture"), **tags.NOT_MODIFIED, **refusals(ErrorCode.NOT_FOUND)},
)
async def show(
    request: Request,
    parts: TheParts,
    caller: TheCaller,
    capture_id: CaptureId,
    wait: Wait = 0,
    if_none_match: IfNoneMatch = "",
) -> Response:
    """Read a capture with its result, when it has one; with `wait`, answer as soon as it is finished."""
    patience = Patience(timedelta(seconds=wait), request.is_disconnected)
    if if_none_match:
        await until_final(parts, caller, Kind.CAPTURE, capture_id, patience)
        current = _tag(parts, capture_id, await owned.version(parts, caller, Kind.CAPTURE, capture_id))
        if tags.known(if_none_match, current):
            return tags.unchanged(current)
    record = await service.waited_for(parts, caller, capture_id, patience)
    answer = _document(parts, record)
    answer.status_code = 200
    answer.headers.update(tags.headers(_tag(parts, capture_id, record.version)))
    return answer


def _link_life(parts: Parts) -> timedelta:
    return min(timedelta(seconds=parts.settings.capture_link_seconds), parts.blobs.longest_link)


def _tag(parts: Parts, capture_id: str, version: Version) -> str:
    # The signed links in the answer die: it counts as another one before the first of them does.
    term = time.time() // (_link_life(parts).total_seconds() / 2)
    return tags.tag(capture_id, version, term if version.state.final else "")


@router.get(
    "/{capture_id}/events",
    summary="Follow a capture as it happens",
    response_class=Response,
    responses=events.responses(Kind.CAPTURE),
)
async def follow(
    request: Request, parts: TheParts, caller: TheCaller, capture_id: CaptureId, last_event_id: LastEventId = ""
) -> Response:
    """Send server-sent events, as for analyses: `capture.queued`, `.rendering`, `.succeeded`, `.failed`, and so on."""
    return await events.answer(request, parts, Subject(caller.tenant_id, Kind.CAPTURE, capture_id), last_event_id)


@router.post(
    "/{capture_id}/cancel",
    summary="Cancel a capture",
    response_model=CaptureRead,
    responses={
        200: _answer(examples.CANCELLED, "The capture, cancelled"),
        **refusals(ErrorCode.NOT_FOUND, ErrorCode.CONFLICT),
    },
)
async def cancel(parts: TheParts, caller: TheCaller, capture_id: CaptureId) -> Response:
    """End a capture that is not finished: what is in progress is aborted. Repeating it changes nothing."""
    await owned.cancel(parts, caller, Kind.CAPTURE, capture_id)
    return _document(parts, await service.found(parts, caller, capture_id))


@router.delete(
    "/{capture_id}",
    summary="Delete a capture and its artifacts",
    status_code=204,
    responses={204: {"description": "Gone"}, **refusals(ErrorCode.NOT_FOUND, ErrorCode.CONFLICT)},
)
async def delete(parts: TheParts, caller: TheCaller, capture_id: CaptureId) -> None:
    """Remove a finished capture and every byte that was stored for it; signed links to them end with it."""
    await removing.remove(parts.db, parts.blobs, Kind.CAPTURE, Removal(caller.tenant_id, capture_id))


@router.get(
    "/{capture_id}/artifacts/{name}",
    summary="An artifact's bytes",
    response_class=Response,
    responses={
        200: {"description": "The bytes; HTML and PDF are offered for saving and never run", "content": _BYTES},
        304: {"description": "The caller has these bytes already (`If-None-Match`)"},
        **refusals(ErrorCode.NOT_FOUND, ErrorCode.CONFLICT, ErrorCode.TARGET_STATUS, ErrorCode.STORAGE_FAILED),
    },
)
async def artifact(
    parts: TheParts,
    caller: TheCaller,
    capture_id: CaptureId,
    name: ArtifactName,
    if_none_match: IfNoneMatch = "",
) -> Response:
    """Fetch one artifact of a finished capture; for one that failed, the answer is the problem that ended it."""
    record = await service.found(parts, caller, capture_id)
    content = await service.content(parts, record, name)
    return artifacts.unchanged(content, if_none_match) or artifacts.whole(content)
