"""The frame of every `/v1` endpoint: credentials, version, log, errors and headers, the same for all."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from analyzer.fakeclaude.state import State
from analyzer.fakeclaude.validation import MAX_BODY_BYTES
from analyzer.fakeclaude.wire import ORGANIZATION, ApiError, Json

Handler = Callable[["Call"], Awaitable[Response]]
_BAD_KEY, _FORBIDDEN_KEY = "sk-ant-wrong", "sk-ant-forbidden"
"""A key that begins like one of these is refused, so that a test can have one."""


class Call:
    """One request to the fake: its parsed body, its identifier, its log entry and the way to cut its connection."""

    def __init__(self, request: Request, request_id: str, body: Json) -> None:
        """Keep the parts; the log entry begins with what was received."""
        self.request = request
        self.request_id = request_id
        self.body = body
        self.state: State = request.app.state.fake

    @property
    def version(self) -> str:
        """The API version that the caller asked for."""
        return str(self.request.headers["anthropic-version"])

    @property
    def key(self) -> str:
        """The caller's API key."""
        return _key(self.request.headers)

    async def gone(self) -> None:
        """Wait until the caller closes its connection."""
        while (await self.request.receive())["type"] != "http.disconnect":
            pass

    async def drop(self) -> None:
        """Cut the connection without an answer."""
        self.request.scope["fake.abort"]()
        await self.gone()


class Abortable:
    """Lets a handler cut the connection. ASGI has no word for that, so this reaches for the server's transport."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the whole application, outside everything that replaces `send`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI call."""
        cycle: Any = getattr(send, "__self__", None)  # uvicorn's own, untyped
        if cycle is not None and hasattr(cycle, "transport"):
            scope["fake.abort"] = cycle.transport.abort
        await self._app(scope, receive, send)


def endpoint(
    handler: Handler, *, json_body: bool = True, max_bytes: int = MAX_BODY_BYTES
) -> Callable[[Request], Awaitable[Response]]:
    """Make a Starlette endpoint of a handler."""

    async def framed(request: Request) -> Response:
        state: State = request.app.state.fake
        request_id = state.next_id("req")
        entry: Json = {"request_id": request_id, "method": request.method, "path": request.url.path}
        entry["headers"] = dict(request.headers)
        state.log.append(entry)
        window = state.window(_key(request.headers))
        try:
            _authorise(request.headers)
            body = await _body(request, max_bytes) if json_body else {}
            entry["body"] = _without_pixels(body)
            response = await handler(Call(request, request_id, body))
        except ApiError as exc:
            response = exc.response(request_id)
        entry["status"] = response.status_code
        limits = window.headers(state.limits)
        response.headers.update({"request-id": request_id, "anthropic-organization-id": ORGANIZATION, **limits})
        return response

    return framed


def _key(headers: Headers) -> str:
    return headers.get("authorization", "").removeprefix("Bearer ") or headers.get("x-api-key", "")


def _authorise(headers: Headers) -> None:
    key = _key(headers)
    if key.startswith(_FORBIDDEN_KEY):
        raise ApiError("permission_error", "Your API key does not have permission to use the specified resource")
    if not key or key.startswith(_BAD_KEY):
        raise ApiError("authentication_error", "invalid bearer token")
    if not headers.get("anthropic-version"):
        raise ApiError("invalid_request_error", "anthropic-version: header is required")


async def _body(request: Request, max_bytes: int) -> Json:
    raw = await request.body()
    if len(raw) > max_bytes:
        raise ApiError("request_too_large", "Request exceeds the maximum size")
    try:
        body = json.loads(raw or b"{}")
    except ValueError as exc:
        raise ApiError("invalid_request_error", "The request body is not valid JSON") from exc
    if not isinstance(body, dict):
        raise ApiError("invalid_request_error", "The request body must be an object")
    return body


def _without_pixels(value: Any) -> Any:  # noqa: ANN401  # any JSON value
    if isinstance(value, dict):
        if value.get("type") == "base64":
            return {**value, "data": f"[{len(str(value.get('data', '')))} characters]"}
        return {key: _without_pixels(part) for key, part in value.items()}
    return [_without_pixels(part) for part in value] if isinstance(value, list) else value


def page(items: list[Json]) -> JSONResponse:
    """Return a list as the API pages it; the fake's lists fit one page."""
    ends = {"first_id": items[0]["id"] if items else None, "last_id": items[-1]["id"] if items else None}
    return JSONResponse({"data": items, "has_more": False, **ends})
