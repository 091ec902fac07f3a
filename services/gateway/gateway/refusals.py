"""The problem answers of an operation, as OpenAPI describes them."""

from typing import Any

from contracts.errors import ErrorCode

_PROBLEM = "application/problem+json"
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
        found = by_status.setdefault(code.status, {"description": "", "content": {_PROBLEM: _with_examples()}})
        found["description"] = f"{found['description']} `{code.value}`: {code.headline}.".strip()
        found["content"][_PROBLEM]["examples"][code.value] = {"$ref": f"#/components/examples/{code.value}"}
    return by_status


def _with_examples() -> dict[str, Any]:
    return {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
