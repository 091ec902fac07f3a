"""A tenant's keys. Every query names the owner."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.scopes import Scope, known
from gateway.tables import api_keys, tenants
from gateway.times import now_plus
from runtime.ids import new_id


@dataclass(frozen=True)
class NewKey:
    """A key to be stored. `lifetime`: None means for ever."""

    tenant_id: str
    name: str
    hint: str
    digest: str
    scopes: frozenset[Scope]
    created_by: str
    lifetime: timedelta | None = None
    replaces: str | None = None


@dataclass(frozen=True)
class Record:
    """A key without what is secret of it. `alive`: neither revoked nor expired, by the database's clock."""

    id: str
    name: str
    hint: str
    scopes: frozenset[Scope]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaces: str | None
    alive: bool


_ALIVE = api_keys.c.revoked_at.is_(None) & (api_keys.c.expires_at.is_(None) | (api_keys.c.expires_at > now_plus()))


def _record(row: Row[*tuple[Any, ...]]) -> Record:
    return Record(
        id=row.id,
        name=row.name,
        hint=row.hint,
        scopes=known(row.scopes),
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        replaces=row.replaces,
        alive=bool(row.alive),
    )


def _one(tenant_id: str, key_id: str) -> ColumnElement[bool]:
    return (api_keys.c.tenant_id == tenant_id) & (api_keys.c.id == key_id)


async def insert_key(db: AsyncConnection, key: NewKey) -> str:
    """Store a key and return its id."""
    key_id = new_id("key")
    row = {
        "id": key_id,
        "tenant_id": key.tenant_id,
        "name": key.name,
        "hint": key.hint,
        "digest": key.digest,
        "scopes": sorted(key.scopes),
        "created_by": key.created_by,
        "created_at": now_plus(),
        "replaces": key.replaces,
    }
    if key.lifetime is not None:
        row["expires_at"] = now_plus(key.lifetime)
    await db.execute(insert(api_keys).values(row))
    return key_id


async def get(db: AsyncConnection, tenant_id: str, key_id: str) -> Record | None:
    """Return one key."""
    statement = select(api_keys, _ALIVE.label("alive")).where(_one(tenant_id, key_id))
    row = (await db.execute(statement)).first()
    return None if row is None else _record(row)


async def locked(db: AsyncConnection, tenant_id: str, key_id: str) -> Record | None:
    """Return one key, which nobody else can change until the commit."""
    statement = select(api_keys, _ALIVE.label("alive")).where(_one(tenant_id, key_id)).with_for_update()
    row = (await db.execute(statement)).first()
    return None if row is None else _record(row)


async def page(db: AsyncConnection, tenant_id: str, limit: int, before: str | None) -> list[Record]:
    """Return up to `limit` keys older than `before`, newest first, revoked ones too."""
    statement = select(api_keys, _ALIVE.label("alive")).where(api_keys.c.tenant_id == tenant_id)
    if before is not None:
        statement = statement.where(api_keys.c.id < before)
    rows = await db.execute(statement.order_by(api_keys.c.id.desc()).limit(limit))
    return [_record(row) for row in rows]


async def count_alive(db: AsyncConnection, tenant_id: str) -> int:
    """Count the keys that open something, with the tenant's row locked, so that two counts take turns."""
    await db.execute(select(tenants.c.id).where(tenants.c.id == tenant_id).with_for_update(key_share=True))
    statement = select(func.count()).select_from(api_keys).where(api_keys.c.tenant_id == tenant_id, _ALIVE)
    return int((await db.execute(statement)).scalar_one())


async def revoke(db: AsyncConnection, tenant_id: str, key_id: str) -> bool:
    """End a key for good. False: there is none, or it was revoked before."""
    statement = update(api_keys).where(_one(tenant_id, key_id), api_keys.c.revoked_at.is_(None))
    return bool((await db.execute(statement.values(revoked_at=now_plus()))).rowcount)


async def expire(db: AsyncConnection, tenant_id: str, key_id: str, after: timedelta) -> None:
    """Let a key end after `after`, unless it ends sooner anyhow."""
    sooner = api_keys.c.expires_at.is_(None) | (api_keys.c.expires_at > now_plus(after))
    statement = update(api_keys).where(_one(tenant_id, key_id), sooner).values(expires_at=now_plus(after))
    await db.execute(statement)
