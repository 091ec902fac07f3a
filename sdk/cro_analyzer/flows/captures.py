"""Captures: a page as pictures and documents."""

from collections.abc import Mapping
from typing import Any, Unpack, cast

from cro_analyzer import errors
from cro_analyzer.asking import Page
from cro_analyzer.flows import calls, following, waiting
from cro_analyzer.flows.calls import given
from cro_analyzer.models.captures import CaptureRead, CaptureSummary
from cro_analyzer.models.jobs import FINAL, JobEvent
from cro_analyzer.steps import Call, Flow, Request, Stream, ask

_PATH = "/v1/captures"
DEFAULT_TIMEOUT_S = 300.0


def create(
    url: str,
    *,
    wait: int | None = None,
    webhook_url: str | None = None,
    idempotency_key: str | None = None,
    **page: Unpack[Page],
) -> Flow[CaptureRead]:
    """Accept a page; with `wait`, answer once it is finished or that many seconds (120) are over.

    `outputs` are what is wanted of it, all from the same load; without them, a picture of the first screen.
    """
    body = {**given(url=url, wait=wait, webhook_url=webhook_url), **page}
    return ask(calls.make(_PATH, CaptureRead, body, idempotency_key, wait or 0))


def get(capture_id: str, *, wait: int = 0) -> Flow[CaptureRead]:
    """Read a capture; with `wait`, answer once it is finished or that many seconds (120) are over."""
    return ask(_look(capture_id, wait))


def _look(capture_id: str, wait: int) -> Call[CaptureRead]:
    return calls.get(f"{_PATH}/{capture_id}", CaptureRead, {"wait": wait} if wait else {}, wait)


def listed() -> Stream[CaptureSummary]:
    """Give every capture, newest first, without results."""
    return calls.pages(_PATH, calls.as_(CaptureSummary))


def wait(capture_id: str, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Flow[CaptureRead]:
    """Wait until it has succeeded, failed or was cancelled. Raises `WaitedTooLongError`; then it goes on."""
    return waiting.until_final(lambda seconds: _look(capture_id, seconds), timeout_s)


def events(capture_id: str) -> Stream[JobEvent]:
    """Give its states as they happen, until it has ended; broken connections are taken up again."""
    return following.followed(f"{_PATH}/{capture_id}/events", JobEvent, lambda event: event.status in FINAL)


def cancel(capture_id: str) -> Flow[CaptureRead]:
    """End a capture that is not finished."""
    return ask(calls.act(f"{_PATH}/{capture_id}/cancel", CaptureRead))


def delete(capture_id: str) -> Flow[None]:
    """Remove a finished capture with its artifacts."""
    return calls.gone(f"{_PATH}/{capture_id}")


def content(capture_id: str, name: str) -> Flow[bytes]:
    """Read the bytes of an artifact: `html`, `screenshot`, …, as `result.artifacts` names them."""
    headers = {"accept": "*/*"}
    return ask(Call(Request("GET", f"{_PATH}/{capture_id}/artifacts/{name}", headers=headers), calls.content))


def capture(url: str, *, timeout_s: float = DEFAULT_TIMEOUT_S, **page: Unpack[Page]) -> Flow[CaptureRead]:
    """Capture a page to its end. Raises what ended it: `TargetError`, `PlatformError`, `WaitedTooLongError`."""
    wanted = cast("Mapping[str, Any]", page)  # mypy passes no TypedDict on to another function's keywords
    job: CaptureRead = yield from create(url, wait=int(min(waiting.LONGEST_ASK_S, timeout_s)), **wanted)
    if job.status not in FINAL:
        job = yield from wait(job.id, timeout_s=timeout_s)
    if job.error is not None:
        raise errors.of(job.error)
    return job
