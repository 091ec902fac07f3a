"""Answers that say no, as errors."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from cro_analyzer import decoding, errors
from cro_analyzer.models.jobs import Problem
from cro_analyzer.steps import Answer

FIRST_ERROR_STATUS = 400
_NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?")
_CODES = {
    400: "invalid_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "conflict",
    413: "payload_too_large",
    429: "rate_limited",
    502: "unavailable",
    503: "unavailable",
    504: "deadline_exceeded",
}
"""For answers that are no problem documents: those of a proxy between here and the API."""


def error_of(answer: Answer, now: datetime | None = None) -> errors.ApiError:
    """Return the error that an answer stands for. `now` is what a date in Retry-After is compared with."""
    try:
        problem = decoding.decode(Problem, answer.body)
    except errors.UnreadableAnswerError:
        problem = _stranger(answer)
    if problem.retry_after_s is None:
        known = {**vars(problem), "retry_after_s": retry_after_s(answer.headers, now or datetime.now(UTC))}
        problem = Problem(**known)
    return errors.of(problem)


def _stranger(answer: Answer) -> Problem:
    code = _CODES.get(answer.status, "internal" if answer.status >= 500 else "invalid_request")  # noqa: PLR2004  # HTTP's border
    detail = f"HTTP status {answer.status} without a problem document: something between here and the API answered."
    request_id = answer.headers.get("x-request-id", "")
    return Problem(title="No answer of the API", status=answer.status, detail=detail, code=code, request_id=request_id)


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds of a Retry-After header, which may be a number or a date; None where there is none."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if _NUMBER.fullmatch(text):
        return max(0.0, float(text))
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (TypeError, ValueError):
        return None
