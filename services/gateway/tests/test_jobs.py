"""The queue's statements, each on SQLite and on Postgres."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from contracts.analyze import AnalyzeRequest, Preset
from contracts.errors import ErrorCode
from contracts.render import RenderResult
from contracts.result import Analysis
from gateway.db import Database
from gateway.jobs import flow, intake, leases, outcomes
from gateway.jobs.states import Claimed, Kind, NewJob, Priority, Stage, State
from gateway.tables import jobs, renders, results
from gateway.times import now_plus
from runtime.errors import ServiceError
from tests.fixtures.fleet import analysed

pytestmark = pytest.mark.anyio

LEASE = timedelta(seconds=30)
ERROR = ServiceError(ErrorCode.TARGET_TIMEOUT, "The site did not answer in time.")
RENDER = RenderResult(requested_url="https://shop.test/", final_url="https://shop.test/", http_status=200)


def result(job: Claimed, title: str = "") -> Analysis:
    render = RENDER.model_copy(update={"title": title})
    return analysed(AnalyzeRequest(job_id=job.id, analysis_id=job.id, render=render, downloads={}))


async def enqueue(db: Database, tenant: str = "local", priority: Priority = Priority.INTERACTIVE) -> str:
    async with db.begin() as connection:
        return await intake.enqueue(connection, NewJob(tenant, "https://shop.test/", Preset.RULES, priority=priority))


async def claim(db: Database, limit: int = 1, worker: str = "w1") -> list[Claimed]:
    async with db.begin() as connection:
        return await leases.claim(connection, worker, limit, LEASE)


async def row(db: Database, job_id: str) -> Any:  # noqa: ANN401  # a row has the columns it was selected with
    async with db.read() as connection:
        return (await connection.execute(select(jobs).where(jobs.c.id == job_id))).one()


async def expire_leases(db: Database) -> None:
    """Let time pass for every lease, on the database's clock."""
    async with db.begin() as connection:
        past = now_plus(timedelta(seconds=-1))
        await connection.execute(update(jobs).where(jobs.c.lease_until.is_not(None)).values(lease_until=past))


async def count(db: Database, table: Any) -> int:  # noqa: ANN401  # any table
    async with db.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


async def test_a_claim_takes_the_lease_and_spends_an_attempt(db: Database) -> None:
    job_id = await enqueue(db)
    (job,) = await claim(db)
    assert (job.id, job.attempt, job.fence, job.stage) == (job_id, 1, 1, Stage.RENDER)
    stored = await row(db, job_id)
    assert stored.state == State.RENDERING
    assert stored.worker_id == "w1"
    assert stored.lease_until - stored.started_at == pytest.approx(LEASE, abs=timedelta(milliseconds=50))


async def test_two_workers_never_hold_one_job(db: Database) -> None:
    ids = {await enqueue(db) for _ in range(20)}
    start = asyncio.Event()

    async def hungry(name: str) -> list[Claimed]:
        await start.wait()
        taken: list[Claimed] = []
        while found := await claim(db, 3, name):
            taken += found
        return taken

    tasks = [asyncio.create_task(hungry(f"w{number}")) for number in range(5)]
    start.set()
    taken = [job.id for jobs_of_one in await asyncio.gather(*tasks) for job in jobs_of_one]
    assert len(taken) == 20
    assert set(taken) == ids


async def test_a_claim_takes_no_more_than_asked_for(db: Database) -> None:
    for _ in range(5):
        await enqueue(db)
    assert len(await claim(db, 3)) == 3
    assert len(await claim(db, 3)) == 2
    assert await claim(db, 3) == []


async def test_a_job_is_not_claimed_before_its_time(db: Database) -> None:
    await enqueue(db)
    (job,) = await claim(db)
    async with db.begin() as connection:
        assert await leases.retry(connection, job, timedelta(hours=1), ERROR)
    assert await claim(db) == []
    stored = await row(db, job.id)
    assert (stored.state, stored.attempt, stored.error_code) == (State.QUEUED, 1, ErrorCode.TARGET_TIMEOUT)


