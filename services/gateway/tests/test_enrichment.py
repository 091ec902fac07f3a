"""Rules now, the model later: the result is whole at once, and replaced when the model is back. On both databases."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from contracts.analyze import AnalyzeRequest, Preset
from contracts.errors import ErrorCode
from contracts.render import RenderResult
from contracts.result import AiRun, Analysis, Analyzed, DegradedReason, Engine, Memo
from gateway.db import Database
from gateway.jobs import enrichment, events, intake, leases, memos, outcomes
from gateway.jobs.delays import after_absence
from gateway.jobs.states import Claimed, Kind, NewJob, Stage, State
from gateway.outbox.events import EventType
from gateway.tables import ai_spend, jobs, results, webhook_events
from gateway.times import now_plus
from runtime.errors import ServiceError
from tests.fixtures.couriers import endpoint, rows_of
from tests.fixtures.fleet import analysed
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

LEASE = timedelta(seconds=30)
URL = "https://shop.test/"
RENDER = RenderResult(requested_url=URL, final_url=URL, http_status=200)
LATER = Engine(
    mode="rules",
    degraded=True,
    degraded_reason=DegradedReason.UNAVAILABLE,
    rules_version="1",
    ai_pending=True,
    ai=AiRun(model="m", cost_usd="0.01"),
)
DONE = Engine(mode="rules+ai", rules_version="1", ai=AiRun(model="m", cost_usd="0.10"))
MEMO = Memo(key="k", answer="{}", model="m")


def answered(job_id: str, engine: Engine, **changes: Any) -> Analyzed:  # noqa: ANN401  # any field of it
    order = AnalyzeRequest(job_id=job_id, analysis_id=job_id, render=RENDER, downloads={})
    return Analyzed(**{**dict(analysed(order)), "engine": engine, **changes})


async def claimed(db: Database) -> list[Claimed]:
    async with db.begin() as connection:
        return await leases.claim(connection, "w1", 10, LEASE)


async def analysis_without_model(db: Database, delay: timedelta = timedelta()) -> Claimed:
    """Return an analysis that has ended with rules alone."""
    async with db.begin() as connection:
        await intake.enqueue(connection, NewJob("t", URL, Preset.STANDARD))
    (job,) = await claimed(db)
    async with db.begin() as connection:
        assert await outcomes.save_render(connection, job, RENDER, {})
        assert await enrichment.conclude(connection, job, answered(job.id, LATER), delay)
        assert await enrichment.conclude(connection, job, answered(job.id, LATER), delay), "a commit in doubt"
    return job


async def stored(db: Database, job_id: str) -> Analysis:
    async with db.read() as connection:
        statement = select(results.c.document).where(results.c.job_id == job_id)
        return Analysis.model_validate((await connection.execute(statement)).scalar_one())


async def told(db: Database, tenant: str = "t") -> list[events.Event]:
    async with db.read() as connection:
        return await events.since(connection, tenant)


async def spent(db: Database) -> tuple[int, int]:
    async with db.read() as connection:
        row = (await connection.execute(select(ai_spend))).one()
    return row.reserved_microusd, row.spent_microusd


async def test_the_analysis_has_succeeded_and_an_enrichment_waits(db: Database) -> None:
    analysis = await analysis_without_model(db, timedelta(hours=1))
    assert (await stored(db, analysis.id)).engine.ai_pending
    assert await claimed(db) == []
    async with db.read() as connection:
        rows = {row.kind: row for row in await connection.execute(select(jobs))}
    assert rows["analysis"].state == State.SUCCEEDED
    later = rows["enrichment"]
    assert (later.state, later.stage, later.attempt) == (State.QUEUED, Stage.ENRICH, 0)
    assert abs(later.run_at - later.created_at - timedelta(hours=1)) < timedelta(seconds=1)


async def test_the_whole_result_takes_the_place_of_the_first(db: Database) -> None:
    analysis = await analysis_without_model(db)
    (job,) = await claimed(db)
    assert (job.kind, job.stage, job.needs_browser) == (Kind.ENRICHMENT, Stage.ENRICH, False)
    async with db.begin() as connection:
        held = await enrichment.load(connection, job)
        assert held is not None
        assert held.render == RENDER
        whole = answered(analysis.id, DONE, memo=MEMO)
        assert await enrichment.finish(connection, job, whole)
        assert await enrichment.finish(connection, job, whole), "a commit in doubt"
    assert (await stored(db, analysis.id)).engine == DONE
    (event,) = await told(db)
    assert (event.type, event.job_id, event.tenant_id) == (EventType.ANALYSIS_ENRICHED, analysis.id, "t")
    assert event.document["overall"] == 80
    assert await told(db, "other") == []
    assert await spent(db) == (0, 110_000), "both bills"
    async with db.read() as connection:
        assert await memos.load(connection, job, timedelta(days=1)) == MEMO


async def test_the_line_of_a_batch_is_written_anew(db: Database) -> None:
    analysis = await analysis_without_model(db)
    whose = jobs.c.id == analysis.id
    async with db.begin() as connection:
        await connection.execute(update(jobs).where(whose).values(brief='{"cost":"0"}'))
    (job,) = await claimed(db)
    async with db.begin() as connection:
        assert await enrichment.finish(connection, job, answered(analysis.id, DONE))
    async with db.read() as connection:
        line = json.loads((await connection.execute(select(jobs.c.brief).where(whose))).scalar_one())
    assert (line["id"], line["url"], line["score"], line["cost"]) == (analysis.id, URL, 80, "0.1")


async def test_webhooks_are_told_of_both_forms(db: Database) -> None:
    await endpoint(db, "https://hooks.test/", "t")
    analysis = await analysis_without_model(db)
    (job,) = await claimed(db)
    for _ in range(2):
        async with db.begin() as connection:
            assert await enrichment.finish(connection, job, answered(analysis.id, DONE))
    rows = {row.type: json.loads(row.document) for row in await rows_of(db, webhook_events)}
    assert set(rows) == {"analysis.succeeded", "analysis.enriched"}
    assert [rows[name]["ai_pending"] for name in sorted(rows)] == [False, True]
    later = rows["analysis.enriched"]
    assert (later["id"], later["engine"], later["status"]) == (analysis.id, "rules+ai", "succeeded")
    assert later["timestamp"] >= later["finished_at"]


async def test_an_enrichment_that_brought_nothing_is_not_told(db: Database) -> None:
    await endpoint(db, "https://hooks.test/", "t", events=["analysis.enriched"])
    await analysis_without_model(db)
    (job,) = await claimed(db)
    async with db.begin() as connection:
        assert await enrichment.finish(connection, job, None)
    assert await rows_of(db, webhook_events) == []


async def test_who_lost_the_enrichment_writes_nothing(db: Database) -> None:
    analysis = await analysis_without_model(db)
    (job,) = await claimed(db)
    async with db.begin() as connection:
        await leases.release(connection, job, timedelta())
    (again,) = await claimed(db)
    async with db.begin() as connection:
        assert not await enrichment.finish(connection, job, answered(analysis.id, DONE))
        assert not await enrichment.put_off(connection, job, answered(analysis.id, LATER), timedelta())
    assert (await stored(db, analysis.id)).engine.ai_pending
    assert await told(db) == []
    assert again.fence == job.fence + 1


async def test_a_vain_attempt_is_paid_and_costs_no_attempt(db: Database) -> None:
    analysis = await analysis_without_model(db)
    (job,) = await claimed(db)
    async with db.begin() as connection:
        assert await enrichment.put_off(connection, job, answered(analysis.id, LATER), timedelta(hours=1))
        row = (await connection.execute(select(jobs).where(jobs.c.id == job.id))).one()
    assert (row.state, row.stage, row.attempt) == (State.QUEUED, Stage.ENRICH, 0)
    assert await spent(db) == (0, 20_000)
    assert (await stored(db, analysis.id)).engine.ai_pending


async def test_an_analysis_that_is_gone_needs_nothing(db: Database) -> None:
    analysis = await analysis_without_model(db)
    (job,) = await claimed(db)
    async with db.begin() as connection:
        await connection.execute(delete(jobs).where(jobs.c.id == analysis.id))
        assert await enrichment.load(connection, job) is None
        assert await enrichment.finish(connection, job, answered(analysis.id, DONE))
    assert await told(db) == []


async def test_a_result_that_was_enriched_already_is_left(db: Database) -> None:
    analysis = await analysis_without_model(db)
    (job,) = await claimed(db)
    async with db.begin() as connection:
        await enrichment.finish(connection, job, answered(analysis.id, DONE))
        assert await enrichment.load(connection, job) is None


async def test_after_its_last_failure_a_result_waits_no_more(db: Database) -> None:
    analysis = await analysis_without_model(db)
    (job,) = await claimed(db)
    async with db.begin() as connection:
        await enrichment.abandon(connection, job.id)
    assert (await stored(db, analysis.id)).engine.ai_pending, "not failed yet"
    async with db.begin() as connection:
        await outcomes.fail(connection, job, ServiceError(ErrorCode.INTERNAL, "No."))
        await enrichment.abandon(connection, job.id)
        await enrichment.abandon(connection, analysis.id)
    engine = (await stored(db, analysis.id)).engine
    assert (engine.ai_pending, engine.degraded_reason) == (False, DegradedReason.UNAVAILABLE)


async def test_a_dead_workers_enrichment_goes_on_elsewhere(db: Database) -> None:
    await analysis_without_model(db)
    (job,) = await claimed(db)
    async with db.begin() as connection:
        past = now_plus(timedelta(seconds=-1))
        await connection.execute(update(jobs).where(jobs.c.id == job.id).values(lease_until=past))
        await leases.reap(connection, 5)
    (again,) = await claimed(db)
    assert (again.id, again.stage) == (job.id, Stage.ENRICH)


async def test_memos_are_the_tenants_own_the_last_and_the_young(db: Database) -> None:
    analysis = await analysis_without_model(db)
    second = MEMO.model_copy(update={"key": "k2"})
    day = timedelta(days=1)
    async with db.begin() as connection:
        for memo in (MEMO, second):
            await memos.keep(connection, analysis, memo)
    others = (
        Claimed(**{**vars(analysis), "tenant_id": "other"}),
        Claimed(**{**vars(analysis), "url": URL + "?a"}),
        Claimed(**{**vars(analysis), "preset": Preset.DEEP}),
    )
    async with db.begin() as connection:
        assert await memos.load(connection, analysis, day) == second
        assert [await memos.load(connection, other, day) for other in others] == [None, None, None]
        assert await memos.load(connection, analysis, timedelta()) is None
        assert await memos.sweep(connection, day) == 0
        assert await memos.sweep(connection, timedelta()) == 1


def test_a_result_is_looked_after_closely_at_first_and_then_less() -> None:
    def least(age: timedelta, asked: float | None = None) -> float:
        drawn = [after_absence(age, asked).total_seconds() for _ in range(200)]
        assert max(drawn) <= 2 * min(drawn) + 60
        return min(drawn)

    assert 30 <= least(timedelta()) < 40
    assert least(timedelta(minutes=20)) >= 300
    assert 1_800 <= least(timedelta(days=1)) <= 2_000
    assert 100 <= least(timedelta(), 100) <= 120


# --- with workers ---------------------------------------------------------------------------------------------------


async def until(platform: Platform, path: str, wanted: Callable[[Any], bool]) -> Any:  # noqa: ANN401  # the API's document
    async with asyncio.timeout(90):
        while True:
            found = (await platform.http.get(path)).json()
            if wanted(found):
                return found
            await asyncio.sleep(0.02)


async def test_a_customer_has_the_rules_at_once_and_the_model_later(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("gateway.work.analysing", "gateway.attempts"):
        monkeypatch.setattr(f"{place}.after_absence", lambda *_: timedelta())
    back, thrice = asyncio.Event(), asyncio.Event()
    away = 0

    def judgement(order: AnalyzeRequest) -> dict[str, Any]:
        nonlocal away
        assert order.ai_later
        if back.is_set():
            return {"engine": DONE, "memo": MEMO}
        away += 1
        if away == 3:
            thrice.set()
        return {"engine": LATER, "retry_after_s": 1.0}

    platform.fleet.judgement = judgement
    worker = platform.worker(tenant_ai_budget_usd_per_day=Decimal(1))
    task = asyncio.create_task(worker.run())
    made = await platform.http.post("/v1/analyses", json={"url": URL, "preset": "standard", "wait": 30})
    first = made.json()
    assert (first["status"], first["result"]["engine"]["ai_pending"]) == ("succeeded", True)
    path = f"/v1/analyses/{first['id']}"
    await asyncio.wait_for(thrice.wait(), 30)
    still = (await platform.http.get(path)).json()
    assert (still["status"], still["finished_at"]) == ("succeeded", first["finished_at"])
    back.set()
    whole = await until(platform, path, lambda found: found["result"]["engine"]["mode"] == "rules+ai")
    assert whole["result"]["engine"]["ai_pending"] is False
    assert whole["result"]["id"] == first["id"]
    assert [one.type for one in await told(platform.parts.db, "local")] == ["analysis.enriched"]
    listed = (await platform.http.get("/v1/analyses")).json()["data"]
    assert [one["id"] for one in listed] == [first["id"]], "enrichments are nobody's list"

    again = await platform.http.post("/v1/analyses", json={"url": URL, "preset": "standard", "wait": 30})
    assert again.json()["status"] == "succeeded"
    assert platform.fleet.analyses[-1].memo == MEMO
    assert len(platform.fleet.renders) == 2, "an enrichment renders nothing"
    worker.stop()
    await task
    assert {order.analysis_id for order in platform.fleet.analyses[:-1]} == {first["id"]}


async def test_nobody_waits_longer_than_the_operator_wants(platform: Platform) -> None:
    worker = platform.worker(enrich_patience_seconds=0, ai_memo_days=0)
    task = asyncio.create_task(worker.run())
    await platform.http.post("/v1/analyses", json={"url": URL, "preset": "standard", "wait": 30})
    worker.stop()
    await task
    (order,) = platform.fleet.analyses
    assert (order.ai_later, order.memo) == (False, None)
    async with platform.parts.db.read() as db:
        assert (await db.execute(select(func.count()).select_from(jobs))).scalar_one() == 1
