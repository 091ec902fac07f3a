"""Everything that can go wrong, as a tree: catch as narrowly or as widely as you like.

    CroError
    ├── ConnectionFailedError      no answer came (TimedOutError: not in time)
    ├── UnreadableAnswerError      an answer came that this release cannot read
    ├── WaitedTooLongError         the job goes on, and may be waited for again
    ├── SignatureError             a webhook message that is not to be trusted
    └── ApiError                   the API said no, or a job failed
        ├── CallerError            the request, the key or the limits of the caller
        ├── TargetError            the page or its site
        ├── ProviderError          a provider behind the service
        └── PlatformError          the service itself

Each code of the API has a class of its own below one of the last four.
"""

from collections.abc import Sequence
from typing import ClassVar

from cro_analyzer.models.jobs import FieldError, Problem


class CroError(Exception):
    """Whatever this library raises by itself."""


class ConnectionFailedError(CroError):
    """No answer came. `unsent`: not even the request went out, so that nothing can have happened."""

    def __init__(self, message: str, *, unsent: bool = False) -> None:
        """Say what happened."""
        super().__init__(message)
        self.unsent = unsent


class TimedOutError(ConnectionFailedError):
    """No answer came in time."""


class UnreadableAnswerError(CroError):
    """An answer came that this release cannot read: is the address that of the API, and the release recent enough?"""


class WaitedTooLongError(CroError):
    """The time that was given is over; the job `job_id` goes on, and may be waited for again."""

    def __init__(self, message: str, job_id: str) -> None:
        """Name the job."""
        super().__init__(message)
        self.job_id = job_id


class SignatureError(CroError):
    """A webhook message is not from the service, is too old, or was changed on its way."""


class ApiError(CroError):
    """The API said no, or a job failed. `code` is stable; `detail` says what to change; quote `request_id` to us."""

    code: ClassVar[str] = ""

    def __init__(self, problem: Problem) -> None:
        """Keep the whole problem document."""
        super().__init__(f"{problem.code}: {problem.detail or problem.title}")
        self.problem = problem

    @property
    def detail(self) -> str:
        """What to change, for people."""
        return self.problem.detail or self.problem.title

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def errors(self) -> Sequence[FieldError]:
        """Fields that cannot be used, each with the remedy."""
        return self.problem.errors

    @property
    def request_id(self) -> str:
        """The request's id in the service's logs."""
        return self.problem.request_id

    @property
    def retry_after_s(self) -> float | None:
        """Seconds after which to come back, where the service says so."""
        return self.problem.retry_after_s


class CallerError(ApiError):
    """The request, the key or the limits of the caller: the caller has to act."""


class TargetError(ApiError):
    """The page or its site: its owner has to act, or another address is needed."""


class ProviderError(ApiError):
    """A provider behind the service is away; mostly it passes."""


class PlatformError(ApiError):
    """The service itself; mostly it passes."""


class InvalidRequestError(CallerError):
    """The request has a field that cannot be used."""

    code = "invalid_request"


class UnauthenticatedError(CallerError):
    """A valid API key is needed."""

    code = "unauthenticated"


class ForbiddenError(CallerError):
    """The API key does not allow this."""

    code = "forbidden"


class NotFoundError(CallerError):
    """There is nothing at this address."""

    code = "not_found"


class MethodNotAllowedError(CallerError):
    """This address does not take this method."""

    code = "method_not_allowed"


class NotAcceptableError(CallerError):
    """The answer cannot be had in an accepted type."""

    code = "not_acceptable"


class ConflictError(CallerError):
    """The request conflicts with the present state."""

    code = "conflict"


class ImageRejectedError(CallerError):
    """The picture cannot be used."""

    code = "image_rejected"


class PayloadTooLargeError(CallerError):
    """The request body is too large."""

    code = "payload_too_large"


class RequestTimeoutError(CallerError):
    """The request did not arrive in time."""

    code = "request_timeout"