async def test_a_retried_job_comes_back_with_the_next_attempt(db: Database) -> None:
    await enqueue(db)
    (job,) = await claim(db)
    async with db.begin() as connection:
        assert await leases.retry(connection, job, timedelta(), ERROR)
    (again,) = await claim(db)
    assert (again.attempt, again.fence) == (2, 2)


async def test_a_released_job_costs_no_attempt_but_a_new_fence(db: Database) -> None:
    await enqueue(db)
    (job,) = await claim(db)
    async with db.begin() as connection:
        assert await leases.release(connection, job, timedelta())
    (again,) = await claim(db)
    assert (again.attempt, again.fence) == (1, 2)
    async with db.begin() as connection:
        assert not await outcomes.finish(connection, job, result(job))


async def test_a_heartbeat_renews_the_leases_of_one_worker_in_one_go(db: Database) -> None:
    for _ in range(3):
        await enqueue(db)
    ours = await claim(db, 2, "w1")
    (other,) = await claim(db, 1, "w2")
    await expire_leases(db)
    async with db.begin() as connection:
        assert await leases.heartbeat(connection, "w1", LEASE) == {job.key for job in ours}
        reaped = await leases.reap(connection, 2)
    assert [job.id for job in reaped] == [other.id]


async def test_a_silent_workers_job_is_taken_back_and_counted_as_a_crash(db: Database) -> None:
    await enqueue(db)
    (job,) = await claim(db)
    async with db.begin() as connection:
        assert await leases.reap(connection, 2) == []
    await expire_leases(db)
    async with db.begin() as connection:
        assert await leases.reap(connection, 2) == [leases.Reaped(job.id, dead=False)]
    stored = await row(db, job.id)
    assert (stored.state, stored.attempt, stored.crash_count, stored.worker_id) == (State.QUEUED, 0, 1, None)
    (again,) = await claim(db, 1, "w2")
    assert (again.attempt, again.fence) == (1, 2)


async def test_the_second_crash_ends_a_job(db: Database) -> None:
    job_id = await enqueue(db)
    for _ in range(2):
        await claim(db)
        await expire_leases(db)
        async with db.begin() as connection:
            reaped = await leases.reap(connection, 2)
    assert reaped == [leases.Reaped(job_id, dead=True)]
    stored = await row(db, job_id)
    assert (stored.state, stored.error_code) == (State.FAILED, ErrorCode.PAGE_CRASHED)
    assert stored.finished_at is not None


async def test_a_worker_that_was_declared_dead_cannot_write(db: Database) -> None:
    await enqueue(db)
    (old,) = await claim(db, 1, "w1")
    await expire_leases(db)
    async with db.begin() as connection:
        await leases.reap(connection, 5)
    (new,) = await claim(db, 1, "w2")
    async with db.begin() as connection:
        assert not await outcomes.save_render(connection, old, RENDER, {})
        assert not await outcomes.finish(connection, old, result(old, "old"))
        assert not await outcomes.fail(connection, old, ERROR)
        assert not await leases.retry(connection, old, timedelta(), ERROR)
        assert not await leases.release(connection, old, timedelta())
        assert await outcomes.finish(connection, new, result(new, "new"))
    async with db.read() as connection:
        documents = (await connection.execute(select(results.c.document))).scalars().all()
    assert [document["page"]["title"] for document in documents] == ["new"]


async def test_a_lease_that_ran_out_unnoticed_still_counts(db: Database) -> None:
    await enqueue(db)
    (job,) = await claim(db)
    await expire_leases(db)
    async with db.begin() as connection:
        assert await outcomes.finish(connection, job, result(job))


async def test_a_result_is_written_once_even_when_the_answer_to_the_commit_was_lost(db: Database) -> None:
    await enqueue(db)
    (job,) = await claim(db)
    for _ in range(2):
        async with db.begin() as connection:
            assert await outcomes.finish(connection, job, result(job))
    assert await count(db, results) == 1
    async with db.begin() as connection:
        assert not await outcomes.fail(connection, job, ERROR)
    assert (await row(db, job.id)).state == State.SUCCEEDED


