"""Answers that a caller has already: ETag, If-None-Match and 304 (RFC 9110, section 13)."""

import hashlib
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import Header, Response

_ABOUT = "the `ETag` of an answer that you have: 304 without a body where it is good"
IfNoneMatch = Annotated[str, Header(max_length=1_000, description=_ABOUT)]
IF_NONE_MATCH: dict[str, Any] = {
    "parameters": [
        {
            "name": "if-none-match",
            "in": "header",
            "required": False,
            "description": _ABOUT,
            "schema": {"type": "string", "default": "", "title": "If-None-Match"},
        }
    ]
}
"""What OpenAPI is told of it by a route that reads the header by hand."""

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "What you have is still good (`If-None-Match`)"}}

_RELEASE = version("cro-gateway")
_KEEP = {"Cache-Control": "private, no-cache"}


def tag(*what: object) -> str:
    """Return the ETag of an answer that is made of `what` by this release; weak, for it is not made of its bytes."""
    digest = hashlib.sha256(repr((_RELEASE, *what)).encode()).hexdigest()
    return f'W/"{digest[:32]}"'


def known(if_none_match: str, current: str) -> bool:
    """Whether the caller has it (the weak comparison)."""
    named = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    return "*" in named or current.removeprefix("W/") in named


def unchanged(current: str) -> Response:
    """Answer that it is so."""
    return Response(status_code=304, headers={"ETag": current, **_KEEP})


def headers(current: str) -> dict[str, str]:
    """Return the headers of an answer that may be asked for again in this way."""
    return {"ETag": current, **_KEEP}
