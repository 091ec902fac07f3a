"""`/pressure`: how much room there is, for people as JSON, for load balancers as a status."""

import math

from fastapi import Request, Response

from contracts.render import Pressure

_JSON, _TEXT = "application/json", "text/plain"


def answer(request: Request, pressure: Pressure) -> Response:
    """Answer with 200 and JSON; where text is asked for, with 200 "ok" or 503 "busy" and Retry-After."""
    headers = {} if pressure.accepting else {"Retry-After": str(math.ceil(pressure.retry_after_s))}
    if not _wants_text(request):
        return Response(pressure.model_dump_json(), media_type=_JSON, headers=headers)
    if pressure.accepting:
        return Response("ok", media_type=_TEXT)
    return Response("busy", 503, media_type=_TEXT, headers=headers)


def _wants_text(request: Request) -> bool:
    if wanted := request.query_params.get("format"):
        return wanted == "text"
    accept = request.headers.get("accept", "")
    return _TEXT in accept and _JSON not in accept
