"""Where a request comes from."""

from starlette.types import Scope


def address_of(scope: Scope) -> str:
    """Return the caller's address: what was worked out from trusted proxies, where it was, else the peer's."""
    told = scope.get("state", {}).get("client_address")
    return str(told or (scope.get("client") or ("",))[0])
