"""The one place that every request passes before a route, and every answer after it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.errors import ErrorCode
from gateway import metrics
from gateway.edge import bodies, sizes
from gateway.edge.addresses import Proxies
from gateway.edge.bodies import Announced, Bounds
from gateway.limits.headers import headers as limit_headers
from gateway.tally import Tally
from runtime.errors import ServiceError
from runtime.problems import problem

_CLOSE = (b"connection", b"close")
# Asked by machines that must get an answer when nobody else does.
_ALWAYS = frozenset({"/livez", "/readyz", "/metrics"})
# Signed for one object, with a limit of their own.
_BLOBS = "/blobs/"
# JSON of ten thousand addresses, as large as a file of them.
_LISTS = "/v1/batches"


@dataclass(frozen=True)
class House:
    """The rules: who is believed, how much is taken in, how many at once (0: any number), whether it is closing."""

    proxies: Proxies
    bounds: Bounds
    concurrency: int
    tally: Tally
    leaving: Callable[[], bool]


class Doorway:
    """ASGI middleware: refuses what is too much, and says so as a problem; counts; says goodbye when it is time."""

    def __init__(self, app: ASGIApp, house: House) -> None:
        """Wrap `app`."""
        self._app = app
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI call."""
        if scope["type"] != "http" or scope["path"] in _ALWAYS:
            await self._app(scope, receive, send)
            return
        tally, begun = self._house.tally, time.perf_counter()
        tally.enter()
        try:
            await self._passed(scope, receive, self._farewell(scope, send))
        finally:
            tally.leave(time.perf_counter() - begun)

    async def _passed(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            receive = await self._checked(scope, receive)
        except ServiceError as error:
            metrics.SHED.labels(error.code.value).inc()
            answer = problem(Request(scope), error)
            # The rest of a refused body would be taken for the next request.
            answer.headers["connection"] = "close"
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _checked(self, scope: Scope, receive: Receive) -> Receive:
        house = self._house
        if house.concurrency and house.tally.active > house.concurrency:
            raise ServiceError(ErrorCode.OVERLOADED, "Too many requests are being worked on.", retry_after_s=1)
        sizes.check(scope.get("raw_path") or b"", scope["query_string"], scope["headers"])
        announced = self._read_head(scope)
        if announced is None or scope["path"].startswith(_BLOBS):
            return receive
        return await bodies.taken(receive, announced, house.bounds)

    def _read_head(self, scope: Scope) -> Announced | None:
        """Take the client's address from the head; return what it says of a body, None where there is none."""
        forwarded: list[bytes] = []
        scheme = b""
        length: int | None = None
        body = False
        upload = scope["path"] == _LISTS
        for name, value in scope["headers"]:
            if name == b"content-length":
                length = int(value) if value.isdigit() else None
                body = body or length != 0
            elif name == b"transfer-encoding":
                body = True
            elif name == b"content-type":
                upload = upload or value.lower().startswith(b"multipart/")
            elif name == b"x-forwarded-for":
                forwarded.append(value)
            elif name == b"x-forwarded-proto":
                scheme = value
        if forwarded or scheme:
            self._believe(scope, forwarded, scheme)
        return Announced(length, upload) if body else None

    def _believe(self, scope: Scope, forwarded: list[bytes], scheme: bytes) -> None:
        peer: tuple[str, int] = tuple(scope.get("client") or ("", 0))
        proxies = self._house.proxies
        client = proxies.client(peer[0], forwarded) if forwarded else peer[0]
        if proxies.trusts_text(peer[0]) and scheme.strip().lower() in {b"http", b"https"}:
            scope["scheme"] = scheme.strip().lower().decode()
        if client != peer[0]:
            scope["client"] = (client, 0)

    def _farewell(self, scope: Scope, send: Send) -> Send:
        """Put on an answer what its caller has left, and while closing ask it to come back on a new connection."""

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra: list[Any] = []
                verdict = scope["state"].get("verdict")
                if verdict is not None:
                    extra += limit_headers(verdict)
                if self._house.leaving():
                    extra.append(_CLOSE)
                if extra:
                    message["headers"] = [*message["headers"], *extra]
            await send(message)

        return sent
