"""`POST /fetch`: a page through the tiers, its artifacts where they were asked for."""

from datetime import timedelta

from contracts.fetch import FetchRequest
from renderer.render import Rendered
from renderer.tiers.fetching import Fetching
from renderer.uploads import Upload, Uploads

_UPLOAD_S = 5.0


async def fetch(request: FetchRequest, fetching: Fetching, uploads: Uploads) -> Rendered:
    """Do one fetch that was let in, and store what has a slot. Raises `ServiceError`."""
    uploads.check(request.uploads)
    had = await fetching.fetch(request)
    slots = request.uploads
    wanted = [
        Upload(piece.artifact.name, slots[piece.artifact.name], piece.artifact.content_type, piece.data)
        for piece in had.pieces
        if piece.artifact.name in slots
    ]
    if wanted:
        await uploads.put(wanted, timedelta(seconds=_UPLOAD_S))
    return had