class UrlTooLongError(CallerError):
    """The request's address is too long."""

    code = "url_too_long"


class HeadersTooLargeError(CallerError):
    """The request's headers are too large."""

    code = "headers_too_large"


class IdempotencyMismatchError(CallerError):
    """Idempotency-Key was used with another body."""

    code = "idempotency_mismatch"


class RateLimitedError(CallerError):
    """Too many requests."""

    code = "rate_limited"


class QuotaExceededError(CallerError):
    """The quota of the day is used up."""

    code = "quota_exceeded"


class CancelledError(CallerError):
    """The job was cancelled."""

    code = "cancelled"


class UrlInvalidError(CallerError):
    """This is not a web address."""

    code = "url_invalid"


class UrlForbiddenError(CallerError):
    """This address may not be opened."""

    code = "url_forbidden"


class TargetDnsError(TargetError):
    """The host name has no address."""

    code = "target_dns"


class TargetRefusedError(TargetError):
    """The site refused or dropped the connection."""

    code = "target_refused"


class TargetTlsError(TargetError):
    """The site's certificate is not valid."""

    code = "target_tls"


class TargetTimeoutError(TargetError):
    """The site did not answer in time."""

    code = "target_timeout"


class TargetRedirectsError(TargetError):
    """The site redirects without end."""

    code = "target_redirects"


class TargetStatusError(TargetError):
    """The site answered with an error status."""

    code = "target_status"


class TargetAuthError(TargetError):
    """The site asks for a login."""

    code = "target_auth"


class TargetTooLargeError(TargetError):
    """The page is larger than the limit."""

    code = "target_too_large"


class TargetIsDownloadError(TargetError):
    """The address is a download, not a page."""

    code = "target_is_download"


class PageEmptyError(TargetError):
    """The page shows nothing."""

    code = "page_empty"


class PageHungError(TargetError):
    """The page keeps its main thread busy and cannot be read."""

    code = "page_hung"


class PageUnstableError(TargetError):
    """The page keeps navigating away."""

    code = "page_unstable"


class PageCrashedError(TargetError):
    """The page crashed the browser."""

    code = "page_crashed"


class CaptureRefusedError(TargetError):
    """The page has what the request said must not be."""

    code = "capture_refused"


class TargetBlockedError(TargetError):
    """The site shows a block page to automated visitors."""

    code = "target_blocked"


class RobotsDisallowedError(TargetError):
    """The site's robots.txt disallows this address."""

    code = "robots_disallowed"


class RendererBusyError(PlatformError):
    """Every browser is busy."""

    code = "renderer_busy"


class BrowserFailedError(PlatformError):
    """The browser failed."""

    code = "browser_failed"


class AnalysisUnavailableError(ProviderError):
    """The model provider is not available."""

    code = "analysis_unavailable"


class BacklogError(PlatformError):
    """Too many jobs are waiting."""

    code = "backlog"


class OverloadedError(PlatformError):
    """Too many requests at once."""

    code = "overloaded"


class UnavailableError(PlatformError):
    """The service cannot take this now."""

    code = "unavailable"


class DeadlineExceededError(PlatformError):
    """The time budget ran out."""

    code = "deadline_exceeded"


class StorageFailedError(PlatformError):
    """The artifact store failed."""

    code = "storage_failed"


class InternalError(PlatformError):
    """Something failed on our side."""

    code = "internal"


_CODED: dict[str, type[ApiError]] = {
    kind.code: kind for family in ApiError.__subclasses__() for kind in family.__subclasses__()
}


def of(problem: Problem) -> ApiError:
    """Return the error that a problem document stands for; codes of a newer release go by their HTTP status."""
    if (kind := _CODED.get(problem.code)) is not None:
        return kind(problem)
    return (CallerError if problem.status < 500 else PlatformError)(problem)  # noqa: PLR2004  # HTTP's own border
