"""The rows behind `Idempotency-Key`. Every query names the owner."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, null, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.idempotency.keys import Ticket
from gateway.tables import idempotency_keys as keys
from gateway.times import now_plus

LIFETIME = timedelta(hours=24)


@dataclass(frozen=True)
class Promise:
    """What a key stands for. `answer`: the body that was given while the job was not finished."""

    fingerprint: str
    job_id: str
    origin: str
    answer: str | None


def _mine(ticket: Ticket) -> ColumnElement[bool]:
    return (keys.c.tenant_id == ticket.tenant_id) & (keys.c.key == ticket.key)


def _young() -> ColumnElement[bool]:
    return keys.c.created_at > now_plus(-LIFETIME)


def _promise(row: Row[Any] | None) -> Promise | None:
    return None if row is None else Promise(row.fingerprint, row.job_id or "", row.origin, row.answer)


async def find(db: AsyncConnection, ticket: Ticket) -> Promise | None:
    """Return what a key stands for; after 24 hours it stands for nothing."""
    return _promise((await db.execute(select(keys).where(_mine(ticket), _young()))).first())


async def claim(db: AsyncConnection, ticket: Ticket) -> Promise | None:
    """Take a key for this transaction; None: it is ours, else what it stands for.

    Of many at once, all but one wait here until that one has committed or failed.
    """
    fresh = {
        "fingerprint": ticket.fingerprint,
        "job_id": null(),
        "origin": "made",
        "answer": null(),
        "created_at": now_plus(),
    }
    row = {"tenant_id": ticket.tenant_id, "key": ticket.key, **fresh}
    upsert: Any = (postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert)(keys).values(row)
    statement = upsert.on_conflict_do_update(
        index_elements=[keys.c.tenant_id, keys.c.key], set_=fresh, where=~_young()
    ).returning(keys.c.key)
    if (await db.execute(statement)).first() is not None:
        return None
    return _promise((await db.execute(select(keys).where(_mine(ticket)))).one())


async def point(db: AsyncConnection, ticket: Ticket, job_id: str, origin: str) -> None:
    """Say which job the key stands for, in the transaction that claimed it."""
    await db.execute(update(keys).where(_mine(ticket)).values(job_id=job_id, origin=origin))


async def remember(db: AsyncConnection, ticket: Ticket, job_id: str, answer: str) -> None:
    """Keep the first answer that was given."""
    statement = update(keys).where(_mine(ticket), keys.c.job_id == job_id, keys.c.answer.is_(None))
    await db.execute(statement.values(answer=answer))


async def forget_answers(db: AsyncConnection, tenant_id: str, job_ids: list[str]) -> None:
    """Drop what was told about deleted jobs; their keys go on standing for them."""
    mine = (keys.c.tenant_id == tenant_id) & keys.c.job_id.in_(job_ids)
    await db.execute(update(keys).where(mine).values(answer=null()))


async def overdue(db: AsyncConnection, ahead: timedelta = timedelta()) -> bool:
    """Whether there is something to sweep."""
    old = select(keys.c.key).where(keys.c.created_at <= now_plus(ahead - LIFETIME)).limit(1)
    return (await db.execute(old)).first() is not None


async def sweep(db: AsyncConnection, ahead: timedelta = timedelta(), limit: int = 1_000) -> int:
    """Remove keys that are out of date, of all tenants; return how many. `ahead`: as if it were that much later."""
    old = select(keys.c.tenant_id, keys.c.key).where(keys.c.created_at <= now_plus(ahead - LIFETIME)).limit(limit)
    rows = (await db.execute(old)).all()
    for row in rows:
        gone = (keys.c.tenant_id == row.tenant_id) & (keys.c.key == row.key)
        await db.execute(delete(keys).where(gone, keys.c.created_at <= now_plus(ahead - LIFETIME)))
    return len(rows)
