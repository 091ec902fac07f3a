"""Identity, time and counts of each HTTP request, as plain ASGI middleware."""

import functools
import re
import time
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
from prometheus_client import Counter, Gauge, Histogram
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.ids import new_id

_WELL_FORMED = re.compile(r"^[A-Za-z0-9_.-]{8,100}$")
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)

REQUESTS = Counter("cro_http_requests_total", "HTTP requests answered", ["service", "method", "route", "status"])
SECONDS = Histogram("cro_http_request_seconds", "Time to answer", ["service", "route"], buckets=_BUCKETS)
ACTIVE = Gauge("cro_http_active_requests", "HTTP requests being answered", ["service"])


Surprised = Callable[[Request, Exception], Response]


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            inbound: str = value.decode("latin-1")
            if _WELL_FORMED.match(inbound):
                return inbound
    return new_id("req")


def _route(scope: Scope) -> str:
    # Only the route's template: a label must never hold a path that a caller chose.
    return getattr(scope.get("route"), "path", "unmatched")


# Finding a metric by its labels takes the library as long as all the rest of this.
@functools.lru_cache(1_024)
def _requests(service: str, method: str, route: str, status: str) -> Counter:
    return REQUESTS.labels(service, method, route, status)


@functools.lru_cache(1_024)
def _seconds(service: str, route: str) -> Histogram:
    return SECONDS.labels(service, route)


class RequestMiddleware:
    """Give each request an id, time it, count it, and put `X-Request-ID` and `X-Process-Time` on the answer."""

    def __init__(self, app: ASGIApp, service: str, surprised: Surprised | None = None) -> None:
        """Wrap `app`, whose requests are counted under `service`; `surprised` answers for what nobody expected.

        Left to the framework, that answer would be made outside of this, and have neither id nor time.
        """
        self._app = app
        self._service = service
        self._surprised = surprised
        self._active = ACTIVE.labels(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope.setdefault("state", {})["request_id"] = _request_id(scope)
        begun = time.perf_counter()
        status = 500
        begun_answer = False

        async def stamped(message: Message) -> None:
            nonlocal status, begun_answer
            if message["type"] == "http.response.start":
                begun_answer = True
                status = message["status"]
                _stamp(message, request_id, time.perf_counter() - begun)
            await send(message)

        self._active.inc()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, stamped)
            except Exception as error:  # outermost
                if begun_answer or self._surprised is None:
                    raise
                await self._surprised(Request(scope), error)(scope, receive, stamped)
            finally:
                self._active.dec()
                route = _route(scope)
                _requests(self._service, scope["method"], route, str(status)).inc()
                _seconds(self._service, route).observe(time.perf_counter() - begun)


def _stamp(message: MutableMapping[str, Any], request_id: str, seconds: float) -> None:
    message["headers"] = [
        *message["headers"],
        (b"x-request-id", request_id.encode()),
        (b"x-process-time", f"{seconds:.4f}".encode()),
    ]
