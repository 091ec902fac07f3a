"""What a key may be allowed to do."""

from enum import StrEnum

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Scope(StrEnum):
    """One permission. `keys:admin` reaches no further than the scopes that its own key has."""

    ANALYSES_READ = "analyses:read"
    ANALYSES_WRITE = "analyses:write"
    CAPTURES_READ = "captures:read"
    CAPTURES_WRITE = "captures:write"
    BATCHES_READ = "batches:read"
    BATCHES_WRITE = "batches:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    KEYS_ADMIN = "keys:admin"
    USAGE_READ = "usage:read"
    AUDIT_READ = "audit:read"
    TENANT_ADMIN = "tenant:admin"


EVERY_SCOPE = frozenset(Scope)
_BY_VALUE = {scope.value: scope for scope in Scope}


def for_route(noun: str, method: str) -> Scope:
    """Return the scope that a method on a noun's routes needs. Raises `KeyError` for a noun without scopes."""
    way = "read" if method in _READS else "write"
    return _BY_VALUE.get(f"{noun}:admin") or _BY_VALUE[f"{noun}:{way}"]


def known(names: object) -> frozenset[Scope]:
    """Return the scopes in a stored list; those of another release are left out."""
    listed = names if isinstance(names, list) else []
    return frozenset(_BY_VALUE[name] for name in listed if name in _BY_VALUE)
