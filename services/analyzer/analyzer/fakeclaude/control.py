"""The fake's own endpoints: what was received, what shall happen next."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from analyzer.fakeclaude.scenarios import parse
from analyzer.fakeclaude.wire import ApiError


async def log(request: Request) -> Response:
    """Return the requests received, oldest first, pixels left out."""
    return JSONResponse({"data": list(request.app.state.fake.log)})


async def script(request: Request) -> Response:
    """Queue scenarios for the next requests: a JSON list of texts."""
    try:
        steps = [str(step) for step in await request.json()]
        for step in steps:
            parse(step)
    except (ApiError, ValueError, TypeError) as exc:
        return JSONResponse({"error": str(exc)}, status_code=400)
    request.app.state.fake.script.extend(steps)
    return JSONResponse({"queued": len(steps)})


async def keys(request: Request) -> Response:
    """Give keys a scenario of their own: a JSON object of key → text; an empty text takes it away."""
    try:
        wishes = {str(key): str(spec) for key, spec in dict(await request.json()).items()}
        for spec in filter(None, wishes.values()):
            parse(spec)
    except (ApiError, ValueError, TypeError) as exc:
        return JSONResponse({"error": str(exc)}, status_code=400)
    request.app.state.fake.by_key.update(wishes)
    return JSONResponse({"keys": len(wishes)})


async def reset(request: Request) -> Response:
    """Forget log, script, cache and counts."""
    request.app.state.fake.reset()
    return Response(status_code=204)


ROUTES = [
    Route("/__log", log),
    Route("/__script", script, methods=["POST"]),
    Route("/__keys", keys, methods=["POST"]),
    Route("/__reset", reset, methods=["POST"]),
]
