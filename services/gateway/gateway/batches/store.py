"""Writing and reading batches. Every query names the owner."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, case, delete, func, insert, literal_column, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.analyze import Preset
from contracts.errors import ErrorCode
from gateway.jobs import accounts, admission, expansion, outcomes, removal, spending, tallies
from gateway.jobs.admission import Terms
from gateway.jobs.removal import Removal
from gateway.jobs.states import BatchState, Claimed, Document, Kind, Priority, Stage, State
from gateway.jobs.tallies import Ended
from gateway.tables import IS_QUEUED, IS_RUNNING, batch_rejects, batches, job_secrets, jobs, tenants
from gateway.times import Instant, now_plus
from runtime.ids import new_id

_CHUNK = 1_000
_OPEN = [state for state in State if not state.final]


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
class Reject:
    """One URL that is set aside."""

    place: int
    url: str
    code: str
    detail: str


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
class Record:
    """A batch at one moment: `running` of its URLs are in work, and `now` is the database's clock."""

    id: str
    tenant_id: str
    kind: Kind
    state: BatchState
    asked: Document
    concurrency: int
    error_code: str | None
    error_detail: str | None
    total: int
    rejected: int
    held: int
    succeeded: int
    failed: int
    cancelled: int
    by_static: int
    by_browser: int
    by_unblocker: int
    cost_microusd: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    running: int
    now: datetime

    @property
    def counts(self) -> tuple[object, ...]:
        """What a look at its progress shows."""
        return self.state, self.held, self.in_queue, self.succeeded, self.failed, self.cancelled

    @property
    def in_queue(self) -> int:
        """URLs that wait for a worker, or are in work."""
        return self.total - self.held - self.succeeded - self.failed - self.cancelled


# Of what all batches have in work, never of a whole batch; in the statement of the counters, or they would not agree.
_RUNNING = (
    select(func.count())
    .select_from(jobs)
    .where(jobs.c.batch_id == batches.c.id, jobs.c.tenant_id == batches.c.tenant_id, IS_RUNNING)
    .correlate(batches)
    .scalar_subquery()
)
_NAMES = [name for name in Record.__dataclass_fields__ if name in batches.c]
_COLUMNS = (*(batches.c[name] for name in _NAMES), _RUNNING.label("running"), now_plus().label("now"))


def _record(row: Row[*tuple[Any, ...]]) -> Record:
    fields = {**dict(row._mapping), "kind": Kind(row.kind), "state": BatchState(row.state)}  # noqa: SLF001  # SQLAlchemy's public name
    return Record(**fields)


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


async def plan_of(db: AsyncConnection, tenant_id: str) -> str | None:
    """Return the name of a tenant's plan; None for the local tenant, which has no row."""
    found: str | None = (await db.execute(select(tenants.c.plan).where(tenants.c.id == tenant_id))).scalar_one_or_none()
    return found


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
    for chunk in _chunks(list(zip(ids, items, strict=True))):
        await db.execute(statement, [_row(job_id, item, now) for job_id, item in chunk])
        kept = [(job_id, item.secrets) for job_id, item in chunk if item.secrets]
        if kept:
            keep = insert(job_secrets).values(tenant_id=owner.tenant_id, saved_at=now_plus())
            await db.execute(keep, [{"job_id": job_id, "document": secrets} for job_id, secrets in kept])


async def _add_rejects(db: AsyncConnection, tenant_id: str, batch_id: str, rejects: Sequence[Reject]) -> None:
    for refused in _chunks(list(rejects)):
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


