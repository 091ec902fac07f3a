"""Writing and reading batches. Every query names the owner."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Row, bindparam, insert, null, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.analyze import Preset
from contracts.errors import ErrorCode
from gateway.jobs import accounts, admission, feeding, spending, tallies
from gateway.jobs.states import BatchState, Document, Kind, Priority, Stage, State
from gateway.jobs.tallies import Ended
from gateway.tables import IS_QUEUED, batch_rejects, batches, job_secrets, jobs
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
    """A batch before it is stored. Amounts in millionths of a USD."""

    tenant_id: str
    kind: Kind
    asked: Document
    concurrency: int
    max_cost_microusd: int | None
    unit_microusd: int
    idempotency_key: str | None
    fingerprint: str
    trace: str


@dataclass(frozen=True)
class Record:
    """A batch as it is stored; `now` is the database's clock."""

    id: str
    tenant_id: str
    kind: Kind
    state: BatchState
    asked: Document
    concurrency: int
    fingerprint: str
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
    now: datetime

    @property
    def in_queue(self) -> int:
        """URLs that wait for a worker, or are in work."""
        return self.total - self.held - self.succeeded - self.failed - self.cancelled


_NAMES = [name for name in Record.__dataclass_fields__ if name != "now"]
_COLUMNS = [batches.c[name] for name in _NAMES]


def _record(row: Row[*tuple[Any, ...]]) -> Record:
    fields = {**dict(row._mapping), "kind": Kind(row.kind), "state": BatchState(row.state)}  # noqa: SLF001  # SQLAlchemy's public name
    return Record(**fields)


async def add(db: AsyncConnection, new: New, items: Sequence[Item], rejects: Sequence[Reject]) -> str | None:
    """Store a batch with its URLs in one transaction, and return its id.

    None: the idempotency key was used before. Raises QUOTA_EXCEEDED where the tenant's day does not cover all URLs.
    """
    allowed = await admission.terms(db, new.tenant_id)
    batch_id = new_id("bat")
    if not await _opened(db, batch_id, new, len(items), len(rejects)):
        return None
    day = await accounts.hold(db, new.tenant_id, new.kind, (allowed.daily or {}).get(new.kind), len(items))
    statement = insert(jobs).values(
        tenant_id=new.tenant_id,
        kind=new.kind,
        trace=new.trace,
        priority=int(Priority.BATCH),
        state=State.HELD,
        stage=Stage.RENDER,
        batch_id=batch_id,
        quota_day=day,
        created_at=now_plus(),
        run_at=bindparam("due", type_=Instant()),
    )
    now = (await db.execute(select(now_plus()))).scalar_one()
    ids = [new_id(new.kind.id_prefix) for _ in items]
    for chunk in _chunks(list(zip(ids, items, strict=True))):
        await db.execute(statement, [_row(job_id, item, now) for job_id, item in chunk])
        kept = [(job_id, item.secrets) for job_id, item in chunk if item.secrets]
        if kept:
            keep = insert(job_secrets).values(tenant_id=new.tenant_id, saved_at=now_plus())
            await db.execute(keep, [{"job_id": job_id, "document": secrets} for job_id, secrets in kept])
    for refused in _chunks(list(rejects)):
        rows = [{**vars(one), "batch_id": batch_id, "tenant_id": new.tenant_id} for one in refused]
        await db.execute(insert(batch_rejects), rows)
    return batch_id


async def _opened(db: AsyncConnection, batch_id: str, new: New, total: int, rejected: int) -> bool:
    values = {name: value for name, value in vars(new).items() if name != "trace"}
    counts = {"total": total, "held": total, "rejected": rejected}
    row = {**values, **counts, "id": batch_id, "state": BatchState.QUEUED, "created_at": now_plus()}
    upsert: Any = (postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert)(batches).values(row)
    statement = upsert.on_conflict_do_nothing(index_elements=[batches.c.tenant_id, batches.c.idempotency_key])
    return (await db.execute(statement.returning(batches.c.id))).first() is not None


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


