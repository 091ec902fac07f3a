"""Looking keys up. The digest is the owner's proof, so these are the queries that name no tenant."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.analyze import Overrides
from gateway.access.scopes import Scope, known
from gateway.tables import api_keys, tenants
from gateway.times import now_plus


@dataclass(frozen=True)
class Credential:
    """A key that is valid until `expires_at`, and whose it is."""

    key_id: str
    tenant_id: str
    scopes: frozenset[Scope]
    plan: str
    digest: str
    expires_at: datetime | None
    tenant_disabled: bool
    thresholds: Overrides = field(default_factory=dict)


async def find(db: AsyncConnection, digests: Collection[str]) -> Credential | None:
    """Return the key with one of these digests, unless it was revoked or has expired."""
    alive = api_keys.c.revoked_at.is_(None) & (api_keys.c.expires_at.is_(None) | (api_keys.c.expires_at > now_plus()))
    source = api_keys.join(tenants, tenants.c.id == api_keys.c.tenant_id)
    statement = (
        select(api_keys, tenants.c.plan, tenants.c.disabled_at, tenants.c.thresholds)
        .select_from(source)
        .where(api_keys.c.digest.in_(digests), alive)
    )
    row = (await db.execute(statement)).first()
    if row is None:
        return None
    return Credential(
        key_id=row.id,
        tenant_id=row.tenant_id,
        scopes=known(row.scopes),
        plan=row.plan,
        digest=row.digest,
        expires_at=row.expires_at,
        tenant_disabled=row.disabled_at is not None,
        thresholds=row.thresholds or {},
    )


async def rehash(db: AsyncConnection, key_id: str, old: str, new: str) -> None:
    """Store a key under the present pepper; nothing happens where somebody else has done it."""
    statement = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.digest == old).values(digest=new)
    await db.execute(statement)


async def touch(db: AsyncConnection, key_ids: Collection[str]) -> None:
    """Note that keys were used just now."""
    statement = update(api_keys).where(api_keys.c.id.in_(key_ids)).values(last_used_at=now_plus())
    await db.execute(statement)
