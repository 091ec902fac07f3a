"""The shapes that every endpoint shares: JSON bodies, errors and identifiers."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from starlette.responses import JSONResponse

Json = dict[str, Any]  # bodies come from outside and are echoed as they are: the fake's whole job is their shape

ORGANIZATION = "00000000-0000-4000-8000-000000000000"
ERROR_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "overloaded_error": 529,
}


class ApiError(Exception):
    """An answer that is not a message. `kind` is the `error.type` of the body and decides the status."""

    def __init__(self, kind: str, message: str, *, retry_after_s: float | None = None, error_code: str = "") -> None:
        """Keep what the body and the headers need."""
        super().__init__(message)
        self.kind = kind
        self.retry_after_s = retry_after_s
        self.error_code = error_code

    def body(self, request_id: str) -> Json:
        """Return the error document."""
        details = {"error_code": self.error_code} if self.error_code else None
        error = {"type": self.kind, "message": str(self), "details": details}
        return {"type": "error", "error": error, "request_id": request_id}

    def response(self, request_id: str) -> JSONResponse:
        """Return the whole answer; `retry-after` is in seconds."""
        headers = {} if self.retry_after_s is None else {"retry-after": f"{self.retry_after_s:g}"}
        return JSONResponse(self.body(request_id), status_code=ERROR_STATUS[self.kind], headers=headers)


def canonical(value: object) -> str:
    """Return JSON that is equal for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(*parts: str) -> int:
    """Return a large number that depends on `parts` alone: the fake's only source of variety."""
    return int.from_bytes(hashlib.sha256("\x00".join(parts).encode()).digest()[:8], "big")


def blocks(content: object) -> Iterator[Json]:
    """Yield the content blocks of a message, those inside tool results included."""
    if isinstance(content, str):
        yield {"type": "text", "text": content}
        return
    for block in content if isinstance(content, list) else []:
        if isinstance(block, dict):
            yield block
            if block.get("type") == "tool_result":
                yield from blocks(block.get("content", ""))


def request_blocks(body: Json) -> Iterator[Json]:
    """Yield every content block of all messages of a request."""
    for message in body.get("messages", []):
        yield from blocks(message.get("content"))
