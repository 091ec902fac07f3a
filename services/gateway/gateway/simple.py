"""The simple pair for curl and workflow tools: one call, flat answers. The same path as `/v1/analyses`."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import ConfigDict, Field

from contracts.analyze import Preset
from contracts.errors import ErrorCode
from contracts.result import Analysis
from contracts.wire import Wire
from gateway import replies
from gateway.acceptance import Terms, remember
from gateway.analyses import service
from gateway.analyses.store import Record
from gateway.guard import ROOM
from gateway.idempotency.keys import IdempotencyKey, ticket
from gateway.jobs.states import State
from gateway.patience import MAX_WAIT_S, RETRY_AFTER_S, Patience
from gateway.receivers import WebhookUrl, receiver
from gateway.refusals import MAKING, refusals
from gateway.reuse.schemas import Reuse
from gateway.wiring import TheCaller, TheParts
from runtime import problems
from runtime.errors import ServiceError

router = APIRouter(tags=["simple"])

# Below the 60 s after which proxies usually give up on a silent answer.
_WAIT_S = 50


class SimpleCreate(Reuse):
    """A page to analyse."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"url": "https://example.com/"}]})

    url: str = Field(min_length=1, max_length=4_096)
    preset: Preset = Preset.STANDARD
    webhook_url: WebhookUrl = None
    wait: int = Field(_WAIT_S, ge=0, le=MAX_WAIT_S, description="seconds to wait for the result")


class Task(Wire):
    """Where a task is. Every key is always there."""

    task_id: str
    status: State
    status_url: str
    error_code: ErrorCode | None = None
    error: str | None = None
    result: Analysis | None = None


def _task(record: Record) -> Task:
    ended = record.state in {State.FAILED, State.CANCELLED}
    return Task(
        task_id=record.id,
        status=record.state,
        status_url=f"/status/{record.id}",
        error_code=record.error_code if ended else None,
        error=record.error_detail if ended else None,
        result=record.result,
    )


@router.post(
    "/analyze",
    summary="Analyse a page in one call",
    response_model=Analysis,
    dependencies=[ROOM],
    responses={
        202: {"model": Task, "description": "Not finished yet: ask `status_url`"},
        **refusals(
            ErrorCode.INVALID_REQUEST,
            ErrorCode.URL_INVALID,
            ErrorCode.URL_FORBIDDEN,
            ErrorCode.TARGET_STATUS,
            ErrorCode.PAGE_EMPTY,
            ErrorCode.INTERNAL,
            ErrorCode.IDEMPOTENCY_MISMATCH,
            *MAKING,
        ),
    },
)
async def analyze(
    request: Request, parts: TheParts, caller: TheCaller, body: SimpleCreate, idempotency_key: IdempotencyKey = None
) -> Response:
    """Answer with the result itself, with a problem when the page cannot be analysed, or with a task to ask about."""
    fields = body.model_dump(mode="json", exclude={"wait"})
    key = ticket(idempotency_key, caller.tenant_id, "POST /analyze", fields, parts.settings.signing_key)
    terms = Terms(body.wish, key, receiver(parts, body.webhook_url))
    accepted = await service.create(parts, caller, body.url, body.preset, terms)
    location = f"/status/{accepted.id}"
    if (answer := replies.again(accepted, location)) is not None:
        return answer
    patience = Patience(timedelta(seconds=body.wait), request.is_disconnected)
    record = await service.waited_for(parts, caller, accepted.id, patience)
    headers = {"X-Task-Id": accepted.id, **replies.origin(accepted, record.finished_at)}
    if record.result is not None:
        return Response(record.result.model_dump_json(), media_type="application/json", headers=headers)
    if record.state.final:
        error = ServiceError(record.error_code or ErrorCode.INTERNAL, record.error_detail or "")
        failed = problems.problem(request, error)
        failed.headers.update(headers)
        return failed
    task = _task(record).model_dump_json()
    if not await request.is_disconnected():
        await remember(parts, accepted, task)
    headers |= {"Location": location, "Retry-After": str(RETRY_AFTER_S)}
    return Response(task, status_code=202, media_type="application/json", headers=headers)


@router.get("/status/{task_id}", summary="Ask about a task", responses=refusals(ErrorCode.NOT_FOUND))
async def status(
    request: Request,
    parts: TheParts,
    caller: TheCaller,
    task_id: Annotated[str, Path(description="as `/analyze` gave it", max_length=64)],
) -> Task:
    """Tell where a task is; the result is included once there is one."""
    return _task(await service.waited_for(parts, caller, task_id, Patience(timedelta(), request.is_disconnected)))
