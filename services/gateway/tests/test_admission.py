"""Caps, quotas and usage: decided with the job's own commits, raced on both databases."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, update

from contracts.analyze import AnalyzeRequest, Preset
from contracts.errors import ErrorCode
from contracts.render import RenderResult
from contracts.result import AiRun, Analysis
from gateway.access.plans import Plan
from gateway.db import Database
from gateway.jobs import admission, intake, leases, outcomes
from gateway.jobs.states import Claimed, Kind, NewJob, Priority, State
from gateway.tables import jobs, usage, usage_days
from gateway.tenants import store as tenants
from gateway.times import now_plus
from runtime.errors import ServiceError
from tests.fixtures.accounts import account
from tests.fixtures.fleet import analysed
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

LEASE = timedelta(seconds=30)
ERROR = ServiceError(ErrorCode.TARGET_TIMEOUT, "The site did not answer in time.")
RENDER = RenderResult(requested_url="https://shop.test/", final_url="https://shop.test/", http_status=200)


async def tenant(db: Database, name: str = "t", **limits: Any) -> None:  # noqa: ANN401  # fields of a plan
    async with db.begin() as connection:
        await tenants.add(connection, name, name, Plan(name="test", **limits))


async def enqueue(db: Database, name: str = "t", priority: Priority = Priority.INTERACTIVE) -> str:
    async with db.begin() as connection:
        return await intake.enqueue(connection, NewJob(name, "https://shop.test/", Preset.RULES, priority=priority))


async def crowd(work: Iterable[Awaitable[object]]) -> None:
    """Do all of it, eight at a time: as many as the pool has connections for on the slowest machine."""
    places = asyncio.Semaphore(8)

    async def one(task: Awaitable[object]) -> None:
        async with places:
            await task

    await asyncio.gather(*(one(task) for task in work))


async def claim(db: Database, limit: int = 1) -> list[Claimed]:
    async with db.begin() as connection:
        return await leases.claim(connection, "w1", limit, LEASE)


def result(job: Claimed, cost: str = "0") -> Analysis:
    found = analysed(AnalyzeRequest(job_id=job.id, analysis_id=job.id, render=RENDER, downloads={}))
    engine = found.engine.model_copy(update={"ai": AiRun(model="m", cost_usd=cost)})
    return found.model_copy(update={"engine": engine})


async def finish(db: Database, job: Claimed, cost: str = "0") -> bool:
    async with db.begin() as connection:
        return await outcomes.finish(connection, job, result(job, cost))


async def states(db: Database) -> Counter[str]:
    async with db.read() as connection:
        return Counter((await connection.execute(select(jobs.c.state))).scalars())


async def day(db: Database, name: str = "t") -> tuple[int, int, int, int, int]:
    async with db.read() as connection:
        row = (await connection.execute(select(usage_days).where(usage_days.c.tenant_id == name))).one()
    return row.held, row.succeeded, row.failed, row.cancelled, row.cost_microusd


async def test_beyond_the_cap_jobs_wait_and_go_on_one_by_one_in_order(db: Database) -> None:
    await tenant(db, concurrency=2)
    ids = [await enqueue(db) for _ in range(5)]
    assert await states(db) == {"queued": 2, "waiting": 3}
    done: list[str] = []
    while claimed := await claim(db, 5):
        assert len(claimed) <= 2
        assert await finish(db, claimed[0])
        for other in claimed[1:]:
            async with db.begin() as connection:
                await leases.release(connection, other, timedelta())
        done.append(claimed[0].id)
    assert done == ids


async def test_one_tenants_cap_is_nobody_elses(db: Database) -> None:
    await tenant(db, concurrency=1)
    await enqueue(db)
    await enqueue(db)
    await enqueue(db, "local")
    await enqueue(db, "local")
    assert await states(db) == {"queued": 3, "waiting": 1}


@pytest.mark.parametrize("way", ["finish", "fail", "cancel", "crash"])
async def test_however_a_job_ends_the_next_one_is_let_in(db: Database, way: str) -> None:
    await tenant(db, concurrency=1)
    first, second = await enqueue(db), await enqueue(db)
    (job,) = await claim(db)
    async with db.begin() as connection:
        if way == "finish":
            await outcomes.finish(connection, job, result(job))
        elif way == "fail":
            await outcomes.fail(connection, job, ERROR)
        elif way == "cancel":
            await outcomes.cancel(connection, Kind.ANALYSIS, "t", first)
        else:
            await connection.execute(update(jobs).where(jobs.c.id == first).values(lease_until=now_plus(-LEASE)))
            await leases.reap(connection, max_crashes=1)
    (following,) = await claim(db)
    assert following.id == second


async def test_a_retried_job_keeps_its_place(db: Database) -> None:
    await tenant(db, concurrency=1)
    first, _ = await enqueue(db), await enqueue(db)
    (job,) = await claim(db)
    async with db.begin() as connection:
        await leases.retry(connection, job, timedelta(), ERROR)
    assert [job.id for job in await claim(db, 5)] == [first]


async def test_accepting_and_ending_at_once_leave_nobody_behind(db: Database) -> None:
    await tenant(db, concurrency=3)
    for _ in range(6):
        await enqueue(db)
    running = await claim(db, 3)
    start = asyncio.Event()

    async def ended(job: Claimed) -> None:
        await start.wait()
        assert await finish(db, job)

    async def accepted() -> None:
        await start.wait()
        await enqueue(db)

    async def cancelled() -> None:
        await start.wait()
        async with db.read() as connection:
            waiting = select(jobs.c.id).where(jobs.c.state == State.WAITING).limit(1)
            job_id = (await connection.execute(waiting)).scalar_one_or_none()
        async with db.begin() as connection:
            await outcomes.cancel(connection, Kind.ANALYSIS, "t", job_id or "")

    tasks = [asyncio.create_task(ended(job)) for job in running]
    tasks += [asyncio.create_task(accepted()) for _ in range(6)]
    tasks += [asyncio.create_task(cancelled()) for _ in range(2)]
    start.set()
    await asyncio.gather(*tasks)
    found = await states(db)
    assert found["succeeded"] == 3
    assert found["queued"] == 3
    assert sum(found.values()) == 12


async def test_never_more_than_the_cap_is_let_in_by_a_crowd(db: Database) -> None:
    await tenant(db, concurrency=4)
    await crowd(enqueue(db) for _ in range(30))
    assert await states(db) == {"queued": 4, "waiting": 26}


async def test_a_larger_plan_lets_in_what_waits(db: Database) -> None:
    await tenant(db, concurrency=1)
    for _ in range(5):
        await enqueue(db)
    async with db.begin() as connection:
        await tenants.set_plan(connection, "t", Plan(name="larger", concurrency=3))
        assert await admission.sweep(connection) == 2
    async with db.begin() as connection:
        await tenants.set_plan(connection, "t", Plan(name="endless"))
        assert await admission.sweep(connection) == 2
        assert await admission.sweep(connection) == 0


async def test_a_waiting_job_can_be_cancelled(db: Database) -> None:
    await tenant(db, concurrency=1)
    await enqueue(db)
    second = await enqueue(db)
    async with db.begin() as connection:
        assert await outcomes.cancel(connection, Kind.ANALYSIS, "t", second)
    assert await states(db) == {"queued": 1, "cancelled": 1}


async def test_a_crowd_gets_no_more_than_the_quota(db: Database) -> None:
    await tenant(db, daily={"analysis": 7})

    async def accepted() -> None:
        try:
            await enqueue(db)
        except ServiceError as error:
            refusals.append(error)

    refusals: list[ServiceError] = []
    await crowd(accepted() for _ in range(25))
    assert len(refusals) == 18
    assert {(error.code, bool(error.retry_after_s)) for error in refusals} == {(ErrorCode.QUOTA_EXCEEDED, True)}
    assert await states(db) == {"queued": 7}


async def test_a_quota_of_nothing_allows_nothing(db: Database) -> None:
    await tenant(db, daily={"analysis": 0})
    with pytest.raises(ServiceError):
        await enqueue(db)


async def test_what_fails_or_is_cancelled_is_given_back_once(db: Database) -> None:
    await tenant(db, daily={"analysis": 3})
    for _ in range(3):
        await enqueue(db)
    failing, cancelled, done = await claim(db, 3)
    for _ in range(2):
        async with db.begin() as connection:
            await outcomes.fail(connection, failing, ERROR)
        async with db.begin() as connection:
            await outcomes.cancel(connection, Kind.ANALYSIS, "t", cancelled.id)
        assert await finish(db, done, "0.25")
    assert await day(db) == (1, 1, 1, 1, 250_000)
    await enqueue(db)
    await enqueue(db)
    with pytest.raises(ServiceError):
        await enqueue(db)


async def test_a_crowd_that_ends_and_begins_keeps_the_books_straight(db: Database) -> None:
    await tenant(db, daily={"analysis": 100}, concurrency=30)
    for _ in range(30):
        await enqueue(db)
    claimed = await claim(db, 30)

    async def end(number: int, job: Claimed) -> None:
        async with db.begin() as connection:
            if number % 3 == 0:
                await outcomes.fail(connection, job, ERROR)
            elif number % 3 == 1:
                await outcomes.cancel(connection, Kind.ANALYSIS, "t", job.id)
            else:
                await outcomes.finish(connection, job, result(job, "0.01"))

    work = [end(number, job) for number, job in enumerate(claimed)]
    await crowd([*work, *(enqueue(db) for _ in range(10))])
    assert await day(db) == (20, 10, 10, 10, 100_000)
    async with db.read() as connection:
        rows = (await connection.execute(select(func.count(), func.sum(usage.c.cost_microusd)))).one()
    assert tuple(rows) == (10, 100_000)


async def test_a_worker_that_was_declared_dead_books_nothing(db: Database) -> None:
    await tenant(db)
    await enqueue(db)
    (old,) = await claim(db)
    async with db.begin() as connection:
        await leases.release(connection, old, timedelta())
    (new,) = await claim(db)
    assert not await finish(db, old, "9")
    assert await finish(db, new, "0.5")
    assert (await day(db))[4] == 500_000


async def test_a_revived_job_counts_again(db: Database) -> None:
    await tenant(db)
    await enqueue(db)
    (job,) = await claim(db)
    async with db.begin() as connection:
        await outcomes.fail(connection, job, ERROR)
        assert await outcomes.requeue(connection, "t", job.id)
    assert (await day(db))[:3] == (1, 0, 0)


async def test_a_tenant_with_twice_the_share_is_served_twice_as_often(db: Database) -> None:
    await tenant(db, "big", share=2)
    await tenant(db, "small", share=1)
    for _ in range(8):
        await enqueue(db, "big")
        await enqueue(db, "small")
    first = Counter(job.tenant_id for job in await claim(db, 9))
    assert first["big"] == 2 * first["small"]


async def test_old_batch_work_is_let_before_interactive_work_one_at_a_time(db: Database) -> None:
    batch = [await enqueue(db, priority=Priority.BATCH) for _ in range(2)]
    for _ in range(3):
        await enqueue(db)
    patience = timedelta(minutes=10)
    async with db.begin() as connection:
        assert not await leases.age(connection, patience)
        old = update(jobs).where(jobs.c.id.in_(batch)).values(run_at=now_plus(-2 * patience))
        await connection.execute(old)
        assert await leases.age(connection, patience)
    taken = [job.id for job in await claim(db, 2)]
    assert batch[0] in taken
    assert batch[1] not in taken


async def test_a_tenant_reads_its_usage_and_limits(guarded: Platform) -> None:
    plan = Plan(name="standard", concurrency=1, daily={"analysis": 2})
    a = await account(guarded, "ten_a", plan=plan)
    body = {"url": "https://shop.test/", "refresh": True}
    for _ in range(2):
        assert (await a.http.post("/v1/analyses", json=body)).status_code == 202
    full = await a.http.post("/v1/analyses", json=body)
    assert (full.status_code, full.json()["code"]) == (429, "quota_exceeded")
    assert 0 < int(full.headers["retry-after"]) <= 86_400
    shown = (await a.http.get("/v1/tenant")).json()
    assert (shown["active_jobs"], shown["waiting_jobs"]) == (1, 1)
    assert shown["today"][0]["used"] == 2
    (job,) = await claim(guarded.parts.db)
    await finish(guarded.parts.db, job, "0.125")
    found = (await a.http.get("/v1/usage")).json()
    assert found["total"]["accepted"] == 2
    assert found["total"]["succeeded"] == 1
    assert Decimal(found["total"]["cost_usd"]) == Decimal("0.125")
    assert (await a.http.get("/v1/usage?from=2026-02-01&to=2026-01-01")).status_code == 422
    assert (await a.http.get("/v1/usage?from=2026-01-01&to=2026-01-31")).json()["data"] == []


async def test_one_tenants_waiting_callers_leave_places_for_others(guarded: Platform) -> None:
    settings = guarded.parts.settings.model_copy(update={"limit_concurrency": 4})
    guarded.app.state.parts = replace(guarded.parts, settings=settings)
    a, b = await account(guarded, "ten_a"), await account(guarded, "ten_b")
    path = f"/v1/analyses/{(await a.http.post('/v1/analyses', json={'url': 'https://shop.test/'})).json()['id']}"
    theirs = f"/v1/analyses/{(await b.http.post('/v1/analyses', json={'url': 'https://shop.test/'})).json()['id']}"
    async with asyncio.timeout(90), asyncio.TaskGroup() as group:
        waiting = [group.create_task(a.http.get(path, params={"wait": 60})) for _ in range(2)]
        while guarded.parts.watch.followers_of("ten_a") < 2:  # noqa: ASYNC110  # it tells nobody when it changes
            await asyncio.sleep(0.01)
        assert (await a.http.get(path, params={"wait": 60})).json()["status"] == "queued"
        waiting.append(group.create_task(b.http.get(theirs, params={"wait": 60})))
        while not guarded.parts.watch.followers_of("ten_b"):  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.01)
        assert not any(task.done() for task in waiting)
        guarded.parts.watch.close()
    assert guarded.parts.watch.followers_of("ten_a") == 0
