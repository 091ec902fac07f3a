"""The model's last answer to each of a tenant's pages. The analyzer says whether it still fits.

Another tenant never gets it, nor sees by its cost that there is one. See docs/adr/0019.

An address stands here as a hash, because it may hold what is nobody's business, and is long.
"""

import hashlib
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.result import Memo
from gateway.jobs.states import Claimed
from gateway.tables import memos
from gateway.times import now_plus


def _page(url: str) -> str:
    return hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()


async def load(db: AsyncConnection, job: Claimed, lasts: timedelta) -> Memo | None:
    """Return what was kept for this page and preset, if that is younger than `lasts`."""
    mine = (memos.c.tenant_id == job.tenant_id) & (memos.c.page == _page(job.url))
    young = memos.c.saved_at > now_plus(-lasts)
    statement = select(memos.c.document).where(mine, memos.c.preset == (job.preset or ""), young)
    found = (await db.execute(statement)).scalar_one_or_none()
    return None if found is None else Memo.model_validate(found)


async def keep(db: AsyncConnection, job: Claimed, memo: Memo) -> None:
    """Keep an answer in place of the one before."""
    row = {
        "tenant_id": job.tenant_id,
        "page": _page(job.url),
        "preset": job.preset or "",
        "document": memo.model_dump(mode="json"),
        "saved_at": now_plus(),
    }
    upsert = (postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert)(memos).values(row)
    fresh = {"document": upsert.excluded.document, "saved_at": now_plus()}
    keys = [memos.c.tenant_id, memos.c.page, memos.c.preset]
    await db.execute(upsert.on_conflict_do_update(index_elements=keys, set_=fresh))


async def sweep(db: AsyncConnection, lasts: timedelta) -> int:
    """Forget what is too old to be used; return how many there were."""
    return (await db.execute(delete(memos).where(memos.c.saved_at <= now_plus(-lasts)))).rowcount
