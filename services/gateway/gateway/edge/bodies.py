"""Taking a request's body in: not too much, not too slowly, not too deep."""

import asyncio
import re
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from contracts.errors import ErrorCode
from runtime.errors import ServiceError

DEEPEST = 64
"""JSON deeper than this is nobody's request; Python's own reader gives up, unkindly, at about a thousand."""

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_BRACKETS = re.compile(rb"[\[{]+|[\]}]+")


@dataclass(frozen=True)
class Bounds:
    """The largest body and upload in bytes, and the seconds in which either has to arrive."""

    body: int
    upload: int
    seconds: float


@dataclass(frozen=True)
class Announced:
    """What the head says of the body."""

    length: int | None
    upload: bool


def too_large(limit: int) -> ServiceError:
    """Say how much would have been allowed."""
    return ServiceError(ErrorCode.PAYLOAD_TOO_LARGE, f"The request body may have at most {limit} bytes.")


def too_slow(seconds: float) -> ServiceError:
    """Say how long it might have taken."""
    return ServiceError(ErrorCode.REQUEST_TIMEOUT, f"The request body did not arrive within {seconds:g} s.")


async def taken(receive: Receive, announced: Announced, bounds: Bounds) -> Receive:
    """Return a `receive` for the application. Raises `ServiceError` for a body that it must not see.

    A body is read whole before anything is done for it, so that nobody holds a database connection on a slow line.
    An upload flows, metered, because it need not fit in memory.
    """
    limit = bounds.upload if announced.upload else bounds.body
    if announced.length is not None and announced.length > limit:
        raise too_large(limit)
    if announced.upload:
        return metered(receive, limit, bounds.seconds)
    try:
        async with asyncio.timeout(bounds.seconds):
            body = await _whole(receive, limit)
    except TimeoutError as error:
        raise too_slow(bounds.seconds) from error
    if body is None:
        return _gone
    if too_deep(body):
        raise ServiceError(ErrorCode.INVALID_REQUEST, f"The JSON is nested more than {DEEPEST} deep.")
    return _replayed(body, receive)


async def _gone() -> Message:
    return {"type": "http.disconnect"}


async def _whole(receive: Receive, limit: int) -> bytes | None:
    """Read the body; None: the client hung up."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise too_large(limit)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay


def metered(receive: Receive, limit: int, seconds: float) -> Receive:
    """Pass a body through as long as it keeps to `limit` bytes and `seconds`.

    Raises the framework's own exception: any other would be taken for bad JSON by those who parse bodies.
    """
    size = 0
    ends_at = asyncio.get_running_loop().time() + seconds
    whole = False

    async def meter() -> Message:
        nonlocal size, whole
        if whole:
            return await receive()
        try:
            async with asyncio.timeout_at(ends_at):
                message = await receive()
        except TimeoutError as error:
            raise HTTPException(ErrorCode.REQUEST_TIMEOUT.status, too_slow(seconds).detail) from error
        size += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if size > limit:
            raise HTTPException(ErrorCode.PAYLOAD_TOO_LARGE.status, too_large(limit).detail)
        return message

    return meter


def too_deep(body: bytes) -> bool:
    """Say whether brackets outside of strings are nested more than `DEEPEST`, whether or not it is JSON."""
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return False
    depth = 0
    for run in _BRACKETS.finditer(_STRINGS.sub(b"", body)):
        text = run.group()
        depth += len(text) if text[:1] in b"[{" else -len(text)
        if depth > DEEPEST:
            return True
    return False
