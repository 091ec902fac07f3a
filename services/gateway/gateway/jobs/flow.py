"""How much waits, how long it has, and how fast it is done."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Integer, case, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.jobs.states import Kind
from gateway.tables import IS_QUEUED, IS_RUNNING, jobs
from gateway.times import now_plus

WINDOW = timedelta(seconds=30)
"""What is done is counted over this time: long enough for slow pages, short enough to notice lost renderers."""

_ONE: ColumnElement[int] = literal_column("1", Integer)
_NOTHING: ColumnElement[int] = literal_column("0", Integer)

# Results that wait for the model wait for nobody here, and keep nobody waiting.
_BEFORE_ITS_END = IS_QUEUED & (jobs.c.kind != Kind.ENRICHMENT)


@dataclass(frozen=True)
class Flow:
    """The whole queue at one moment, and the jobs that ended in the `WINDOW` before it."""

    queued: int
    running: int
    finished: int

    @property
    def per_second(self) -> float:
        """Jobs that end in a second."""
        return self.finished / WINDOW.total_seconds()


async def measure(db: AsyncConnection) -> Flow:
    """Count, each from its own index: for dashboards, and to refuse what cannot be done soon."""
    queued, running, finished = (
        select(func.count()).select_from(jobs).where(condition).scalar_subquery()
        for condition in (_BEFORE_ITS_END, IS_RUNNING, jobs.c.finished_at > now_plus(-WINDOW))
    )
    row = (await db.execute(select(queued.label("queued"), running.label("running"), finished.label("finished")))).one()
    return Flow(row.queued, row.running, row.finished)


@dataclass(frozen=True)
class Depth:
    """How much work there is of one kind and class."""

    kind: str
    priority: int
    queued: int
    running: int
    oldest: timedelta


async def depth(db: AsyncConnection) -> list[Depth]:
    """Count the work that is not finished; `oldest` is how long the first of it has been due."""
    now = now_plus()
    statement = (
        select(
            jobs.c.kind,
            jobs.c.priority,
            func.sum(case((IS_QUEUED, _ONE), else_=_NOTHING)).label("queued"),
            func.sum(case((IS_RUNNING, _ONE), else_=_NOTHING)).label("running"),
            func.min(case((IS_QUEUED & (jobs.c.run_at <= now), jobs.c.run_at))).label("due_since"),
            now.label("now"),
        )
        .where(IS_QUEUED | IS_RUNNING)
        .group_by(jobs.c.kind, jobs.c.priority)
    )
    return [
        Depth(row.kind, row.priority, row.queued, row.running, row.now - (row.due_since or row.now))
        for row in await db.execute(statement)
    ]
