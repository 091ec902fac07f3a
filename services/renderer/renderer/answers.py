"""How a result goes back: the bytes of the one thing asked for, or everything as JSON. `Accept` decides."""

import base64
from dataclasses import dataclass

from fastapi import Response

from contracts.errors import ErrorCode
from contracts.outputs import content_type, gives_many
from contracts.render import RenderRequest
from renderer import documents
from renderer.render import Rendered
from runtime.errors import ServiceError

JSON = "application/json"


@dataclass(frozen=True)
class _Liking:
    """How much a type is wanted, and how exactly it was named: 3 for itself, 2 for its family, 1 for `*/*`."""

    weight: float = 0
    exactness: int = 0


def wants_bytes(body: RenderRequest, accept: str) -> bool:
    """Tell whether the answer is the artifact itself. Raises `ServiceError` (not_acceptable) when neither form will do.

    Without a preference, one output that gives one artifact and has no slot is answered by its bytes.
    """
    alone = len(body.outputs) == 1 and not body.uploads and not gives_many(body.outputs[0])
    ranges = _ranges(accept)
    if not ranges:
        return alone
    as_json = _liking(ranges, JSON)
    kind = content_type(body.outputs[0])
    as_bytes = _liking(ranges, kind) if alone and not _names_json(kind, as_json) else _Liking()
    if not (as_json.weight or as_bytes.weight):
        had = f"{kind} or {JSON}" if alone else f"{JSON} only: it gives several artifacts, or stores them"
        raise ServiceError(ErrorCode.NOT_ACCEPTABLE, f"This request can be answered as {had}.")
    if as_json == as_bytes:
        return alone
    return (as_bytes.weight, as_bytes.exactness) > (as_json.weight, as_json.exactness)


def _names_json(kind: str, as_json: _Liking) -> bool:
    # Who names JSON wants the result around the artifact, also where the artifact is JSON itself.
    return kind == JSON and as_json.exactness > 1


def bare(rendered: Rendered) -> Response:
    """Answer with the one artifact. Raises `ServiceError` (deadline_exceeded) when there is none."""
    result = rendered.result
    if not rendered.pieces:
        raise ServiceError(ErrorCode.DEADLINE_EXCEEDED, "The page took longer than the time budget.")
    headers = {
        "X-Final-Url": result.final_url,
        "X-Http-Status": str(result.http_status),
        "X-Warnings": ",".join(result.warnings),
        "Vary": "Accept",
    }
    piece = rendered.pieces[0]
    headers |= documents.safeguards(piece.artifact.content_type)
    return Response(piece.data, media_type=piece.artifact.content_type, headers=headers)


def whole(body: RenderRequest, rendered: Rendered) -> Response:
    """Answer with the result, and inside it what was given no slot."""
    inline = {
        piece.artifact.name: piece.artifact.model_copy(update={"data": piece.text or _base64(piece.data)})
        for piece in rendered.pieces
        if piece.artifact.name not in body.uploads
    }
    result = rendered.result.model_copy(update={"artifacts": {**rendered.result.artifacts, **inline}})
    return Response(result.model_dump_json(), media_type=JSON, headers={"Vary": "Accept"})


def _ranges(accept: str) -> dict[str, float]:
    """Read an Accept header (RFC 9110, section 12.5.1): media range → weight. Parameters other than q are ignored."""
    ranges: dict[str, float] = {}
    for item in accept.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        if "/" in name:
            ranges[name] = max(ranges.get(name, 0.0), _weight(parameters))
    return ranges


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 1.0
    return 1.0


def _liking(ranges: dict[str, float], kind: str) -> _Liking:
    for exactness, name in ((3, kind), (2, f"{kind.partition('/')[0]}/*"), (1, "*/*")):
        if name in ranges:
            return _Liking(ranges[name], exactness)
    return _Liking()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
