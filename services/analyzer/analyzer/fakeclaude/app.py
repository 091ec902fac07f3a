"""The application: one list of routes for each group of endpoints. Batches and files get theirs when they come."""

from starlette.applications import Starlette
from starlette.types import ASGIApp

from analyzer.fakeclaude import control, messages, models
from analyzer.fakeclaude.endpoint import Abortable
from analyzer.fakeclaude.state import State


def create_app(state: State | None = None) -> ASGIApp:
    """Make a fake with its own memory, or with `state`."""
    app = Starlette(routes=[*control.ROUTES, *models.ROUTES, *messages.ROUTES])
    app.state.fake = state or State()
    return Abortable(app)
