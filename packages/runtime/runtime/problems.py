"""problem+json (RFC 9457) answers for every failure of an HTTP service."""

import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match

from contracts.errors import ErrorCode, FieldError, Problem
from runtime import wording
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_BY_STATUS = {
    401: ErrorCode.UNAUTHENTICATED,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    406: ErrorCode.NOT_ACCEPTABLE,
    408: ErrorCode.REQUEST_TIMEOUT,
    413: ErrorCode.PAYLOAD_TOO_LARGE,
    429: ErrorCode.RATE_LIMITED,
}


def problem(request: Request, error: ServiceError, status: int | None = None) -> JSONResponse:
    """Build the answer for `error`; `status` overrides the code's own."""
    code = error.code
    body = Problem.of(
        code,
        error.detail,
        status=status or code.status,
        instance=request.url.path,
        errors=error.errors,
        request_id=request.scope.get("state", {}).get("request_id", ""),
        retry_after_s=error.retry_after_s,
    )
    headers = {} if error.retry_after_s is None else {"Retry-After": str(math.ceil(error.retry_after_s))}
    if body.status == ErrorCode.UNAUTHENTICATED.status:
        headers["WWW-Authenticate"] = 'Bearer realm="cro"'
    content = body.model_dump(mode="json", exclude_none=True)
    return JSONResponse(content, status_code=body.status, headers=headers, media_type=MEDIA_TYPE)


def field_errors(errors: Sequence[Any]) -> list[FieldError]:
    """Name each refused field as the caller wrote it: `body.outputs.0.quality` becomes `outputs.0.quality`."""
    return [FieldError(field=_path(error["loc"]), message=wording.said(error)) for error in errors]


def _path(location: Sequence[int | str]) -> str:
    parts = [str(part) for part in location]
    return ".".join(parts[1:] if len(parts) > 1 and parts[0] in {"body", "query", "path", "header"} else parts)


def _validation(request: Request, exc: RequestValidationError) -> JSONResponse:
    errors = field_errors(exc.errors())
    detail = "; ".join(f"{error.field}: {error.message}" for error in errors[:3])
    return problem(request, ServiceError(ErrorCode.INVALID_REQUEST, detail, errors=errors))


def _http(request: Request, exc: HTTPException) -> JSONResponse:
    code = _BY_STATUS.get(exc.status_code, ErrorCode.INVALID_REQUEST if exc.status_code < 500 else ErrorCode.INTERNAL)  # noqa: PLR2004  # HTTP's own border
    # What can be read but not used is one thing to a caller, whatever it is that cannot: 422.
    status = None if code is ErrorCode.INVALID_REQUEST else exc.status_code
    answer = problem(request, ServiceError(code, _detail(request, exc)), status)
    answer.headers.update(exc.headers or {})
    if code is ErrorCode.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = ", ".join(_taken(request))
    return answer


def _detail(request: Request, exc: HTTPException) -> str:
    """Say what to change where the framework has only repeated its status."""
    if exc.detail != HTTPStatus(exc.status_code).phrase:
        return str(exc.detail)
    if exc.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{request.method} is not taken here; {' and '.join(_taken(request)) or 'nothing else'} can be."
    if exc.status_code == HTTPStatus.NOT_FOUND:
        return "There is nothing at this address: check its path."
    return str(exc.detail)


def _taken(request: Request) -> list[str]:
    """Return the methods that an address takes; the framework names those of one of its routes."""
    routes: list[BaseRoute] = request.app.router.routes
    each = [(method, {**request.scope, "method": method}) for method in _METHODS]
    return [method for method, scope in each if any(route.matches(scope)[0] is Match.FULL for route in routes)]


def _service(request: Request, exc: ServiceError) -> JSONResponse:
    log.info("request_refused", path=request.url.path, code=exc.code.value, reason=exc.reason)
    return problem(request, exc)


def unexpected(request: Request, exc: Exception) -> JSONResponse:
    """Answer for what nobody expected: the log knows it, the caller only that it is ours."""
    log.error("request_failed", path=request.url.path, exc_info=exc)
    return problem(request, ServiceError(ErrorCode.INTERNAL, "Something failed on our side. Try again later."))


def install(app: FastAPI) -> None:
    """Answer every failure of `app` with a problem document."""
    handlers: dict[Any, Any] = {
        RequestValidationError: _validation,
        HTTPException: _http,
        ServiceError: _service,
        Exception: unexpected,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
