"""A batch's request in whichever form it came: JSON, or a multipart form with a file of URLs."""

import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from fastapi import Request
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.datastructures import UploadFile as Uploaded
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from contracts.errors import ErrorCode, FieldError
from gateway.batches import entries, service
from gateway.batches.entries import Entry
from gateway.batches.schemas import BatchAsked, BatchCreate
from runtime.errors import ServiceError

_READ = 1024 * 1024
MAX_BODY = 48 * 1024 * 1024
"""Ten thousand of the longest URLs that there may be, and a little more."""


@dataclass(frozen=True)
class Submission:
    """What was asked, the URLs, and what makes it the same as another request."""

    asked: BatchAsked
    entries: Iterable[Entry]
    fingerprint: str


@asynccontextmanager
async def reading(request: Request) -> AsyncIterator[Submission]:
    """Read a request; its file is there as long as this is open.

    Raises `ServiceError`: INVALID_REQUEST, PAYLOAD_TOO_LARGE.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if int(request.headers.get("content-length", "0") or "0") > MAX_BODY:
        raise _too_large()
    if kind != "multipart/form-data":
        yield _json(await _whole(request))
        return
    try:
        form = await request.form(max_files=1, max_fields=10)
    except (MultiPartException, HTTPException) as error:
        raise ServiceError(ErrorCode.INVALID_REQUEST, "The form cannot be read.", reason=repr(error)) from error
    try:
        yield _form(form)
    finally:
        await form.close()


async def _whole(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise _too_large()
    return bytes(body)


def _too_large() -> ServiceError:
    return ServiceError(ErrorCode.PAYLOAD_TOO_LARGE, f"A batch may have at most {MAX_BODY // 2**20} MB.")


def _json(body: bytes) -> Submission:
    with _named():
        asked = BatchCreate.model_validate_json(body)
    listed = (Entry(url=one) if isinstance(one, str) else one for one in asked.urls)
    return Submission(asked, listed, service.fingerprint(body))


def _form(form: FormData) -> Submission:
    file = form.get("file")
    if not isinstance(file, Uploaded):
        raise _field("file", "a file of URLs is missing: CSV, or NDJSON")
    if (file.size or 0) > MAX_BODY:
        raise _too_large()
    fields = _fields(form)
    with _named():
        asked = BatchAsked.model_validate(fields)
    content = file.file
    digest = service.fingerprint(json.dumps(fields, sort_keys=True, default=str).encode(), _digest(file))
    text = entries.lines(content)
    listed = entries.from_ndjson(text) if _is_ndjson(file) else entries.from_csv(text)
    return Submission(asked, listed, digest)


def _digest(file: Uploaded) -> bytes:
    digest = hashlib.sha256()
    while chunk := file.file.read(_READ):
        digest.update(chunk)
    file.file.seek(0)
    return digest.digest()


def _is_ndjson(file: Uploaded) -> bool:
    name, kind = (file.filename or "").lower(), (file.content_type or "").partition(";")[0]
    return name.endswith((".ndjson", ".jsonl")) or kind in {"application/x-ndjson", "application/jsonl"}


def _fields(form: FormData) -> dict[str, object]:
    """Return the form's fields; `options` is JSON."""
    fields: dict[str, object] = {name: value for name, value in form.items() if isinstance(value, str)}
    if isinstance(options := fields.get("options"), str):
        try:
            fields["options"] = json.loads(options)
        except ValueError as error:
            raise _field("options", "this is not JSON") from error
    return fields


@contextmanager
def _named() -> Iterator[None]:
    """Name the fields that cannot be used."""
    try:
        yield
    except ValidationError as error:
        found = error.errors(include_input=False, include_context=False, include_url=False)
        fields = [FieldError(field=".".join(map(str, one["loc"])), message=one["msg"]) for one in found[:20]]
    else:
        return
    detail = "; ".join(f"{one.field}: {one.message}" for one in fields[:3])
    raise ServiceError(ErrorCode.INVALID_REQUEST, detail, errors=fields)


def _field(name: str, text: str) -> ServiceError:
    return ServiceError(ErrorCode.INVALID_REQUEST, f"{name}: {text}", errors=[FieldError(field=name, message=text)])
