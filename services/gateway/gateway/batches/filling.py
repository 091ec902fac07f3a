"""Storing a batch with its URLs: all of it in one transaction, or nothing. Every query names the owner."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.analyze import Preset
from contracts.errors import ErrorCode
from gateway.batches.store import Reject
from gateway.jobs import accounts, admission, expansion, tallies
from gateway.jobs.admission import Terms
from gateway.jobs.states import BatchState, Claimed, Document, Kind, Priority, Stage, State
from gateway.tables import batch_rejects, batches, job_secrets, jobs
from gateway.times import Instant, now_plus
from runtime.ids import new_id

_CHUNK = 1_000


@dataclass(frozen=True)
class Item:
    """One URL that is accepted. `turn`: how many URLs of its host are before it; `wait_s`: its distance from now."""

    seq: int
    url: str
    turn: int
    wait_s: float
    preset: Preset | None
    options: Document | None
    secrets: Document | None
    light: bool


@dataclass(frozen=True)
class New:
    """A batch before it is stored. Amounts in millionths of a USD.

    `wanted`: all that was asked, where a sitemap is read first; it may be confidential.
    """

    tenant_id: str
    kind: Kind
    asked: Document
    concurrency: int
    max_cost_microusd: int | None
    unit_microusd: int
    trace: str
    webhook_url: str | None = None
    webhook_each: int = 0
    sitemap_url: str | None = None
    wanted: Document | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Owner:
    """The batch to which URLs belong, and what they have of it."""

    batch_id: str
    tenant_id: str
    kind: Kind
    trace: str


async def add(db: AsyncConnection, new: New, items: Sequence[Item], rejects: Sequence[Reject]) -> str:
    """Store a batch with its URLs in one transaction, and return its id.

    Raises QUOTA_EXCEEDED where the tenant's day does not cover all URLs.
    """
    allowed = await admission.terms(db, new.tenant_id)
    batch_id = new_id("bat")
    counts = {"total": len(items), "held": len(items), "rejected": len(rejects)}
    values = {name: value for name, value in vars(new).items() if name not in {"trace", "wanted"}}
    row = {**values, **counts, "id": batch_id, "state": BatchState.QUEUED, "created_at": now_plus()}
    await db.execute(insert(batches).values(row))
    if items:
        await _add_urls(db, Owner(batch_id, new.tenant_id, new.kind, new.trace), items, allowed)
    await _add_rejects(db, new.tenant_id, batch_id, rejects)
    if new.sitemap_url is not None and new.wanted is not None:
        await expansion.schedule(db, new.tenant_id, batch_id, new.sitemap_url, new.wanted)
    return batch_id


async def fill(
    db: AsyncConnection, job: Claimed, batch_id: str, items: Sequence[Item], rejects: Sequence[Reject]
) -> bool:
    """Give a batch the URLs of its sitemap, and end the job that read it. False: the job is no longer ours.

    Raises QUOTA_EXCEEDED where the tenant's day does not cover all URLs.
    """
    if not await expansion.conclude(db, job):
        return False
    allowed = await admission.terms(db, job.tenant_id)
    own = (batches.c.id == batch_id) & (batches.c.tenant_id == job.tenant_id)
    row = (await db.execute(select(batches.c.kind, batches.c.state).where(own).with_for_update())).first()
    if row is None or BatchState(row.state).final:
        # Cancelled meanwhile: there is nothing to fill.
        return True
    values: dict[str, Any] = {"total": len(items), "held": len(items), "rejected": len(rejects)}
    if items:
        await _add_urls(db, Owner(batch_id, job.tenant_id, Kind(row.kind), job.trace), items, allowed)
    else:
        values |= {"state": BatchState.COMPLETED, "finished_at": now_plus()}
    await db.execute(update(batches).where(own).values(values))
    await _add_rejects(db, job.tenant_id, batch_id, rejects)
    if not items:
        await tallies.over(db, job.tenant_id, batch_id)
    return True


async def refuse(db: AsyncConnection, job: Claimed, batch_id: str, code: ErrorCode, detail: str) -> bool:
    """End a batch that cannot have its URLs, and the job that read them. False: the job is no longer ours."""
    if not await expansion.conclude(db, job):
        return False
    await expansion.stillborn(db, job.tenant_id, batch_id, code, detail)
    return True


async def _add_urls(db: AsyncConnection, owner: Owner, items: Sequence[Item], allowed: Terms) -> None:
    day = await accounts.hold(db, owner.tenant_id, owner.kind, (allowed.daily or {}).get(owner.kind), len(items))
    statement = insert(jobs).values(
        tenant_id=owner.tenant_id,
        kind=owner.kind,
        trace=owner.trace,
        priority=int(Priority.BATCH),
        state=State.HELD,
        stage=Stage.RENDER,
        batch_id=owner.batch_id,
        quota_day=day,
        created_at=now_plus(),
        run_at=bindparam("due", type_=Instant()),
    )
    now = (await db.execute(select(now_plus()))).scalar_one()
    ids = [new_id(owner.kind.id_prefix) for _ in items]
    for chunk in chunks(list(zip(ids, items, strict=True))):
        await db.execute(statement, [_row(job_id, item, now) for job_id, item in chunk])
        kept = [(job_id, item.secrets) for job_id, item in chunk if item.secrets]
        if kept:
            keep = insert(job_secrets).values(tenant_id=owner.tenant_id, saved_at=now_plus())
            await db.execute(keep, [{"job_id": job_id, "document": secrets} for job_id, secrets in kept])


async def _add_rejects(db: AsyncConnection, tenant_id: str, batch_id: str, rejects: Sequence[Reject]) -> None:
    for refused in chunks(list(rejects)):
        rows = [{**vars(one), "batch_id": batch_id, "tenant_id": tenant_id} for one in refused]
        await db.execute(insert(batch_rejects), rows)


def _row(job_id: str, item: Item, now: datetime) -> dict[str, Any]:
    # An insert of many takes no SQL null, and a JSON column would make a JSON one of None.
    options = {} if item.options is None else {"options": item.options}
    return {
        **options,
        "id": job_id,
        "seq": item.seq,
        "url": item.url,
        "preset": item.preset or "",
        "order_key": float(item.turn),
        "due": now + timedelta(seconds=item.wait_s),
        "light": int(item.light),
    }


def chunks(rows: Sequence[Any]) -> Iterator[list[Any]]:
    """Part rows, a thousand for each statement."""
    iterator = iter(rows)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