async def test_a_failure_may_be_written_twice(db: Database) -> None:
    await enqueue(db)
    (job,) = await claim(db)
    for _ in range(2):
        async with db.begin() as connection:
            assert await outcomes.fail(connection, job, ERROR)
    assert (await row(db, job.id)).error_detail == ERROR.detail


async def test_a_saved_render_survives_the_retry_of_its_analysis(db: Database) -> None:
    await enqueue(db)
    (job,) = await claim(db)
    keys = {"facts.desktop": "local/x/1/a.json"}
    for _ in range(2):
        async with db.begin() as connection:
            assert await outcomes.save_render(connection, job, RENDER, keys)
    assert (await row(db, job.id)).state == State.ANALYZING
    async with db.begin() as connection:
        await leases.retry(connection, job, timedelta(), ERROR)
    (again,) = await claim(db)
    assert again.stage is Stage.ANALYZE
    assert (await row(db, job.id)).state == State.ANALYZING
    async with db.read() as connection:
        assert await outcomes.load_render(connection, again) == (RENDER, keys)
    assert await count(db, renders) == 1


async def test_a_dead_job_can_be_requeued_with_all_its_attempts(db: Database) -> None:
    await enqueue(db)
    (job,) = await claim(db)
    async with db.begin() as connection:
        await outcomes.save_render(connection, job, RENDER, {})
        assert not await outcomes.requeue(connection, "local", job.id)
        await outcomes.fail(connection, job, ERROR)
        assert not await outcomes.requeue(connection, "other", job.id)
        assert await outcomes.requeue(connection, "local", job.id)
    (again,) = await claim(db)
    assert (again.attempt, again.fence, again.stage) == (1, 2, Stage.ANALYZE)


@pytest.mark.parametrize("state", [State.QUEUED, State.RENDERING, State.ANALYZING])
async def test_cancel_ends_a_job_in_any_open_state(db: Database, state: State) -> None:
    job_id = await enqueue(db)
    claimed = [] if state is State.QUEUED else await claim(db)
    async with db.begin() as connection:
        if state is State.ANALYZING:
            await outcomes.save_render(connection, claimed[0], RENDER, {})
        assert not await outcomes.cancel(connection, Kind.ANALYSIS, "other", job_id)
        assert await outcomes.cancel(connection, Kind.ANALYSIS, "local", job_id)
        assert not await outcomes.cancel(connection, Kind.ANALYSIS, "local", job_id)
        for job in claimed:
            assert not await outcomes.finish(connection, job, result(job))
        assert await leases.heartbeat(connection, "w1", LEASE) == set()
    assert (await row(db, job_id)).state == State.CANCELLED
    assert await claim(db) == []


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED])
async def test_cancel_leaves_a_finished_job_alone(db: Database, state: State) -> None:
    await enqueue(db)
    (job,) = await claim(db)
    async with db.begin() as connection:
        if state is State.SUCCEEDED:
            await outcomes.finish(connection, job, result(job))
        else:
            await outcomes.fail(connection, job, ERROR)
        assert not await outcomes.cancel(connection, Kind.ANALYSIS, "local", job.id)
    assert (await row(db, job.id)).state == state


async def test_a_small_tenant_does_not_wait_behind_a_big_one(db: Database) -> None:
    async with db.begin() as connection:
        for _ in range(2_000):
            await intake.enqueue(connection, NewJob("big", "https://big.test/", Preset.RULES))
        small = {
            await intake.enqueue(connection, NewJob("small", "https://small.test/", Preset.RULES)) for _ in range(5)
        }
    taken = [job for _ in range(10) for job in await claim(db)]
    assert {job.id for job in taken if job.tenant_id == "small"} == small
    assert [job.tenant_id for job in taken].count("big") == 5


async def test_a_late_tenant_gets_its_share_from_where_the_queue_is(db: Database) -> None:
    for _ in range(30):
        await enqueue(db, "early")
    await claim(db, 10)
    for _ in range(10):
        await enqueue(db, "late")
    tenants = [job.tenant_id for job in await claim(db, 20)]
    assert tenants.count("late") == 10
    assert all(8 >= tenants[start : start + 10].count("late") >= 3 for start in (0, 10))


