"""`/v1/files`: upload, list, describe, delete; and pictures that a message names by their file."""

import base64
from datetime import UTC, datetime
from email.message import Message

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from analyzer.fakeclaude.endpoint import Call, endpoint, page
from analyzer.fakeclaude.state import State, StoredFile
from analyzer.fakeclaude.wire import ApiError, Json, request_blocks

_MAX_BYTES = 500 * 1024 * 1024
_SHORTEST_S, _LONGEST_S = 3_600, 7_776_000


def stamp(seconds: float) -> str:
    """Return a time as the API writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _parts(content_type: str, raw: bytes) -> dict[str, tuple[Message, bytes]]:
    """Cut a multipart body into its fields: name → (headers, content)."""
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_boundary()
    if header.get_content_type() != "multipart/form-data" or not boundary:
        raise ApiError("invalid_request_error", "Expected multipart/form-data")
    found: dict[str, tuple[Message, bytes]] = {}
    for chunk in raw.split(f"--{boundary}".encode())[1:-1]:
        head, _, content = chunk.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        part = Message()
        for line in head.decode("utf-8", "replace").split("\r\n"):
            name, _, value = line.partition(":")
            part[name.strip()] = value.strip()
        found[str(part.get_param("name", header="content-disposition"))] = part, content.removesuffix(b"\r\n")
    return found


async def upload(call: Call) -> Response:
    """Keep a file, for ever or for `expires_in_seconds`."""
    parts = _parts(call.request.headers.get("content-type", ""), await call.request.body())
    if "file" not in parts:
        raise ApiError("invalid_request_error", "file: Field required")
    head, content = parts["file"]
    if len(content) > _MAX_BYTES:
        raise ApiError("request_too_large", "File exceeds the maximum size")
    lasts = int(parts["expires_in_seconds"][1]) if "expires_in_seconds" in parts else None
    if lasts is not None and not _SHORTEST_S <= lasts <= _LONGEST_S:
        raise ApiError("invalid_request_error", f"expires_in_seconds: must be from {_SHORTEST_S} to {_LONGEST_S}")
    now = call.state.clock()
    expires = None if lasts is None else now + lasts
    document: Json = {
        "id": call.state.next_id("file"),
        "type": "file",
        "filename": head.get_filename() or "unnamed",
        "mime_type": head.get_content_type(),
        "size_bytes": len(content),
        "created_at": stamp(now),
        "downloadable": False,
        "expires_at": None if expires is None else stamp(expires),
    }
    call.state.files[document["id"]] = StoredFile(document, content, expires)
    return JSONResponse(document)


def find(state: State, file_id: str) -> StoredFile:
    """Return a file that has not expired; raises the API's own 404."""
    stored = state.files.get(file_id)
    if stored is None or (stored.expires_s is not None and state.clock() >= stored.expires_s):
        raise ApiError("not_found_error", f"File not found: {file_id}")
    return stored


def resolve(state: State, body: Json) -> None:
    """Put the bytes of named files where a message names them, so that everything after sees one kind of picture."""
    for block in request_blocks(body):
        source = block.get("source")
        if block.get("type") == "image" and isinstance(source, dict) and source.get("type") == "file":
            stored = find(state, str(source.get("file_id")))
            data = base64.b64encode(stored.content).decode()
            block["source"] = {"type": "base64", "media_type": stored.document["mime_type"], "data": data}


async def listing(call: Call) -> Response:
    """List the files that have not expired."""
    now = call.state.clock()
    return page([one.document for one in call.state.files.values() if one.expires_s is None or now < one.expires_s])


async def retrieve(call: Call) -> Response:
    """Describe a file."""
    return JSONResponse(find(call.state, call.request.path_params["file"]).document)


async def download(call: Call) -> Response:
    """Refuse: what was uploaded is not given back."""
    find(call.state, call.request.path_params["file"])
    raise ApiError("invalid_request_error", "File is not downloadable")


async def delete(call: Call) -> Response:
    """Forget a file."""
    stored = find(call.state, call.request.path_params["file"])
    del call.state.files[stored.document["id"]]
    return JSONResponse({"id": stored.document["id"], "type": "file_deleted"})


ROUTES = [
    Route("/v1/files", endpoint(upload, json_body=False), methods=["POST"]),
    Route("/v1/files", endpoint(listing)),
    Route("/v1/files/{file}", endpoint(retrieve)),
    Route("/v1/files/{file}", endpoint(delete), methods=["DELETE"]),
    Route("/v1/files/{file}/content", endpoint(download)),
]
