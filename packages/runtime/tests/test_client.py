import asyncio
from datetime import timedelta

import httpx2
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from contracts.errors import ErrorCode
from contracts.wire import Wire
from runtime.client import ServiceClient
from runtime.errors import ServiceError

BUDGET = timedelta(seconds=3)


class Ping(Wire):
    text: str


def ask(answer: httpx2.Response | Exception, seen: list[httpx2.Request] | None = None) -> Ping:
    def handle(request: httpx2.Request) -> httpx2.Response:
        if seen is not None:
            seen.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def run() -> Ping:
        async with ServiceClient("renderer", "http://renderer", httpx2.MockTransport(handle)) as client:
            return await client.post("/render", Ping(text="hello"), Ping, BUDGET)

    return asyncio.run(run())


def failure(answer: httpx2.Response | Exception) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        ask(answer)
    return caught.value


def test_contract_types_go_out_and_come_back() -> None:
    seen: list[httpx2.Request] = []
    assert ask(httpx2.Response(200, json={"text": "back"}), seen) == Ping(text="back")
    assert (seen[0].url.path, seen[0].content) == ("/render", b'{"text":"hello"}')
    assert seen[0].headers["content-type"] == "application/json"
    assert seen[0].extensions["timeout"]["read"] == 3


def test_the_trace_travels() -> None:
    seen: list[httpx2.Request] = []
    span = TracerProvider().get_tracer("test").start_span("job")
    with trace.use_span(span):
        ask(httpx2.Response(200, json={"text": "back"}), seen)
    assert f"{span.get_span_context().trace_id:032x}" in seen[0].headers["traceparent"]


def test_a_problem_is_the_same_failure_here() -> None:
    body = {"title": "t", "status": 503, "detail": "All busy.", "code": "renderer_busy", "retry_after_s": 2.5}
    error = failure(httpx2.Response(503, json=body))
    assert (error.code, error.detail, error.retry_after_s) == (ErrorCode.RENDERER_BUSY, "All busy.", 2.5)


def test_a_failure_without_a_problem_is_internal() -> None:
    error = failure(httpx2.Response(502, text="<h1>Bad gateway</h1>"))
    assert (error.code, error.detail, error.reason) == (
        ErrorCode.INTERNAL,
        "The renderer failed.",
        "renderer answered 502",
    )


def test_silence_and_absence_are_told_apart() -> None:
    assert failure(httpx2.ReadTimeout("slow")).code is ErrorCode.DEADLINE_EXCEEDED
    error = failure(httpx2.ConnectError("no route to 10.1.2.3"))
    assert (error.code, error.retry_after_s) == (ErrorCode.UNAVAILABLE, 1)
    assert "10.1.2.3" not in error.detail
    assert "10.1.2.3" in error.reason
