"""One attempt: a signed POST, and what its answer means."""

import asyncio
import html
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import httpx2

from contracts.errors import ErrorCode
from gateway.deliveries.schedule import retry_after
from runtime.errors import ServiceError

KEPT_BYTES = 4_096
"""Of a receiver's answer; no more of it is read."""

_AGENT = "CRO-Analyzer-Webhooks/1"
_OK = range(200, 300)
_ELSEWHERE = range(300, 400)
_GONE = 410
_OVERLOADED = frozenset({429, 502, 504})


class Verdict(StrEnum):
    """What becomes of the delivery."""

    DELIVERED = "delivered"
    FAILED = "failed"
    THROTTLED = "throttled"
    GONE = "gone"
    AWAY = "away"  # our own way out is down: the receiver was not asked


@dataclass(frozen=True)
class Attempt:
    """What came of an attempt. `detail` is for the customer's log; `answer` is escaped."""

    verdict: Verdict
    status: int | None = None
    error: str | None = None
    detail: str = ""
    answer: str = ""
    ms: int = 0
    asked: timedelta | None = None


async def post(
    transport: httpx2.AsyncBaseTransport, url: str, body: bytes, signature: Mapping[str, str], budget: timedelta
) -> Attempt:
    """Send, within `budget` for everything; a redirect is never followed, and no cookie is kept. Raises nothing."""
    begun = time.perf_counter()
    deadline = asyncio.get_running_loop().time() + budget.total_seconds()
    # The transport and not a client: a client keeps cookies, decompresses, and may follow.
    headers = {
        "content-type": "application/json",
        "accept-encoding": "identity",
        "user-agent": _AGENT,
        **signature,
    }
    request = httpx2.Request("POST", url, content=body, headers=headers)
    try:
        async with asyncio.timeout_at(deadline):
            response = await transport.handle_async_request(request)
    except ServiceError as error:
        return _unsent(error.code, error.detail, begun)
    except TimeoutError:
        return _unsent(ErrorCode.TARGET_TIMEOUT, f"No answer within {budget.total_seconds():g} s.", begun)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return _unsent(ErrorCode.TARGET_REFUSED, f"The connection failed: {type(error).__name__}.", begun)
    try:
        return _judged(response, await _beginning(response, deadline), begun)
    finally:
        await response.aclose()


async def _beginning(response: httpx2.Response, deadline: float) -> bytes:
    """Read the first bytes. The status is known already: an answer that stalls or breaks off changes nothing of it."""
    read = bytearray()
    try:
        async with asyncio.timeout_at(deadline):
            async for chunk in response.aiter_raw():
                read += chunk
                if len(read) >= KEPT_BYTES:
                    break
    except (httpx2.HTTPError, TimeoutError):
        pass
    return bytes(read[:KEPT_BYTES])


def _judged(response: httpx2.Response, answer: bytes, begun: float) -> Attempt:
    status = response.status_code
    asked = retry_after(response.headers.get("retry-after"))
    if status in _OK:
        verdict, error, detail = Verdict.DELIVERED, None, ""
    elif status == _GONE:
        verdict, error, detail = Verdict.GONE, ErrorCode.TARGET_STATUS, "The receiver says that it is gone for good."
    elif status in _ELSEWHERE:
        verdict, error, detail = Verdict.FAILED, ErrorCode.TARGET_REDIRECTS, "Redirects are not followed."
    else:
        verdict = Verdict.THROTTLED if status in _OVERLOADED else Verdict.FAILED
        error, detail = ErrorCode.TARGET_STATUS, f"The receiver answered with HTTP status {status}."
    return Attempt(verdict, status, error, detail, escaped(answer), _ms(begun), asked)


def _unsent(code: ErrorCode, detail: str, begun: float) -> Attempt:
    verdict = Verdict.AWAY if code is ErrorCode.UNAVAILABLE else Verdict.FAILED
    return Attempt(verdict, error=code, detail=detail, ms=_ms(begun))


def _ms(begun: float) -> int:
    return round((time.perf_counter() - begun) * 1_000)


def escaped(answer: bytes) -> str:
    """Make somebody else's bytes harmless to show: no control character, no markup."""
    text = answer.decode("utf-8", "replace")
    shown = "".join(one if one.isprintable() or one == "\n" else f"\\u{{{ord(one):x}}}" for one in text)
    return html.escape(shown)