async def test_work_done_in_quiet_times_is_no_debt(db: Database) -> None:
    for _ in range(20):
        await enqueue(db, "old")
    for job in await claim(db, 20):
        async with db.begin() as connection:
            await outcomes.finish(connection, job, result(job))
    for _ in range(5):
        await enqueue(db, "new")
    await enqueue(db, "old")
    tenants = [job.tenant_id for job in await claim(db, 6)]
    assert tenants.index("old") <= 1


async def test_a_job_parked_for_a_retry_lets_nobody_pass(db: Database) -> None:
    await enqueue(db, "parked")
    (parked,) = await claim(db)
    async with db.begin() as connection:
        await leases.retry(connection, parked, timedelta(hours=1), ERROR)
    for _ in range(50):
        await enqueue(db, "busy")
    await claim(db, 40)
    for _ in range(20):
        await enqueue(db, "new")
    tenants = [job.tenant_id for job in await claim(db, 10)]
    assert tenants.count("busy") >= 4


async def test_interactive_work_goes_before_batches(db: Database) -> None:
    batch = [await enqueue(db, "a", Priority.BATCH) for _ in range(3)]
    interactive = [await enqueue(db, "a") for _ in range(3)]
    assert [job.id for job in await claim(db, 6)] == interactive + batch


async def capture(db: Database, tenant: str = "local", priority: Priority = Priority.INTERACTIVE) -> str:
    job = NewJob(tenant, "https://shop.test/", kind=Kind.CAPTURE, priority=priority, options={"tier": "auto"})
    async with db.begin() as connection:
        return await intake.enqueue(connection, job)


async def test_one_claim_takes_jobs_of_every_kind(db: Database) -> None:
    ids = [await enqueue(db), await capture(db), await enqueue(db), await capture(db)]
    claimed = await claim(db, 4)
    assert {job.id for job in claimed} == set(ids)
    assert [job.kind for job in claimed].count(Kind.CAPTURE) == 2
    assert all((job.preset is None) == (job.kind is Kind.CAPTURE) == (job.options is not None) for job in claimed)


async def test_interactive_work_of_any_kind_goes_before_batches_of_any_kind(db: Database) -> None:
    batch = {await capture(db, priority=Priority.BATCH), await enqueue(db, priority=Priority.BATCH)}
    interactive = {await enqueue(db), await capture(db)}
    claimed = [job.id for job in await claim(db, 4)]
    assert (set(claimed[:2]), set(claimed[2:])) == (interactive, batch)


async def test_many_captures_of_a_tenant_keep_nobodys_analysis_waiting(db: Database) -> None:
    for _ in range(50):
        await capture(db, "big")
    wanted = {await enqueue(db, "big"), await enqueue(db, "small"), await capture(db, "small")}
    assert wanted <= {job.id for job in await claim(db, 8)}


async def test_a_kind_of_a_newer_release_is_left_to_it(db: Database) -> None:
    unknown, known = await capture(db), await capture(db)
    async with db.begin() as connection:
        await connection.execute(update(jobs).where(jobs.c.id == unknown).values(kind="crawl"))
    assert [job.id for job in await claim(db, 5)] == [known]


async def test_depth_counts_what_is_not_finished(db: Database) -> None:
    for _ in range(3):
        await enqueue(db)
    await enqueue(db, "local", Priority.BATCH)
    (job,) = await claim(db)
    async with db.read() as connection:
        depths = {depth.priority: depth for depth in await flow.depth(connection)}
    assert (depths[0].queued, depths[0].running, depths[1].queued, depths[1].running) == (2, 1, 1, 0)
    assert timedelta() <= depths[0].oldest < timedelta(minutes=1)
    async with db.begin() as connection:
        await outcomes.fail(connection, job, ERROR)
    async with db.read() as connection:
        assert {depth.priority: depth.running for depth in await flow.depth(connection)} == {0: 0, 1: 0}
