"""The problem answers of an operation, as OpenAPI describes them."""

from typing import Any

from contracts.errors import ErrorCode

_EVERYWHERE = (
    ErrorCode.UNAUTHENTICATED,
    ErrorCode.FORBIDDEN,
    ErrorCode.URL_TOO_LONG,
    ErrorCode.RATE_LIMITED,
    ErrorCode.HEADERS_TOO_LARGE,
    ErrorCode.OVERLOADED,
    ErrorCode.UNAVAILABLE,
)
MAKING = (ErrorCode.REQUEST_TIMEOUT, ErrorCode.PAYLOAD_TOO_LARGE, ErrorCode.BACKLOG)
"""What else may be said to a request with a body that makes a job."""


def refusals(*codes: ErrorCode) -> dict[int | str, dict[str, Any]]:
    """Describe the problem answers of an operation for OpenAPI."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for code in dict.fromkeys((*codes, *_EVERYWHERE)):
        text = by_status.get(code.status, {}).get("description", "")
        line = f"`{code.value}`: {code.headline}."
        content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        by_status[code.status] = {"description": f"{text} {line}".strip(), "content": content}
    return by_status
