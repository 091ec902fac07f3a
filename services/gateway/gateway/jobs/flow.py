"""How much waits, and how fast it is done."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.jobs.states import Kind
from gateway.tables import IS_QUEUED, IS_RUNNING, jobs
from gateway.times import now_plus

WINDOW = timedelta(seconds=30)
"""What is done is counted over this time: long enough for slow pages, short enough to notice lost renderers."""

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
