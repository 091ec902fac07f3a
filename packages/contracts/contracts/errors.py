"""Every way in which work can fail: one closed vocabulary for HTTP, queue, CLI, logs and metrics."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BeforeValidator, Field

from contracts.wire import Wire, whole


class Fault(StrEnum):
    """Who has to act."""

    CALLER = "caller"
    TARGET = "target"
    PROVIDER = "provider"
    OURS = "ours"


class ErrorCode(StrEnum):
    """A failure. Its value is the wire form and the metric label; see docs/errors.md for what to do about each."""

    status: int
    fault: Fault
    retry: bool
    headline: str

    def __new__(cls, value: str, status: int, fault: Fault, retry: bool, headline: str) -> Self:  # noqa: FBT001  # an enum row is positional
        """Make a member of one row of the table below."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.status, member.fault, member.retry, member.headline = status, fault, retry, headline
        return member

    INVALID_REQUEST = "invalid_request", 422, Fault.CALLER, False, "The request has a field that cannot be used"
    UNAUTHENTICATED = "unauthenticated", 401, Fault.CALLER, False, "A valid API key is needed"
    FORBIDDEN = "forbidden", 403, Fault.CALLER, False, "The API key does not allow this"
    NOT_FOUND = "not_found", 404, Fault.CALLER, False, "There is nothing at this address"
    METHOD_NOT_ALLOWED = "method_not_allowed", 405, Fault.CALLER, False, "This address does not take this method"
    NOT_ACCEPTABLE = "not_acceptable", 406, Fault.CALLER, False, "The answer cannot be had in an accepted type"
    CONFLICT = "conflict", 409, Fault.CALLER, False, "The request conflicts with the present state"
    IMAGE_REJECTED = "image_rejected", 422, Fault.CALLER, False, "The picture cannot be used"
    PAYLOAD_TOO_LARGE = "payload_too_large", 413, Fault.CALLER, False, "The request body is too large"
    REQUEST_TIMEOUT = "request_timeout", 408, Fault.CALLER, True, "The request did not arrive in time"
    URL_TOO_LONG = "url_too_long", 414, Fault.CALLER, False, "The request's address is too long"
    HEADERS_TOO_LARGE = "headers_too_large", 431, Fault.CALLER, False, "The request's headers are too large"
    IDEMPOTENCY_MISMATCH = (
        "idempotency_mismatch",
        422,
        Fault.CALLER,
        False,
        "Idempotency-Key was used with another body",
    )
    RATE_LIMITED = "rate_limited", 429, Fault.CALLER, True, "Too many requests"
    QUOTA_EXCEEDED = "quota_exceeded", 429, Fault.CALLER, True, "The quota of the day is used up"
    CANCELLED = "cancelled", 409, Fault.CALLER, False, "The job was cancelled"

    URL_INVALID = "url_invalid", 422, Fault.CALLER, False, "This is not a web address"
    URL_FORBIDDEN = "url_forbidden", 422, Fault.CALLER, False, "This address may not be opened"

    TARGET_DNS = "target_dns", 422, Fault.TARGET, True, "The host name has no address"
    TARGET_REFUSED = "target_refused", 422, Fault.TARGET, True, "The site refused or dropped the connection"
    TARGET_TLS = "target_tls", 422, Fault.TARGET, False, "The site's certificate is not valid"
    TARGET_TIMEOUT = "target_timeout", 422, Fault.TARGET, True, "The site did not answer in time"
    TARGET_REDIRECTS = "target_redirects", 422, Fault.TARGET, False, "The site redirects without end"
    TARGET_STATUS = "target_status", 422, Fault.TARGET, False, "The site answered with an error status"
    TARGET_AUTH = "target_auth", 422, Fault.TARGET, False, "The site asks for a login"
    TARGET_TOO_LARGE = "target_too_large", 422, Fault.TARGET, False, "The page is larger than the limit"
    TARGET_IS_DOWNLOAD = "target_is_download", 422, Fault.TARGET, False, "The address is a download, not a page"
    PAGE_EMPTY = "page_empty", 422, Fault.TARGET, False, "The page shows nothing"
    PAGE_HUNG = "page_hung", 422, Fault.TARGET, False, "The page keeps its main thread busy and cannot be read"
    PAGE_UNSTABLE = "page_unstable", 422, Fault.TARGET, False, "The page keeps navigating away"
    PAGE_CRASHED = "page_crashed", 422, Fault.TARGET, True, "The page crashed the browser"

    CAPTURE_REFUSED = "capture_refused", 422, Fault.TARGET, False, "The page has what the request said must not be"
    TARGET_BLOCKED = "target_blocked", 422, Fault.TARGET, True, "The site shows a block page to automated visitors"
    ROBOTS_DISALLOWED = "robots_disallowed", 422, Fault.TARGET, False, "The site's robots.txt disallows this address"

    RENDERER_BUSY = "renderer_busy", 503, Fault.OURS, True, "Every browser is busy"
    BROWSER_FAILED = "browser_failed", 502, Fault.OURS, True, "The browser failed"
    ANALYSIS_UNAVAILABLE = "analysis_unavailable", 503, Fault.PROVIDER, True, "The model provider is not available"
    BACKLOG = "backlog", 503, Fault.OURS, True, "Too many jobs are waiting"
    OVERLOADED = "overloaded", 503, Fault.OURS, True, "Too many requests at once"
    UNAVAILABLE = "unavailable", 503, Fault.OURS, True, "The service cannot take this now"
    DEADLINE_EXCEEDED = "deadline_exceeded", 504, Fault.OURS, True, "The time budget ran out"
    STORAGE_FAILED = "storage_failed", 503, Fault.OURS, True, "The artifact store failed"
    INTERNAL = "internal", 500, Fault.OURS, True, "Something failed on our side"


def _sayable(text: object) -> object:
    return whole(text) if isinstance(text, str) else text


Said = Annotated[str, BeforeValidator(_sayable)]
"""Text that may repeat what a caller or a page said."""


class FieldError(Wire):
    """One field that cannot be used, and the remedy."""

    field: Said
    message: Said


class Problem(Wire):
    """An RFC 9457 problem document (`application/problem+json`)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: Said = ""
    instance: str = ""
    code: ErrorCode
    errors: list[FieldError] = Field(default_factory=list)
    request_id: str = ""
    retry_after_s: float | None = None

    @classmethod
    def of(cls, code: ErrorCode, detail: str, **more: object) -> Self:
        """Describe a failure, with all that its code says about it."""
        about = {"type": f"/docs/errors#{code.value}", "title": code.headline, "status": code.status}
        return cls.model_validate({**about, "detail": detail, "code": code, **more})
