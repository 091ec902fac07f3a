"""Making, rotating and revoking keys. Each change and its line in the audit log are one commit."""

from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import ErrorCode, FieldError
from gateway.access import token
from gateway.access.keyring import Keyring
from gateway.access.scopes import Scope
from gateway.audit.store import Entry, append
from gateway.keys import store
from gateway.keys.store import NewKey, Record
from runtime.errors import ServiceError

MOST_KEYS = 100


@dataclass(frozen=True)
class Wanted:
    """A key to make; `lifetime`: None means for ever."""

    name: str
    scopes: frozenset[Scope]
    lifetime: timedelta | None = None


def missing() -> ServiceError:
    """Say that there is no such key; another tenant's is none."""
    return ServiceError(ErrorCode.NOT_FOUND, "There is no key with this id.")


async def create(
    db: AsyncConnection, keyring: Keyring, by: Entry, wanted: Wanted, own_scopes: frozenset[Scope]
) -> tuple[Record, str]:
    """Return a new key and its secret. Raises FORBIDDEN for scopes beyond the maker's own, CONFLICT at 100 keys."""
    _within(wanted.scopes, own_scopes)
    key = token.mint()
    digest = keyring.digest(key)
    if await store.count_alive(db, by.tenant_id) >= MOST_KEYS:
        raise ServiceError(ErrorCode.CONFLICT, f"There are {MOST_KEYS} keys already. Revoke those of no use any more.")
    row = NewKey(
        tenant_id=by.tenant_id,
        name=wanted.name,
        hint=token.hint(key),
        digest=digest,
        scopes=wanted.scopes,
        created_by=by.actor,
        lifetime=wanted.lifetime,
    )
    return await _stored(db, by, row), key


async def rotate(
    db: AsyncConnection, keyring: Keyring, by: Entry, old_id: str, grace: timedelta, own_scopes: frozenset[Scope]
) -> tuple[Record, str]:
    """Make a key that takes another's place; the old one lives on for `grace`. Raises as `create`, and NOT_FOUND."""
    old = await store.locked(db, by.tenant_id, old_id)
    if old is None:
        raise missing()
    if not old.alive:
        raise ServiceError(ErrorCode.CONFLICT, "The key has ended. Make a new one.")
    # Whoever rotates a key gets to see its successor.
    _within(old.scopes, own_scopes)
    key = token.mint()
    row = NewKey(
        tenant_id=by.tenant_id,
        name=old.name,
        hint=token.hint(key),
        digest=keyring.digest(key),
        scopes=old.scopes,
        created_by=by.actor,
        lifetime=None if old.expires_at is None else old.expires_at - old.created_at,
        replaces=old.id,
    )
    await store.expire(db, by.tenant_id, old.id, grace)
    keyring.forget(old.id)
    return await _stored(db, by, row), key


async def revoke(db: AsyncConnection, keyring: Keyring, by: Entry, key_id: str) -> None:
    """End a key at once; doing it twice is no error. Raises NOT_FOUND."""
    if await store.revoke(db, by.tenant_id, key_id):
        await append(db, [replace(by, target_id=key_id, status=204)])
    elif await store.get(db, by.tenant_id, key_id) is None:
        raise missing()
    keyring.forget(key_id)


async def _stored(db: AsyncConnection, by: Entry, row: NewKey) -> Record:
    key_id = await store.insert_key(db, row)
    await append(db, [replace(by, target_id=key_id, status=201)])
    record = await store.get(db, by.tenant_id, key_id)
    assert record is not None
    return record


def _within(wanted: frozenset[Scope], own: frozenset[Scope]) -> None:
    excess = sorted(wanted - own)
    if excess:
        text = f"your own key lacks {', '.join(excess)}"
        raise ServiceError(ErrorCode.FORBIDDEN, f"scopes: {text}", errors=[FieldError(field="scopes", message=text)])
