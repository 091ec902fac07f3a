"""The signed blob routes of the file store. Whoever holds the URL holds the right: there is no other check."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import FileResponse

from contracts.errors import ErrorCode
from gateway.blobs.base import checked_key, type_of
from gateway.blobs.delivery import guards
from gateway.blobs.files import MAX_BYTES, FileBlobs
from runtime.errors import ServiceError

Expires = Annotated[int, Query(ge=0, le=2**40)]
Signature = Annotated[str, Query(alias="sig", max_length=128)]


def router(blobs: FileBlobs) -> APIRouter:
    """Make the routes for one store."""
    routes = APIRouter(prefix="/blobs", include_in_schema=False)

    @routes.put("/{key:path}", status_code=201)
    async def put(
        request: Request,
        key: str,
        expires: Expires,
        signature: Signature,
        content_type: Annotated[str, Header()] = "",
        content_length: Annotated[int, Header()] = 0,
    ) -> Response:
        blobs.signer.check("PUT", checked_key(key), content_type, expires, signature)
        if content_length > MAX_BYTES:
            raise ServiceError(ErrorCode.PAYLOAD_TOO_LARGE, f"An object may have at most {MAX_BYTES} bytes.")
        await blobs.write(key, request.stream())
        return Response(status_code=201)

    @routes.get("/{key:path}")
    async def get(key: str, expires: Expires, signature: Signature) -> Response:
        blobs.signer.check("GET", checked_key(key), type_of(key), expires, signature)
        if await blobs.size(key) is None:
            raise ServiceError(ErrorCode.NOT_FOUND, "There is no such object.")
        headers = guards(type_of(key), key.rpartition("/")[2])
        return FileResponse(blobs.path(key), media_type=type_of(key), headers=headers)

    return routes
