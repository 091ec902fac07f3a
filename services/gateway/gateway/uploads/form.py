"""A multipart form with one file, of which never more is read than may be there."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from fastapi import Request
from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from contracts.errors import ErrorCode, FieldError
from runtime.errors import ServiceError

MAX_FILE_BYTES = 10 * 1024 * 1024
_MAX_FIELDS = 10
_MAX_FIELD_BYTES = 4_096
# Boundaries, the parts' headers, and the other fields.
_AROUND_BYTES = 64 * 1024


@dataclass(frozen=True)
class Form:
    """What came: the file, the name its sender has for it, and the other fields as text."""

    data: bytes
    file_name: str
    fields: dict[str, str]


def is_multipart(request: Request) -> bool:
    """Whether the body says that it is a form with files."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "multipart/form-data"


async def read(request: Request, file_field: str) -> Form:
    """Read the form. Raises `ServiceError`: payload_too_large, or invalid_request naming the field."""
    try:
        parser = MultiPartParser(
            request.headers,
            bounded(request, MAX_FILE_BYTES + _AROUND_BYTES),
            max_files=1,
            max_fields=_MAX_FIELDS,
            max_part_size=_MAX_FIELD_BYTES,
        )
        form = await parser.parse()
    except (MultiPartException, FormParserError) as error:
        detail = "The body is no multipart form that can be read: one file, and a few short fields."
        raise ServiceError(ErrorCode.INVALID_REQUEST, detail, reason=str(error)) from error
    try:
        return await _checked(form, file_field)
    finally:
        await form.close()


async def _checked(form: FormData, file_field: str) -> Form:
    items = form.multi_items()
    if len({name for name, _ in items}) < len(items):
        raise _unusable("form", "each field may come once")
    file = form.get(file_field)
    if not isinstance(file, UploadFile):
        raise _unusable(file_field, "a file is needed here")
    fields = {name: value for name, value in items if isinstance(value, str)}
    return Form(await file.read(), file.filename or "", fields)


async def bounded(request: Request, allowed: int) -> AsyncGenerator[bytes, None]:
    """Give a body piece by piece. Raises `ServiceError` (payload_too_large) above `allowed` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > allowed:
        raise _too_large(allowed)
    left = allowed
    async for chunk in request.stream():
        left -= len(chunk)
        if left < 0:
            raise _too_large(allowed)
        yield chunk


def _too_large(allowed: int) -> ServiceError:
    return ServiceError(ErrorCode.PAYLOAD_TOO_LARGE, f"The body may have at most {allowed:,} bytes.")


def _unusable(field: str, text: str) -> ServiceError:
    errors = [FieldError(field=field, message=text)]
    return ServiceError(ErrorCode.INVALID_REQUEST, f"{field}: {text}", errors=errors)
