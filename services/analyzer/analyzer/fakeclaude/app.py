"""The application: one list of routes for each group of endpoints."""

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from analyzer.fakeclaude import batches, control, files, messages, models
from analyzer.fakeclaude.endpoint import Abortable, Call, endpoint
from analyzer.fakeclaude.state import State
from analyzer.fakeclaude.wire import ApiError


async def _not_here(call: Call) -> Response:
    """Refuse an endpoint that the fake does not have: loudly, not with an empty success."""
    raise ApiError("not_found_error", f"The fake has no {call.request.url.path}")


_NOT_HERE = Route("/v1/{path:path}", endpoint(_not_here, json_body=False), methods=["GET", "POST", "DELETE"])


def create_app(state: State | None = None) -> ASGIApp:
    """Make a fake with its own memory, or with `state`."""
    app = Starlette(
        routes=[*control.ROUTES, *models.ROUTES, *messages.ROUTES, *batches.ROUTES, *files.ROUTES, _NOT_HERE]
    )
    app.state.fake = state or State()
    return Abortable(app)
