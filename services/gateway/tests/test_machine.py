"""Any order of claims, losses, writes and cancels leaves the queue whole: checked against a small model."""

import asyncio
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import select, update

from contracts.analyze import AnalyzeRequest, Preset
from contracts.errors import ErrorCode
from contracts.render import RenderResult
from gateway.db import Database
from gateway.jobs import intake, leases, outcomes
from gateway.jobs.states import Claimed, Kind, NewJob, Stage, State
from gateway.migrate import migrate
from gateway.tables import jobs, results
from runtime.errors import ServiceError
from tests.fixtures.fleet import analysed

LEASE = timedelta(minutes=10)
ERROR = ServiceError(ErrorCode.INTERNAL, "It failed.")
RENDER = RenderResult(requested_url="https://x.test/", final_url="https://x.test/", http_status=200)


@dataclass
class Modelled:
    """What a row should hold."""

    state: State = State.QUEUED
    stage: Stage = Stage.RENDER
    attempt: int = 0
    fence: int = 0
    crashes: int = 0


@dataclass
class World:
    """The database and the model beside it; `held` are all claims ever made, dead ones too."""

    db: Database
    rows: dict[str, Modelled] = field(default_factory=dict)
    held: list[Claimed] = field(default_factory=list)


class Queue(RuleBasedStateMachine):
    """Workers of every kind: live, slow, and dead without knowing it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        url = f"sqlite+aiosqlite:///{Path(self.folder.name) / 'cro.db'}"
        migrate(url)
        self.world = World(Database(url))

    def teardown(self) -> None:
        self.runner.run(self.world.db.aclose())
        self.runner.close()
        self.folder.cleanup()

    def _live(self, job: Claimed) -> Modelled | None:
        row = self.world.rows[job.id]
        running = row.state in {State.RENDERING, State.ANALYZING}
        return row if running and row.fence == job.fence else None

    @rule(tenant=st.sampled_from(["a", "b"]))
    def enqueue(self, tenant: str) -> None:
        async def go() -> str:
            async with self.world.db.begin() as db:
                return await intake.enqueue(db, NewJob(tenant, "https://x.test/", Preset.RULES))

        self.world.rows[self.runner.run(go())] = Modelled()

    @rule(limit=st.integers(1, 3))
    def claim(self, limit: int) -> None:
        async def go() -> list[Claimed]:
            async with self.world.db.begin() as db:
                return await leases.claim(db, "w", limit, LEASE)

        due = sum(row.state is State.QUEUED for row in self.world.rows.values())
        claimed = self.runner.run(go())
        assert len(claimed) == min(limit, due)
        for job in claimed:
            row = self.world.rows[job.id]
            assert row.state is State.QUEUED
            row.state = State.RENDERING if row.stage is Stage.RENDER else State.ANALYZING
            row.attempt += 1
            row.fence += 1
            assert (job.attempt, job.fence, job.stage) == (row.attempt, row.fence, row.stage)
        self.world.held += claimed

    @precondition(lambda self: self.world.held)
    @rule(data=st.data(), act=st.sampled_from(["stage", "finish", "fail", "retry", "release"]))
    def write(self, data: st.DataObject, act: str) -> None:
        job = data.draw(st.sampled_from(self.world.held))
        accepted = self.runner.run(self._write(job, act))
        row = self._live(job)
        if row is None:
            ended = self.world.rows[job.id]
            own_end = {"finish": State.SUCCEEDED, "fail": State.FAILED}.get(act)
            # Ended by this very claim: saying so again is a commit in doubt, and no lie.
            assert accepted == (ended.fence == job.fence and ended.state is own_end)
            return
        assert accepted
        _apply(row, act)

    async def _write(self, job: Claimed, act: str) -> bool:
        async with self.world.db.begin() as db:
            if act == "stage":
                return await outcomes.save_render(db, job, RENDER, {})
            if act == "finish":
                order = AnalyzeRequest(job_id=job.id, analysis_id=job.id, render=RENDER, downloads={})
                return await outcomes.finish(db, job, analysed(order))
            if act == "fail":
                return await outcomes.fail(db, job, ERROR)
            if act == "retry":
                return await leases.retry(db, job, timedelta(), ERROR)
            return await leases.release(db, job, timedelta())

    @precondition(lambda self: self.world.held)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.world.held))

        async def go() -> list[str]:
            async with self.world.db.begin() as db:
                mine = (jobs.c.id == job.id) & (jobs.c.fence == job.fence) & jobs.c.lease_until.is_not(None)
                await db.execute(update(jobs).where(mine).values(lease_until=jobs.c.created_at))
                return [reaped.id for reaped in await leases.reap(db, 3)]

        row = self._live(job)
        assert self.runner.run(go()) == ([job.id] if row else [])
        if row is not None:
            row.crashes += 1
            row.attempt -= 1
            row.state = State.FAILED if row.crashes >= 3 else State.QUEUED

    @precondition(lambda self: self.world.rows)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.world.rows)))

        async def go() -> list[bool]:
            async with self.world.db.begin() as db:
                return [await outcomes.cancel(db, Kind.ANALYSIS, tenant, job_id) for tenant in ("a", "b")]

        row = self.world.rows[job_id]
        assert any(self.runner.run(go())) == (not row.state.final)
        if not row.state.final:
            row.state = State.CANCELLED

    @invariant()
    def the_rows_are_as_modelled(self) -> None:
        async def go() -> tuple[dict[str, Modelled], set[str]]:
            async with self.world.db.read() as db:
                rows = await db.execute(select(jobs))
                found = {
                    row.id: Modelled(State(row.state), Stage(row.stage), row.attempt, row.fence, row.crash_count)
                    for row in rows
                }
                return found, set((await db.execute(select(results.c.job_id))).scalars())

        found, finished = self.runner.run(go())
        assert found == self.world.rows
        assert finished == {job_id for job_id, row in found.items() if row.state is State.SUCCEEDED}


def _apply(row: Modelled, act: str) -> None:
    if act == "stage":
        row.state, row.stage = State.ANALYZING, Stage.ANALYZE
    elif act == "finish":
        row.state = State.SUCCEEDED
    elif act == "fail":
        row.state = State.FAILED
    else:
        row.state = State.QUEUED
        row.attempt -= 1 if act == "release" else 0


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
