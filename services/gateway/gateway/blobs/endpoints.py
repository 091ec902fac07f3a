"""The signed blob routes of the file store. Whoever holds the URL holds the right: there is no other check."""

import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import FileResponse

from contracts.errors import ErrorCode
from gateway.blobs.base import MAX_BYTES, checked_key, type_of
from gateway.blobs.delivery import guards
from gateway.blobs.files import FileBlobs
from runtime.errors import ServiceError

Expires = Annotated[int, Query(ge=0, le=2**40)]
Signature = Annotated[str, Query(alias="sig", max_length=128)]


async def _announced(content_length: Annotated[int, Header()] = 0) -> None:
    if content_length > MAX_BYTES:
        raise ServiceError(ErrorCode.PAYLOAD_TOO_LARGE, f"An object may have at most {MAX_BYTES} bytes.")


def router(blobs: FileBlobs) -> APIRouter:
    """Make the routes for one store."""
    routes = APIRouter(prefix="/blobs", include_in_schema=False)

    @routes.put("/{key:path}", status_code=201, dependencies=[Depends(_announced)])
    async def put(
        request: Request,
        key: str,
        expires: Expires,
        signature: Signature,
        content_type: Annotated[str, Header()] = "",
        content_md5: Annotated[str, Header(max_length=64)] = "",
    ) -> Response:
        blobs.signer.check("PUT", checked_key(key), content_type, expires, signature)
        await blobs.write(key, _as_sent(request.stream(), content_md5))
        return Response(status_code=201)

    @routes.get("/{key:path}")
    async def get(key: str, expires: Expires, signature: Signature) -> Response:
        blobs.signer.check("GET", checked_key(key), type_of(key), expires, signature)
        if await blobs.size(key) is None:
            raise ServiceError(ErrorCode.NOT_FOUND, "There is no such object.")
        headers = guards(type_of(key), key.rpartition("/")[2])
        return FileResponse(blobs.path(key), media_type=type_of(key), headers=headers)

    return routes


async def _as_sent(chunks: AsyncIterator[bytes], content_md5: str) -> AsyncIterator[bytes]:
    """Pass a body on. Raises `ServiceError` (invalid_request) at its end where it is not what its sender hashed."""
    digest = hashlib.md5(usedforsecurity=False)  # what the header is; it finds accidents, and proves nothing
    async for chunk in chunks:
        digest.update(chunk)
        yield chunk
    if content_md5 and base64.b64encode(digest.digest()).decode() != content_md5:
        raise ServiceError(ErrorCode.INVALID_REQUEST, "The body is not what its Content-MD5 says.")
