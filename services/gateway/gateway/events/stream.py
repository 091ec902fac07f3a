"""A stream of server-sent events (WHATWG HTML, section 9.2): the present state at once, then every change."""

import json
import random
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

import structlog
from fastapi import Header, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from contracts.errors import ErrorCode
from gateway.events.schemas import event, event_id, untold
from gateway.jobs.records import Glimpse
from gateway.jobs.states import Kind
from gateway.places import Places
from gateway.refusals import refusals
from gateway.watch import Subject, Watch
from gateway.wiring import Parts
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

MEDIA_TYPE = "text/event-stream"
HEARTBEAT = timedelta(seconds=15)
"""Below the 30 to 60 s after which proxies close a silent connection."""

LONGEST_S = 900.0
RETRY_MS = 2_000
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Until(StrEnum):
    """When a stream is over."""

    ENDED = "ended"
    ENRICHED = "enriched"


LastEventId = Annotated[
    str, Header(max_length=100, description="the id of the last event that arrived; a browser sends it by itself")
]


def responses(kind: Kind) -> dict[int | str, dict[str, Any]]:
    """Describe the answers for OpenAPI."""
    path = {Kind.ANALYSIS: "/v1/analyses/an_0193…", Kind.CAPTURE: "/v1/captures/cap_0193…"}[kind]
    job = {"id": path.rpartition("/")[2], "kind": kind.value, "status": "rendering", "attempt": 1}
    data = json.dumps(
        {**job, "finished_at": None, "error_code": None, "ai_pending": False, "links": {"self": path}},
        ensure_ascii=False,
    )
    example = f"retry: {RETRY_MS}\n\nid: 1-rendering\nevent: {kind.value}.rendering\ndata: {data}\n\n: still here\n\n"
    return {
        200: {
            "description": "The events, until the job has ended",
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": example}},
        },
        204: {"description": "The job has ended, and `Last-Event-ID` says that you know: do not connect again"},
        **refusals(ErrorCode.NOT_FOUND, ErrorCode.RATE_LIMITED),
    }


class Stream(StreamingResponse):
    """A stream that holds one of its tenant's places for as long as it lives, however it ends."""

    def __init__(self, lines: AsyncIterator[str], places: Places, tenant_id: str) -> None:
        """Say what is told, and whose place it takes."""
        super().__init__(lines, media_type=MEDIA_TYPE, headers=_HEADERS)
        self._places = places
        self._tenant_id = tenant_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._places.taken(self._tenant_id):
            await super().__call__(scope, receive, send)


async def answer(
    request: Request, parts: Parts, subject: Subject, last_event_id: str, until: Until = Until.ENDED
) -> Response:
    """Answer with a job's events. Raises `ServiceError`: not_found, rate_limited, unavailable."""
    async with parts.watch.follow(subject) as feed:
        glimpse = feed.latest
    if glimpse is None:
        raise ServiceError(ErrorCode.NOT_FOUND, f"There is no {subject.kind.value} with this id.")
    if _over(glimpse, until) and not untold(glimpse, last_event_id):
        return Response(status_code=204)
    parts.places.check(subject.tenant_id)
    if getattr(request.state, "head", False):
        return Response(media_type=MEDIA_TYPE, headers=_HEADERS)
    return Stream(_lines(parts.watch, subject, last_event_id, until), parts.places, subject.tenant_id)


def _over(glimpse: Glimpse, until: Until) -> bool:
    return glimpse.state.final and (until is Until.ENDED or not glimpse.pending)


async def _lines(watch: Watch, subject: Subject, told: str, until: Until) -> AsyncIterator[str]:
    """Tell the present state unless it is known, and each that follows; end with the job, or its enrichment."""
    yield f"retry: {RETRY_MS}\n\n"
    ends = time.monotonic() + LONGEST_S
    try:
        async with watch.follow(subject) as feed:
            while (glimpse := feed.latest) is not None:
                for step in untold(glimpse, told):
                    told = event_id(glimpse, step)
                    yield _event(subject, glimpse, step)
                if _over(glimpse, until) or watch.closed or time.monotonic() > ends:
                    return
                # Not all of a thousand in one moment.
                await feed.change(HEARTBEAT * random.uniform(0.7, 1))  # noqa: S311  # spreads load, guards nothing
                if feed.latest == glimpse and not watch.closed:
                    yield ": still here\n\n"
    except ServiceError as error:
        # The answer has begun: the end of it makes the client come again, and say what it has.
        log.warning("stream_ended", reason=error.reason)


def _event(subject: Subject, glimpse: Glimpse, step: str) -> str:
    name = f"{subject.kind.value}.{step}"
    return f"id: {event_id(glimpse, step)}\nevent: {name}\ndata: {event(subject, glimpse).model_dump_json()}\n\n"
