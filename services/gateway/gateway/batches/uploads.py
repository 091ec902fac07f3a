"""A batch's request in whichever form it came: JSON, or a multipart form with a file of URLs."""

import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from fastapi import Request
from pydantic import ValidationError
from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData
from starlette.datastructures import UploadFile as Uploaded
from starlette.formparsers import MultiPartException, MultiPartParser

from contracts.errors import ErrorCode, FieldError
from gateway.batches import entries
from gateway.batches.entries import Entry
from gateway.batches.schemas import BatchAsked, BatchCreate
from gateway.edge import bodies
from gateway.uploads import form
from runtime import wording
from runtime.errors import ServiceError

_READ = 1024 * 1024
MAX_BODY = 48 * 1024 * 1024
"""Ten thousand of the longest URLs that there may be, and a little more; MAX_UPLOAD_BYTES usually says less."""


@dataclass(frozen=True)
class Submission:
    """What is asked, the URLs or the sitemap that lists them, and a digest of the former."""

    asked: BatchAsked
    entries: Iterable[Entry]
    digest: str
    sitemap: str | None = None


@asynccontextmanager
async def reading(request: Request) -> AsyncIterator[Submission]:
    """Read a request; its file is there as long as this is open.

    Raises `ServiceError`: INVALID_REQUEST, PAYLOAD_TOO_LARGE.
    """
    pieces = form.bounded(request, MAX_BODY)
    if not form.is_multipart(request):
        yield _json(b"".join([piece async for piece in pieces]))
        return
    try:
        found = await MultiPartParser(request.headers, pieces, max_files=1, max_fields=10).parse()
    except (MultiPartException, FormParserError) as error:
        raise ServiceError(ErrorCode.INVALID_REQUEST, "The form cannot be read.", reason=repr(error)) from error
    try:
        yield _form(found)
    finally:
        await found.close()


def _json(body: bytes) -> Submission:
    with _named():
        asked = BatchCreate.model_validate_json(body)
    listed = (entries.raw(one) if isinstance(one, str) else one for one in asked.urls)
    plain = [one if isinstance(one, str) else [one.url, one.options] for one in asked.urls]
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode("utf-8", "replace")).hexdigest()
    return Submission(asked, listed, digest, asked.sitemap)


def _form(found: FormData) -> Submission:
    file = found.get("file")
    if not isinstance(file, Uploaded):
        raise _field("file", "a file of URLs is missing: CSV, or NDJSON")
    with _named():
        asked = BatchAsked.model_validate(_fields(found))
    digest = _digest(file)
    text = entries.lines(file.file)
    listed = entries.from_ndjson(text) if _is_ndjson(file) else entries.from_csv(text)
    return Submission(asked, listed, digest)


def _digest(file: Uploaded) -> str:
    digest = hashlib.sha256()
    while chunk := file.file.read(_READ):
        digest.update(chunk)
    file.file.seek(0)
    return digest.hexdigest()


def _is_ndjson(file: Uploaded) -> bool:
    name, kind = (file.filename or "").lower(), (file.content_type or "").partition(";")[0]
    return name.endswith((".ndjson", ".jsonl")) or kind in {"application/x-ndjson", "application/jsonl"}


def _fields(found: FormData) -> dict[str, object]:
    """Return the form's fields; `options` is JSON."""
    fields: dict[str, object] = {name: value for name, value in found.items() if isinstance(value, str)}
    if isinstance(options := fields.get("options"), str):
        if bodies.too_deep(options.encode("utf-8", "replace")):
            raise _field("options", f"the JSON is nested more than {bodies.DEEPEST} deep")
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
        fields = [FieldError(field=".".join(map(str, one["loc"])), message=wording.said(one)) for one in found[:20]]
    else:
        return
    detail = "; ".join(f"{one.field}: {one.message}".removeprefix(": ") for one in fields[:3])
    raise ServiceError(ErrorCode.INVALID_REQUEST, detail, errors=fields)


def _field(name: str, text: str) -> ServiceError:
    return ServiceError(ErrorCode.INVALID_REQUEST, f"{name}: {text}", errors=[FieldError(field=name, message=text)])
