"""The audit log's place in every request: plain ASGI middleware around mutating calls."""

from collections.abc import Iterable

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import walls
from gateway.audit.store import Entry
from gateway.audit.trail import Trail
from gateway.edge.addresses import address_of
from gateway.wiring import Caller

_MUTATING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_WRITTEN = "audited"


def entry_of(request: Request) -> Entry:
    """Return the entry of a request that writes it itself, in the commit of its change; nobody writes it again."""
    request.scope["state"][_WRITTEN] = True
    return _entry(request.scope, 0, "")


class Recorder:
    """Writes the entry of every mutating call of a known caller before its answer leaves."""

    def __init__(self, app: ASGIApp, trail: Trail) -> None:
        """Wrap `app`."""
        self._app = app
        self._trail = trail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI call."""
        if scope["type"] != "http" or scope["method"] not in _MUTATING:
            await self._app(scope, receive, send)
            return

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._note(scope, message["status"], message.get("headers", ()))
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception:
            await self._note(scope, 500, ())
            raise

    async def _note(self, scope: Scope, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        state = scope.get("state", {})
        failed = status >= 400  # noqa: PLR2004  # HTTP's own border
        # A change that failed took its entry with it.
        if "caller" not in state or (state.get(_WRITTEN) and not failed):
            return
        location = next((value.decode("latin-1") for name, value in headers if name.lower() == b"location"), "")
        walls.bind(walls.ALL)
        await self._trail.record(_entry(scope, status, location))


def _entry(scope: Scope, status: int, location: str) -> Entry:
    state = scope["state"]
    caller: Caller = state["caller"]
    named = list(scope.get("path_params", {}).values())
    route = getattr(scope.get("route"), "path", "unmatched")
    return Entry(
        tenant_id=caller.tenant_id,
        actor=caller.key_id or caller.tenant_id,
        action=f"{scope['method']} {route}",
        target_id=str(named[0]) if named else location.rpartition("/")[2],
        address=address_of(scope),
        request_id=state.get("request_id", ""),
        status=status,
    )
