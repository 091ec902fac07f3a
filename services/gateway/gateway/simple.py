"""The simple pair for curl and workflow tools: one call, flat answers. The same path as `/v1/analyses`."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ConfigDict, Field

from contracts.analyze import Preset
from contracts.errors import ErrorCode
from contracts.result import Analysis
from contracts.wire import PublicInput, Wire
from gateway.analyses import service
from gateway.analyses.store import Record
from gateway.guard import ROOM
from gateway.jobs.states import State
from gateway.patience import MAX_WAIT_S, RETRY_AFTER_S, Patience
from gateway.refusals import MAKING, refusals
from gateway.wiring import TheCaller, TheParts
from runtime.errors import ServiceError

router = APIRouter(tags=["simple"])

# Below the 60 s after which proxies usually give up on a silent answer.
_WAIT_S = 50


class SimpleCreate(PublicInput):
    """A page to analyse."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"url": "https://example.com/"}]})

    url: str = Field(min_length=1, max_length=4_096)
    preset: Preset = Preset.STANDARD
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
            *MAKING,
        ),
    },
)
async def analyze(request: Request, parts: TheParts, caller: TheCaller, body: SimpleCreate) -> Response:
    """Answer with the result itself, with a problem when the page cannot be analysed, or with a task to ask about."""
    task_id = await service.create(parts, caller, body.url, body.preset)
    patience = Patience(timedelta(seconds=body.wait), request.is_disconnected)
    record = await service.waited_for(parts, caller, task_id, patience)
    if record.result is not None:
        headers = {"X-Task-Id": task_id}
        return Response(record.result.model_dump_json(), media_type="application/json", headers=headers)
    if record.state.final:
        raise ServiceError(record.error_code or ErrorCode.INTERNAL, record.error_detail or "")
    headers = {"Location": f"/status/{task_id}", "Retry-After": str(RETRY_AFTER_S)}
    return JSONResponse(_task(record).model_dump(mode="json"), status_code=202, headers=headers)


@router.get("/status/{task_id}", summary="Ask about a task", responses=refusals(ErrorCode.NOT_FOUND))
async def status(
    request: Request,
    parts: TheParts,
    caller: TheCaller,
    task_id: Annotated[str, Path(description="as `/analyze` gave it", max_length=64)],
) -> Task:
    """Tell where a task is; the result is included once there is one."""
    return _task(await service.waited_for(parts, caller, task_id, Patience(timedelta(), request.is_disconnected)))