def _chunks(rows: Sequence[Any]) -> Iterator[list[Any]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk


async def get(db: AsyncConnection, tenant_id: str, batch_id: str) -> Record | None:
    """Return a batch."""
    return await _one(db, (batches.c.tenant_id == tenant_id) & (batches.c.id == batch_id))


async def _one(db: AsyncConnection, condition: Any) -> Record | None:  # noqa: ANN401  # a condition
    row = (await db.execute(select(*_COLUMNS).where(condition))).first()
    return None if row is None else _record(row)


async def page(db: AsyncConnection, tenant_id: str, limit: int, before: str | None) -> list[Record]:
    """Return up to `limit` batches older than `before`, newest first."""
    statement = select(*_COLUMNS).where(batches.c.tenant_id == tenant_id)
    if before is not None:
        statement = statement.where(batches.c.id < before)
    return [_record(row) for row in await db.execute(statement.order_by(batches.c.id.desc()).limit(limit))]


async def rejects(db: AsyncConnection, tenant_id: str, batch_id: str, limit: int, after: int) -> list[Reject]:
    """Return up to `limit` URLs that were set aside, behind the place `after`."""
    mine = (batch_rejects.c.tenant_id == tenant_id) & (batch_rejects.c.batch_id == batch_id)
    columns = [batch_rejects.c[name] for name in Reject.__dataclass_fields__]
    statement = select(*columns).where(mine, batch_rejects.c.place > after).order_by(batch_rejects.c.place)
    return [Reject(*row) for row in await db.execute(statement.limit(limit))]


@dataclass(frozen=True)
class Line:
    """One URL of the results; `brief` is its line where it has succeeded."""

    seq: int
    id: str
    url: str
    state: str
    brief: str | None
    error_code: str | None
    error_detail: str | None


_LINE = [jobs.c[name] for name in Line.__dataclass_fields__]


async def lines(
    db: AsyncConnection, tenant_id: str, batch_id: str, limit: int, after: int, *, states: Sequence[State] = ()
) -> list[Line]:
    """Return up to `limit` URLs behind the place `after`, in the order of the request."""
    mine = (jobs.c.batch_id == batch_id) & (jobs.c.tenant_id == tenant_id) & (jobs.c.seq > after)
    statement = select(*_LINE).where(mine).order_by(jobs.c.seq).limit(limit)
    if states:
        statement = statement.where(jobs.c.state.in_(states))
    return [Line(*row) for row in await db.execute(statement)]


_WRITTEN: list[ColumnElement[str]] = [literal_column("'succeeded'"), literal_column("'failed'")]


@dataclass(frozen=True)
class Block:
    """Many lines of results as one text, without a last line break; `last`: the place of the last of them."""

    text: str
    last: int


async def block(
    db: AsyncConnection, tenant_id: str, batch_id: str, limit: int, after: int, *, states: Sequence[State] = ()
) -> Block | None:
    """Return up to `limit` lines behind the place `after` put together by the database, if all of them are written.

    None: there are none, or one of them is not; `lines` tells.
    """
    mine = (jobs.c.batch_id == batch_id) & (jobs.c.tenant_id == tenant_id) & (jobs.c.seq > after)
    written = case((jobs.c.state.in_(_WRITTEN), jobs.c.brief))
    rows = select(jobs.c.seq, written.label("line")).where(mine).order_by(jobs.c.seq).limit(limit)
    part = (rows.where(jobs.c.state.in_(states)) if states else rows).subquery()
    # In the order of the inner query: neither database sorts again what it only has to put together.
    text = (func.string_agg if db.dialect.name == "postgresql" else func.group_concat)(part.c.line, "\n")
    numbers = (
        func.count().label("there"),
        func.count(part.c.line).label("written"),
        func.max(part.c.seq).label("last"),
    )
    row = (await db.execute(select(text.label("text"), *numbers).select_from(part))).one()
    return Block(row.text, row.last) if row.there and row.there == row.written else None


async def pause(db: AsyncConnection, tenant_id: str, batch_id: str) -> bool:
    """Let nothing more into the queue and take back what waits there. False: it has ended, or there is none.

    The batch's row comes first, or somebody who lets URLs in at this moment would leave them there. So no row of a job
    is waited for: whoever holds one is about to take it, and may.
    """
    own = (batches.c.id == batch_id) & (batches.c.tenant_id == tenant_id)
    still = batches.c.state.in_([state for state in BatchState if not state.final])
    if not (await db.execute(update(batches).where(own, still).values(state=BatchState.PAUSED))).rowcount:
        return False
    mine = (jobs.c.batch_id == batch_id) & (jobs.c.tenant_id == tenant_id)
    queued = select(jobs.c.id).where(mine, IS_QUEUED).with_for_update(skip_locked=True)
    back = list((await db.execute(queued)).scalars())
    for chunk in _chunks(back):
        await db.execute(update(jobs).where(mine, jobs.c.id.in_(chunk)).values(state=State.HELD))
    await db.execute(update(batches).where(own).values(held=batches.c.held + len(back)))
    return True


async def resume(db: AsyncConnection, tenant_id: str, batch_id: str) -> bool:
    """Let a paused batch go on. False: it is not paused."""
    own = (batches.c.id == batch_id) & (batches.c.tenant_id == tenant_id)
    statement = update(batches).where(own, batches.c.state == BatchState.PAUSED).values(state=BatchState.RUNNING)
    return bool((await db.execute(statement)).rowcount)


async def cancel(db: AsyncConnection, tenant_id: str, batch_id: str) -> list[str]:
    """End every URL that has not ended; workers that hold one find their lease gone. Return those that were in work."""
    mine = (jobs.c.batch_id == batch_id) & (jobs.c.tenant_id == tenant_id)
    before = select(jobs.c.id, jobs.c.state, jobs.c.quota_day).where(mine, jobs.c.state.in_(_OPEN))
    found = (await db.execute(before.order_by(jobs.c.id).with_for_update())).all()
    text = "The batch was cancelled on request."
    values = {
        "state": State.CANCELLED,
        "error_code": ErrorCode.CANCELLED,
        "error_detail": text,
        "worker_id": null(),
        "lease_until": null(),
        "finished_at": now_plus(),
    }
    for chunk in _chunks(found):
        ids = jobs.c.id.in_([row.id for row in chunk])
        await db.execute(update(jobs).where(mine, ids).values(values))
    working = [row.id for row in found if row.state not in {State.HELD, State.QUEUED}]
    for job_id in working:
        await spending.release(db, job_id)
    await admission.promote(db, tenant_id)
    own = (batches.c.id == batch_id) & (batches.c.tenant_id == tenant_id)
    kind = (await db.execute(select(batches.c.kind).where(own))).scalar_one_or_none()
    if kind is None:
        return []
    await accounts.give_back_many(db, tenant_id, Kind(kind), [row.quota_day for row in found])
    still = batches.c.state.in_([state for state in BatchState if not state.final])
    ended = {"state": BatchState.CANCELLED, "finished_at": now_plus()}
    changed = (await db.execute(update(batches).where(own, still).values(ended))).rowcount
    if changed and not found:
        await tallies.over(db, tenant_id, batch_id)
    if found:
        held = sum(row.state == State.HELD for row in found)
        await tallies.ended(db, batch_id, Ended(State.CANCELLED, len(found), held=held))
    return working


async def remove(db: AsyncConnection, tenant_id: str, batch_id: str) -> bool:
    """Remove a batch that has ended, with its URLs and their results. False: there is none, or it has not ended."""
    own = (batches.c.id == batch_id) & (batches.c.tenant_id == tenant_id)
    over = batches.c.state.in_([state for state in BatchState if state.final])
    if not (await db.execute(delete(batches).where(own, over))).rowcount:
        return False
    mine = select(jobs.c.id).where(jobs.c.batch_id == batch_id, jobs.c.tenant_id == tenant_id)
    ids = list((await db.execute(mine)).scalars())
    for chunk in _chunks(ids):
        await removal.remove_all(db, [Removal(tenant_id, job_id) for job_id in chunk])
    return True


async def retry_failed(db: AsyncConnection, tenant_id: str, record: Record) -> int:
    """Hold every failed URL again, with all its attempts; return how many.

    Those that need what was dropped at their end (`withheld`) stay failed: only their owner can ask anew.
    """
    mine = (jobs.c.batch_id == record.id) & (jobs.c.tenant_id == tenant_id) & (jobs.c.state == State.FAILED)
    listed = select(jobs.c.id, jobs.c.options).where(mine).order_by(jobs.c.id)
    failed = (await db.execute(listed.with_for_update())).all()
    again = [row.id for row in failed if not (row.options or {}).get("withheld")]
    if not again:
        return 0
    values = {**outcomes.ANEW, "state": State.HELD}
    days: list[str | None] = []
    for chunk in _chunks(again):
        statement = update(jobs).where(mine, jobs.c.id.in_(chunk)).values(values)
        days += (await db.execute(statement.returning(jobs.c.quota_day))).scalars().all()
    await accounts.hold_many_again(db, tenant_id, record.kind, days)
    await tallies.revived(db, record.id, len(again), held=len(again))
    return len(again)
