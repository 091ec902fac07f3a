"""What Chromium's network errors mean to a caller."""

from typing import TypeVar

from contracts.errors import ErrorCode
from runtime.errors import ServiceError

_PREFIXES = (
    # The first match wins. Chromium's list is net/base/net_error_list.h.
    ("ERR_NAME_", ErrorCode.TARGET_DNS),
    ("ERR_DNS_", ErrorCode.TARGET_DNS),
    ("ERR_ICANN_", ErrorCode.TARGET_DNS),
    ("ERR_CERT_", ErrorCode.TARGET_TLS),
    ("ERR_SSL_", ErrorCode.TARGET_TLS),
    ("ERR_BAD_SSL_", ErrorCode.TARGET_TLS),
    ("ERR_TLS_", ErrorCode.TARGET_TLS),
    ("ERR_TOO_MANY_REDIRECTS", ErrorCode.TARGET_REDIRECTS),
    ("ERR_TIMED_OUT", ErrorCode.TARGET_TIMEOUT),
    ("ERR_CONNECTION_TIMED_OUT", ErrorCode.TARGET_TIMEOUT),
    ("ERR_HTTP_RESPONSE_CODE_FAILURE", ErrorCode.TARGET_STATUS),
    ("ERR_PROXY_", ErrorCode.UNAVAILABLE),
    ("ERR_INVALID_URL", ErrorCode.URL_INVALID),
    ("ERR_UNSAFE_", ErrorCode.URL_FORBIDDEN),
    ("ERR_DISALLOWED_URL_SCHEME", ErrorCode.URL_FORBIDDEN),
    ("ERR_UNKNOWN_URL_SCHEME", ErrorCode.URL_FORBIDDEN),
    ("ERR_ACCESS_DENIED", ErrorCode.URL_FORBIDDEN),
    ("ERR_BLOCKED_BY_", ErrorCode.URL_FORBIDDEN),
    ("ERR_INVALID_AUTH", ErrorCode.TARGET_AUTH),
    ("ERR_", ErrorCode.TARGET_REFUSED),
)
_TEXTS = {
    ErrorCode.TARGET_DNS: "The host name has no address. Check its spelling.",
    ErrorCode.TARGET_TLS: "The site's certificate is not valid.",
    ErrorCode.TARGET_REDIRECTS: "The site redirects without end.",
    ErrorCode.TARGET_TIMEOUT: "The site did not answer in time.",
    ErrorCode.TARGET_STATUS: "The site answered with an error status and no page.",
    ErrorCode.TARGET_TOO_LARGE: "The page is larger than the limit.",
    ErrorCode.UNAVAILABLE: "The way out to the internet is down. Try again later.",
    ErrorCode.URL_INVALID: "This is not a web address.",
    ErrorCode.URL_FORBIDDEN: "This address may not be opened.",
    ErrorCode.TARGET_AUTH: "The site asks for a login.",
    ErrorCode.TARGET_REFUSED: "The site refused or dropped the connection.",
}

HUNG = frozenset({ErrorCode.PAGE_HUNG, ErrorCode.PAGE_CRASHED, ErrorCode.BROWSER_FAILED})
"""Failures after which nothing more can be had from a page: what was captured before them is still good."""


def navigation(text: str, verdict: ErrorCode | None) -> ServiceError:
    """Translate `net::ERR_…` of the main document; `verdict` is what the egress proxy knows of its host."""
    name = text.removeprefix("net::")
    code = verdict or next((code for prefix, code in _PREFIXES if name.startswith(prefix)), ErrorCode.BROWSER_FAILED)
    return ServiceError(code, _TEXTS.get(code, "The browser failed to open the page."), reason=f"{text} ({code})")


T = TypeVar("T")


def unless_crashed(outcomes: list[T | ServiceError]) -> list[T | ServiceError]:
    """Return what became of a job's views; raise the crash where it left nothing but failures."""
    failures = [outcome for outcome in outcomes if isinstance(outcome, ServiceError)]
    if len(failures) == len(outcomes):
        for failure in failures:
            if failure.code in {ErrorCode.PAGE_CRASHED, ErrorCode.BROWSER_FAILED}:
                raise failure
    return outcomes


_BY_VALUE = {code.value: code for code in ErrorCode}


def refused(value: str) -> ServiceError:
    """Return the refusal that the egress proxy has spoken in its header."""
    code = _BY_VALUE.get(value, ErrorCode.URL_FORBIDDEN)
    return ServiceError(code, _TEXTS.get(code, code.headline), reason=f"egress: {code}")


def download() -> ServiceError:
    """Return the failure of an address that is a file."""
    return ServiceError(ErrorCode.TARGET_IS_DOWNLOAD, "The address is a download, not a page.")


def crashed() -> ServiceError:
    """Return the failure of a page whose process ended."""
    return ServiceError(ErrorCode.PAGE_CRASHED, "The page crashed the browser.")


def hung(reason: str) -> ServiceError:
    """Return the failure of a page whose main thread never answers."""
    detail = "The page keeps its main thread busy and cannot be read."
    return ServiceError(ErrorCode.PAGE_HUNG, detail, reason=reason)


def unstable() -> ServiceError:
    """Return the failure of a page that navigates away again and again."""
    return ServiceError(ErrorCode.PAGE_UNSTABLE, "The page keeps navigating away.")


def timeout() -> ServiceError:
    """Return the failure of a site that sends nothing."""
    return ServiceError(ErrorCode.TARGET_TIMEOUT, _TEXTS[ErrorCode.TARGET_TIMEOUT])


def empty() -> ServiceError:
    """Return the failure of an address that answers without content."""
    return ServiceError(ErrorCode.PAGE_EMPTY, "The address answers without a page.")


def no_picture() -> ServiceError:
    """Return the failure of a picture that Chromium could not encode."""
    detail = (
        "The browser could not encode a picture of this size. Ask for a smaller area, a lower scale factor or tiles."
    )
    return ServiceError(ErrorCode.BROWSER_FAILED, detail, reason="Page.captureScreenshot answered with nothing")
