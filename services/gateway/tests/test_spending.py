"""A tenant's AI budget: held, settled, given back; never over-committed, on both databases."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, update

from contracts.analyze import AnalyzeRequest, Preset
from contracts.errors import ErrorCode
from contracts.render import RenderResult
from contracts.result import AiRun, Analysis
from gateway.db import Database
from gateway.jobs import intake, leases, outcomes, spending
from gateway.jobs.delays import after_outage
from gateway.jobs.spending import Purse
from gateway.jobs.states import Claimed, Kind, NewJob, Stage, State
from gateway.tables import ai_reservations, ai_spend, jobs
from gateway.times import now_plus
from runtime.errors import ServiceError
from tests.fixtures.fleet import analysed
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

LEASE = timedelta(seconds=30)
ERROR = ServiceError(ErrorCode.INTERNAL, "Not now.")
RENDER = RenderResult(requested_url="https://shop.test/", final_url="https://shop.test/", http_status=200)
DOLLAR = Decimal(1)


def priced(job: Claimed, cost: str) -> Analysis:
    found = analysed(AnalyzeRequest(job_id=job.id, analysis_id=job.id, render=RENDER, downloads={}))
    engine = found.engine.model_copy(update={"ai": AiRun(model="m", cost_usd=cost)})
    return found.model_copy(update={"engine": engine})


async def started(db: Database, count: int = 1, tenant: str = "t") -> list[Claimed]:
    async with db.begin() as connection:
        for _ in range(count):
            await intake.enqueue(connection, NewJob(tenant, "https://shop.test/", Preset.STANDARD))
    async with db.begin() as connection:
        return await leases.claim(connection, "w1", count, LEASE)


async def hold(db: Database, job: Claimed, wanted: str = "0.3", limit: Decimal = DOLLAR) -> Decimal | None:
    async with db.begin() as connection:
        return await outcomes.reserve(connection, job, Decimal(wanted), limit)


async def purse(db: Database, tenant: str = "t") -> tuple[int, int]:
    """Return what is reserved and what is spent, in microdollars."""
    async with db.read() as connection:
        statement = select(ai_spend).where(ai_spend.c.tenant_id == tenant)
        row = (await connection.execute(statement)).one_or_none()
    return (row.reserved_microusd, row.spent_microusd) if row else (0, 0)


async def reservations(db: Database) -> int:
    async with db.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(ai_reservations))).scalar_one())


async def test_a_budget_is_held_until_it_is_empty(db: Database) -> None:
    held = [await hold(db, job) for job in await started(db, 5)]
    assert held == [Decimal("0.3"), Decimal("0.3"), Decimal("0.3"), Decimal("0.1"), Decimal(0)]
    assert await purse(db) == (1_000_000, 0)


async def test_fifty_at_once_never_hold_more_than_there_is(db: Database) -> None:
    claimed = await started(db, 50)
    start = asyncio.Event()

    async def one(job: Claimed) -> Decimal:
        await start.wait()
        return await hold(db, job, "0.07") or Decimal(0)

    tasks = [asyncio.create_task(one(job)) for job in claimed]
    start.set()
    held = await asyncio.gather(*tasks)
    assert sum(held) == DOLLAR
    assert sorted(set(held)) == [Decimal(0), Decimal("0.02"), Decimal("0.07")]
    assert await purse(db) == (1_000_000, 0)


async def test_fifty_at_once_that_hold_settle_and_fail(db: Database) -> None:
    claimed = await started(db, 50)
    start = asyncio.Event()
    most = 0

    async def one(number: int, job: Claimed) -> None:
        nonlocal most
        await start.wait()
        held = await hold(db, job, "0.07")
        reserved, spent = await purse(db)
        most = max(most, reserved + spent)
        async with db.begin() as connection:
            if number % 2:
                assert await outcomes.finish(connection, job, priced(job, str(min(held or 0, Decimal("0.01")))))
            else:
                assert await outcomes.fail(connection, job, ERROR)

    tasks = [asyncio.create_task(one(number, job)) for number, job in enumerate(claimed)]
    start.set()
    await asyncio.gather(*tasks)
    reserved, spent = await purse(db)
    assert (reserved, await reservations(db)) == (0, 0)
    assert 0 < spent <= most <= 1_000_000


async def test_the_bill_replaces_what_was_held(db: Database) -> None:
    (job,) = await started(db)
    await hold(db, job)
    async with db.begin() as connection:
        assert await outcomes.finish(connection, job, priced(job, "0.108312"))
        assert await outcomes.finish(connection, job, priced(job, "0.108312")), "a commit in doubt is done twice"
    assert await purse(db) == (0, 108_312)


async def test_a_bill_is_booked_without_a_budget_too(db: Database) -> None:
    (job,) = await started(db)
    async with db.begin() as connection:
        assert await outcomes.finish(connection, job, priced(job, "0.02"))
    assert await purse(db) == (0, 20_000)


async def test_a_bill_is_booked_on_the_day_on_which_it_was_held(db: Database) -> None:
    (job,) = await started(db)
    async with db.begin() as connection:
        await spending.reserve(connection, job.id, Purse("t", "2026-01-31"), Decimal("0.3"), DOLLAR)
        await spending.settle(connection, job.id, "t", Decimal("0.1"))
    assert await purse(db) == (0, 100_000)


@pytest.mark.parametrize("end", ["fail", "release", "retry", "cancel"])
async def test_what_does_not_finish_gives_its_money_back(db: Database, end: str) -> None:
    (job,) = await started(db)
    await hold(db, job)
    async with db.begin() as connection:
        ends = {
            "fail": lambda: outcomes.fail(connection, job, ERROR),
            "release": lambda: leases.release(connection, job, timedelta()),
            "retry": lambda: leases.retry(connection, job, timedelta(), ERROR),
            "cancel": lambda: outcomes.cancel(connection, Kind.ANALYSIS, "t", job.id),
        }
        assert await ends[end]()
    assert await purse(db) == (0, 0)
    assert await reservations(db) == 0


async def test_a_dead_workers_money_is_swept_up_and_a_living_ones_is_not(db: Database) -> None:
    dead, living = await started(db, 2)
    for job in (dead, living):
        await hold(db, job)
    async with db.begin() as connection:
        past = now_plus(timedelta(seconds=-1))
        await connection.execute(update(jobs).where(jobs.c.id == dead.id).values(lease_until=past))
        await leases.reap(connection, 5)
        assert await spending.sweep(connection) == 1
        assert await spending.sweep(connection) == 0
    assert await purse(db) == (300_000, 0)


async def test_a_second_attempt_holds_once(db: Database) -> None:
    (job,) = await started(db)
    assert await hold(db, job) == await hold(db, job, "0.25") + Decimal("0.05")  # type: ignore[operator]  # it is ours
    assert await purse(db) == (250_000, 0)


async def test_who_lost_the_job_holds_nothing(db: Database) -> None:
    (job,) = await started(db)
    async with db.begin() as connection:
        await outcomes.cancel(connection, Kind.ANALYSIS, "t", job.id)
    assert await hold(db, job) is None
    assert await purse(db) == (0, 0)


async def test_tenants_have_purses_of_their_own(db: Database) -> None:
    for tenant in ("t", "other"):
        (job,) = await started(db, tenant=tenant)
        assert await hold(db, job, "0.9") == Decimal("0.9")


async def end_of(platform: Platform, **changes: Any) -> Any:  # noqa: ANN401  # the API's document
    worker = platform.worker(**changes)
    task = asyncio.create_task(worker.run())
    made = await platform.http.post(
        "/v1/analyses", json={"url": "https://shop.test/", "preset": "fast", "refresh": True}
    )
    found = (await platform.http.get(f"/v1/analyses/{made.json()['id']}", params={"wait": 30})).json()
    worker.stop()
    await task
    return found


async def test_the_analyzer_is_told_what_it_may_spend(platform: Platform) -> None:
    limited = {"tenant_ai_budget_usd_per_day": Decimal("0.02")}
    assert (await end_of(platform, **limited))["status"] == "succeeded"
    assert (await end_of(platform))["status"] == "succeeded"
    assert [order.ai_budget_usd for order in platform.fleet.analyses] == [Decimal("0.02"), None]
    assert await purse(platform.parts.db, "local") == (0, 0)


async def test_a_provider_that_is_away_costs_no_attempt_no_render_and_nobody_elses_time(platform: Platform) -> None:
    refusals = iter(range(4))

    async def refuse_four_times(_: AnalyzeRequest) -> None:
        if next(refusals, None) is not None:
            raise ServiceError(ErrorCode.ANALYSIS_UNAVAILABLE, "Overloaded.", retry_after_s=0.02)

    platform.fleet.before_analysis = refuse_four_times
    found = await end_of(platform, tenant_ai_budget_usd_per_day=DOLLAR)
    assert (found["status"], found["attempt"]) == ("succeeded", 1)
    assert (len(platform.fleet.renders), len(platform.fleet.analyses)) == (1, 5)


async def test_a_parked_job_stays_in_its_stage_and_holds_nothing(platform: Platform) -> None:
    refused = asyncio.Event()

    async def refuse(_: AnalyzeRequest) -> None:
        refused.set()
        raise ServiceError(ErrorCode.ANALYSIS_UNAVAILABLE, "Overloaded.", retry_after_s=7_200)

    platform.fleet.before_analysis = refuse
    worker = platform.worker(tenant_ai_budget_usd_per_day=DOLLAR)
    task = asyncio.create_task(worker.run())
    await platform.http.post("/v1/analyses", json={"url": "https://shop.test/", "preset": "fast", "refresh": True})
    await refused.wait()
    worker.stop()
    await task
    assert worker._room.free() > 0, "the renderer is not the one that is busy"
    async with platform.parts.db.read() as db:
        row = (await db.execute(select(jobs))).one()
    assert (row.state, row.stage, row.attempt) == (State.QUEUED, Stage.ANALYZE, 0)
    assert row.run_at - row.created_at >= timedelta(hours=1)
    assert await purse(platform.parts.db, "local") == (0, 0)


@pytest.mark.parametrize(("asked", "least", "most"), [(None, 5, 10), (20.0, 20, 40), (90_000.0, 3_600, 3_630)])
def test_a_park_is_as_long_as_asked_but_never_a_month(asked: float | None, least: float, most: float) -> None:
    drawn = [after_outage(asked).total_seconds() for _ in range(200)]
    assert least <= min(drawn) <= max(drawn) <= most
