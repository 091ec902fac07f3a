"""HTTP connections that nobody can hold open, or fill, without saying anything of use."""

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from contracts.errors import ErrorCode
from runtime.ids import new_id

HEAD_BYTES = 65_536
"""Largest head of a request that is kept in memory; the application's own limits are lower, and answer nicer."""

HEAD_S = 10.0
"""Time from the first byte of a connection, or from its opening, in which the head has to be whole."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's connection with a limit on a head's size and time, which it lacks, and problems for answers."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  # uvicorn's own signature
        """Begin with no head read."""
        super().__init__(*arguments, **options)
        self._head_bytes = 0
        self._in_head = True
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before a head is whole."""
        if self._in_head:
            self._head_bytes += len(data)
            if self._patience is None:
                self._expect_head()
        super().data_received(data)
        # What came with the head of a request that is whole is its body's business.
        if self._in_head and self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self._refuse(ErrorCode.HEADERS_TOO_LARGE, f"A request's head may have at most {HEAD_BYTES} bytes.")

    def on_headers_complete(self) -> None:
        """Let the head be."""
        self._head_came()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Begin anew: another head may follow. Between requests the keep-alive timeout holds."""
        super().on_message_complete()
        self._in_head, self._head_bytes = True, 0

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(ErrorCode.INVALID_REQUEST, msg, 400)

    def _expect_head(self) -> None:
        self._patience = self.loop.call_later(HEAD_S, self._give_up)

    def _head_came(self) -> None:
        self._in_head, self._head_bytes = False, 0
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        if self._head_bytes:
            self._refuse(ErrorCode.REQUEST_TIMEOUT, f"The request's head did not arrive within {HEAD_S:g} s.")
        else:
            self.transport.close()

    def _refuse(self, code: ErrorCode, detail: str, status: int | None = None) -> None:
        request_id = new_id("req")
        problem = {
            "type": f"/docs/errors#{code.value}",
            "title": code.headline,
            "status": status or code.status,
            "detail": detail,
            "code": code.value,
            "request_id": request_id,
        }
        body = json.dumps(problem).encode()
        head = (
            f"HTTP/1.1 {status or code.status} {code.value}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nx-request-id: {request_id}\r\nx-process-time: 0.0000\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