def _chunks(rows: list[Any]) -> Iterator[list[Any]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk


async def get(db: AsyncConnection, tenant_id: str, batch_id: str) -> Record | None:
    """Return a batch."""
    return await _one(db, (batches.c.tenant_id == tenant_id) & (batches.c.id == batch_id))


async def by_key(db: AsyncConnection, tenant_id: str, key: str) -> Record | None:
    """Return the batch that an idempotency key made."""
    return await _one(db, (batches.c.tenant_id == tenant_id) & (batches.c.idempotency_key == key))


async def _one(db: AsyncConnection, condition: Any) -> Record | None:  # noqa: ANN401  # a condition
    row = (await db.execute(select(*_COLUMNS, now_plus().label("now")).where(condition))).first()
    return None if row is None else _record(row)


async def page(db: AsyncConnection, tenant_id: str, limit: int, before: str | None) -> list[Record]:
    """Return up to `limit` batches older than `before`, newest first."""
    statement = select(*_COLUMNS, now_plus().label("now")).where(batches.c.tenant_id == tenant_id)
    if before is not None:
        statement = statement.where(batches.c.id < before)
    return [_record(row) for row in await db.execute(statement.order_by(batches.c.id.desc()).limit(limit))]


async def running(db: AsyncConnection, tenant_id: str, batch_id: str) -> int:
    """Count the URLs that are in work."""
    return await feeding.running(db, tenant_id, batch_id)


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


async def pause(db: AsyncConnection, tenant_id: str, batch_id: str) -> bool:
    """Let nothing more into the queue and take back what waits there. False: it has ended, or there is none."""
    mine = (jobs.c.batch_id == batch_id) & (jobs.c.tenant_id == tenant_id)
    back = (await db.execute(update(jobs).where(mine, IS_QUEUED).values(state=State.HELD))).rowcount
    own = (batches.c.id == batch_id) & (batches.c.tenant_id == tenant_id)
    still = batches.c.state.in_([state for state in BatchState if not state.final])
    statement = update(batches).where(own, still).values(state=BatchState.PAUSED, held=batches.c.held + back)
    return bool((await db.execute(statement)).rowcount)


async def resume(db: AsyncConnection, tenant_id: str, batch_id: str) -> bool:
    """Let a paused batch go on. False: it is not paused."""
    own = (batches.c.id == batch_id) & (batches.c.tenant_id == tenant_id)
    statement = update(batches).where(own, batches.c.state == BatchState.PAUSED).values(state=BatchState.RUNNING)
    return bool((await db.execute(statement)).rowcount)


async def cancel(db: AsyncConnection, tenant_id: str, batch_id: str) -> int:
    """End every URL that has not ended; workers that hold one find their lease gone. Return how many there were."""
    mine = (jobs.c.batch_id == batch_id) & (jobs.c.tenant_id == tenant_id)
    before = select(jobs.c.id, jobs.c.state, jobs.c.quota_day).where(mine, jobs.c.state.in_(_OPEN))
    found = (await db.execute(before.with_for_update())).all()
    text = "The batch was cancelled on request."
    values = {
        "state": State.CANCELLED,
        "error_code": ErrorCode.CANCELLED,
        "error_detail": text,
        "worker_id": null(),
        "lease_until": null(),
        "finished_at": now_plus(),
    }
    await db.execute(update(jobs).where(mine, jobs.c.state.in_(_OPEN)).values(values))
    for row in found:
        if row.state not in {State.HELD, State.QUEUED}:
            await spending.release(db, row.id)
    await admission.promote(db, tenant_id)
    own = (batches.c.id == batch_id) & (batches.c.tenant_id == tenant_id)
    kind = (await db.execute(select(batches.c.kind).where(own))).scalar_one_or_none()
    if kind is None:
        return 0
    await accounts.give_back_many(db, tenant_id, Kind(kind), [row.quota_day for row in found])
    still = batches.c.state.in_([state for state in BatchState if not state.final])
    ended = {"state": BatchState.CANCELLED, "finished_at": now_plus()}
    await db.execute(update(batches).where(own, still).values(ended))
    if found:
        held = sum(row.state == State.HELD for row in found)
        await tallies.ended(db, batch_id, Ended(State.CANCELLED, len(found), held=held))
    return len(found)


async def retry_failed(db: AsyncConnection, tenant_id: str, record: Record) -> int:
    """Hold every failed URL again, with all its attempts; return how many.

    Those that need what was dropped at their end (`withheld`) stay failed: only their owner can ask anew.
    """
    mine = (jobs.c.batch_id == record.id) & (jobs.c.tenant_id == tenant_id) & (jobs.c.state == State.FAILED)
    failed = (await db.execute(select(jobs.c.id, jobs.c.options).where(mine).with_for_update())).all()
    again = [row.id for row in failed if not (row.options or {}).get("withheld")]
    if not again:
        return 0
    values = {
        "state": State.HELD,
        "attempt": 0,
        "crash_count": 0,
        "run_at": now_plus(),
        "finished_at": null(),
        "error_code": null(),
        "error_detail": null(),
    }
    days: list[str | None] = []
    for chunk in _chunks(again):
        statement = update(jobs).where(mine, jobs.c.id.in_(chunk)).values(values)
        days += (await db.execute(statement.returning(jobs.c.quota_day))).scalars().all()
    await accounts.hold_many_again(db, tenant_id, record.kind, days)
    await tallies.revived(db, record.id, len(again), held=len(again))
    return len(again)
