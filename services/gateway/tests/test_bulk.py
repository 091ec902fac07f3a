"""The model's part in message batches: rules at once, a ticket for a day, money held as long. On both databases."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from contracts.analyze import AnalyzeRequest, Asking, Preset
from contracts.errors import ErrorCode
from contracts.result import AiRun, DegradedReason, Engine, Ticket, TicketState
from gateway.db import Database
from gateway.jobs import admission, enrichment, flow, intake, leases, outcomes, spending
from gateway.jobs.delays import TICKET_PATIENCE, until_batched
from gateway.jobs.spending import Purse
from gateway.jobs.states import Claimed, Kind, NewJob, Stage, State
from gateway.room import Room
from gateway.tables import ai_reservations, ai_spend, jobs, usage_days
from gateway.times import now_plus
from runtime.errors import ServiceError
from tests.fixtures.gateway import Platform

from .test_enrichment import LEASE, RENDER, URL, answered, claimed

pytestmark = pytest.mark.anyio

NOW = timedelta()
TICKET = Ticket(claim="batch 1, page 1", most_usd=Decimal("0.12"))
PENDING = Engine(mode="rules", rules_version="1", ai_pending=True)
DONE = Engine(mode="rules+ai", rules_version="1", ai=AiRun(model="m", cost_usd="0.05", batch=True))
FAILED = Engine(
    mode="rules", rules_version="1", ai_pending=True, degraded=True, degraded_reason=DegradedReason.UNAVAILABLE
)
BODY = {"url": URL, "preset": "standard", "ai": "bulk"}


async def enrichment_of_a_bulk_analysis(db: Database) -> Claimed:
    """Return the claimed enrichment of an analysis that has ended with its rules."""
    options = enrichment.options({"thresholds": {}}, "bulk")
    async with db.begin() as connection:
        await intake.enqueue(connection, NewJob("t", URL, Preset.STANDARD, options=options, cache_key="same"))
    (analysis,) = await claimed(db)
    async with db.begin() as connection:
        assert await outcomes.save_render(connection, analysis, RENDER, {})
        assert await enrichment.conclude(connection, analysis, answered(analysis.id, PENDING), NOW)
    (job,) = await claimed(db)
    assert enrichment.in_bulk(job)
    return job


async def handed_in(db: Database, wanted: str = "0.3") -> Claimed:
    """Return an enrichment that was claimed again with its ticket; 0.3 USD were held when it was handed in."""
    job = await enrichment_of_a_bulk_analysis(db)
    async with db.begin() as connection:
        assert await outcomes.reserve(connection, job, Decimal(wanted), Decimal(1)) == Decimal(wanted)
    async with db.begin() as connection:
        given = answered(enrichment.target(job), PENDING, ticket=TICKET)
        assert await enrichment.put_off(connection, job, given, NOW)
    (again,) = await claimed(db)
    assert (enrichment.ticket(again), enrichment.in_bulk(again)) == (TICKET, False)
    return again


async def purse(db: Database) -> tuple[int, int]:
    """Return what is reserved and what is spent, in microdollars."""
    async with db.read() as connection:
        rows = (await connection.execute(select(ai_spend))).all()
    return sum(row.reserved_microusd for row in rows), sum(row.spent_microusd for row in rows)


async def swept(db: Database) -> int:
    async with db.begin() as connection:
        return await spending.sweep(connection)


async def analysis_row(db: Database) -> Any:  # noqa: ANN401  # a row
    async with db.read() as connection:
        return (await connection.execute(select(jobs).where(jobs.c.kind == Kind.ANALYSIS))).one()


# --- the ticket and its money ---------------------------------------------------------------------------------------


async def test_a_ticket_holds_no_more_than_it_may_cost_and_as_long_as_it_waits(db: Database) -> None:
    job = await handed_in(db)
    assert await purse(db) == (120_000, 0)
    async with db.begin() as connection:
        assert await leases.release(connection, job, timedelta(hours=1))
    assert await swept(db) == 0
    assert await purse(db) == (120_000, 0), "held while nobody works on it"
    assert (await analysis_row(db)).cache_key == "same", "who asks the same is given this one"


async def test_the_bill_is_that_of_the_day_on_which_the_page_was_handed_in(db: Database) -> None:
    job = await handed_in(db)
    async with db.begin() as connection:
        await connection.execute(update(ai_spend).values(day="2026-01-31"))
        await connection.execute(update(ai_reservations).values(day="2026-01-31"))
        assert await enrichment.finish(connection, job, answered(enrichment.target(job), DONE))
    async with db.read() as connection:
        (row,) = (await connection.execute(select(ai_spend))).all()
        assert (row.day, row.reserved_microusd, row.spent_microusd) == ("2026-01-31", 0, 50_000)
        day = (await connection.execute(select(usage_days).where(usage_days.c.kind == "analysis"))).one()
        assert (day.cost_microusd, day.succeeded) == (50_000, 1), "and in the account's usage"
    assert await swept(db) == 0


async def test_a_page_whose_batch_failed_is_asked_about_alone_and_its_money_is_free(db: Database) -> None:
    job = await handed_in(db)
    async with db.begin() as connection:
        assert await enrichment.put_off(connection, job, answered(enrichment.target(job), FAILED), NOW)
    (alone,) = await claimed(db)
    assert (enrichment.ticket(alone), enrichment.in_bulk(alone)) == (None, False)
    assert (alone.options or {})["thresholds"] == {}, "all else stays"
    assert await purse(db) == (0, 0)


async def test_a_page_that_could_not_be_handed_in_is_asked_about_alone(db: Database) -> None:
    job = await enrichment_of_a_bulk_analysis(db)
    async with db.begin() as connection:
        assert await enrichment.put_off(connection, job, answered(enrichment.target(job), FAILED), NOW)
    (alone,) = await claimed(db)
    assert (enrichment.ticket(alone), enrichment.in_bulk(alone)) == (None, False)


async def test_a_ticket_that_comes_back_stays_as_it_is(db: Database) -> None:
    job = await handed_in(db)
    async with db.begin() as connection:
        given = answered(enrichment.target(job), PENDING, ticket=TICKET)
        assert await enrichment.put_off(connection, job, given, NOW)
    (again,) = await claimed(db)
    assert enrichment.ticket(again) == TICKET
    assert await purse(db) == (120_000, 0)


async def test_a_lost_ticket_is_booked_at_its_most(db: Database) -> None:
    job = await handed_in(db)
    async with db.begin() as connection:
        assert await enrichment.lose_ticket(connection, job) is not None
    async with db.begin() as connection:
        without = await enrichment.lose_ticket(connection, job)
    assert without is not None, "a commit in doubt"
    assert enrichment.ticket(without) is None
    assert await purse(db) == (0, 120_000)
    async with db.begin() as connection:
        assert await enrichment.finish(connection, without, answered(enrichment.target(job), DONE))
    assert await purse(db) == (0, 170_000)


async def test_who_lost_the_job_neither_loses_nor_keeps_a_ticket(db: Database) -> None:
    job = await handed_in(db)
    async with db.begin() as connection:
        await leases.release(connection, job, NOW)
    (again,) = await claimed(db)
    async with db.begin() as connection:
        assert await enrichment.lose_ticket(connection, job) is None
        assert not await enrichment.put_off(connection, job, answered(enrichment.target(job), FAILED), NOW)
    assert await purse(db) == (120_000, 0)
    assert enrichment.ticket(again) == TICKET


@pytest.mark.parametrize("end", ["analysis deleted", "failed", "deleted"])
async def test_who_deletes_a_page_in_a_batch_pays_for_it(db: Database, end: str) -> None:
    job = await handed_in(db)
    async with db.begin() as connection:
        if end == "analysis deleted":
            await connection.execute(delete(jobs).where(jobs.c.kind == Kind.ANALYSIS))
            assert await enrichment.load(connection, job) is None
            assert await enrichment.finish(connection, job, None)
        elif end == "failed":
            assert await outcomes.fail(connection, job, ServiceError(ErrorCode.INTERNAL, "No."))
        else:
            await connection.execute(delete(jobs).where(jobs.c.id == job.id))
    assert await swept(db) == 1
    assert await purse(db) == (0, 120_000)
    assert await swept(db) == 0


async def test_a_dead_workers_ticket_is_kept(db: Database) -> None:
    job = await handed_in(db)
    async with db.begin() as connection:
        await connection.execute(update(jobs).where(jobs.c.id == job.id).values(lease_until=now_plus(-LEASE)))
        await leases.reap(connection, 5)
        await spending.sweep(connection)
    (again,) = await claimed(db)
    assert enrichment.ticket(again) == TICKET
    assert await purse(db) == (120_000, 0)


async def test_without_a_budget_nothing_is_held(db: Database) -> None:
    job = await enrichment_of_a_bulk_analysis(db)
    async with db.begin() as connection:
        given = answered(enrichment.target(job), PENDING, ticket=TICKET)
        assert await enrichment.put_off(connection, job, given, NOW)
        assert await spending.held(connection, spending.for_ticket(job.id)) is None
    (again,) = await claimed(db)
    async with db.begin() as connection:
        assert await enrichment.finish(connection, again, answered(enrichment.target(job), DONE))
    assert await purse(db) == (0, 50_000)


async def test_a_ticket_leaves_the_money_of_others_alone(db: Database) -> None:
    await handed_in(db)
    async with db.begin() as connection:
        left = await spending.reserve(connection, "an_other", Purse.today("t"), Decimal(1), Decimal(1))
    assert left == Decimal("0.88")


async def test_the_patience_begins_when_the_page_is_handed_in(db: Database) -> None:
    late = timedelta(hours=5)
    job = replace(await enrichment_of_a_bulk_analysis(db), age=late)
    async with db.begin() as connection:
        given = answered(enrichment.target(job), PENDING, ticket=TICKET)
        assert await enrichment.put_off(connection, job, given, NOW)
    (again,) = await claimed(db)
    assert enrichment.waited(replace(again, age=late + timedelta(hours=1))) == timedelta(hours=1)
    async with db.begin() as connection:
        assert await enrichment.put_off(connection, replace(again, age=late * 2), given, NOW)
    (again,) = await claimed(db)
    assert enrichment.waited(replace(again, age=late)) == NOW, "a ticket that comes back is no new one"
    async with db.begin() as connection:
        without = await enrichment.lose_ticket(connection, again)
    assert without is not None
    assert enrichment.waited(without) == without.age


# --- the queue ------------------------------------------------------------------------------------------------------


async def test_what_waits_for_a_batch_holds_up_nothing(db: Database) -> None:
    job = await handed_in(db)
    async with db.begin() as connection:
        await leases.release(connection, job, timedelta(hours=1))
    async with db.read() as connection:
        assert (await flow.measure(connection)).queued == 0
        assert await admission.first_state(connection, "t", admission.Terms(max_active=1)) is State.QUEUED


@pytest.mark.parametrize("how", ["enriched in vain", "failed for good"])
async def test_a_result_whose_promise_was_not_kept_is_given_to_nobody_else(db: Database, how: str) -> None:
    job = await handed_in(db)
    final = FAILED.model_copy(update={"ai_pending": False})
    async with db.begin() as connection:
        if how == "enriched in vain":
            assert await enrichment.finish(connection, job, answered(enrichment.target(job), final))
        else:
            await outcomes.fail(connection, job, ServiceError(ErrorCode.INTERNAL, "No."))
            await enrichment.abandon(connection, job.id)
        held = await enrichment.load(connection, job)
    assert held is None, "it waits no more"
    assert (await analysis_row(db)).cache_key is None


def test_a_batch_is_looked_after_less_and_less() -> None:
    def span(age: timedelta) -> tuple[float, float]:
        drawn = [until_batched(age).total_seconds() for _ in range(200)]
        return min(drawn), max(drawn)

    least, most = span(NOW)
    assert 60 <= least <= most <= 90
    least, most = span(timedelta(hours=1))
    assert 900 <= least <= most <= 1_350
    least, most = span(timedelta(hours=20))
    assert 1_200 <= least <= most <= 1_800


def test_pages_that_wait_for_each_other_take_no_place() -> None:
    def claim(number: int) -> Claimed:
        job_id = f"enr_{number}"
        return Claimed(job_id, "t", URL, Preset.FAST, Stage.ENRICH, 1, 1, "", NOW, Kind.ENRICHMENT)

    room = Room(2, aside=2)
    them = [claim(number) for number in range(4)]
    for job in them[:2]:
        room.admit(job)
    assert room.free() == 0
    with room.aside(them[0]), room.aside(them[1]):
        assert room.free() == 2
        room.admit(them[2])
        with room.aside(them[2]):
            assert room.free() == 1, "no more than two of them"
    assert room.free() == 0
    for job in them[:3]:
        room.leave(job)
    assert room.free() == 2


# --- with workers ---------------------------------------------------------------------------------------------------


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.attempts.until_batched", lambda _: NOW)
    monkeypatch.setattr("gateway.attempts.after_absence", lambda *_: NOW)


@asynccontextmanager
async def worker(platform: Platform, **changes: object) -> AsyncIterator[None]:
    one = platform.worker(**changes)
    task = asyncio.create_task(one.run())
    yield
    one.stop()
    await task


def batched(answers: Iterator[dict[str, Any]]) -> Callable[[AnalyzeRequest], dict[str, Any]]:
    """Answer as an analyzer does: rules first, then a ticket, then what `answers` says."""

    def judgement(order: AnalyzeRequest) -> dict[str, Any]:
        if order.ticket is None and order.ai is Asking.LATER:
            return {"engine": PENDING}
        if order.ticket is None and order.ai is Asking.BULK:
            return {"engine": PENDING, "ticket": TICKET}
        return next(answers)

    return judgement


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(90):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.02)


async def _given(truth: bool) -> bool:  # noqa: FBT001  # its only argument
    return truth


async def until(platform: Platform, path: str, wanted: Callable[[Any], bool]) -> Any:  # noqa: ANN401  # the API's document
    async with asyncio.timeout(90):
        while True:
            found = (await platform.http.get(path)).json()
            if wanted(found):
                return found
            await asyncio.sleep(0.02)


async def test_rules_at_once_and_the_model_when_its_batch_has_ended(platform: Platform, at_once: None) -> None:
    fleet, ended = platform.fleet, asyncio.Event()
    fleet.worth = lambda _: TicketState.READY if ended.is_set() else TicketState.WAITING
    fleet.judgement = batched(iter([{"engine": DONE}]))
    async with worker(platform, tenant_ai_budget_usd_per_day=Decimal(1), enrich_patience_seconds=0):
        first = (await platform.http.post("/v1/analyses", json={**BODY, "wait": 30})).json()
        path = f"/v1/analyses/{first['id']}"
        engine = first["result"]["engine"]
        assert (first["status"], engine["ai_pending"], engine["degraded"]) == ("succeeded", True, False)
        await eventually(lambda: _given(len(fleet.looks) >= 3))
        again = (await platform.http.post("/v1/analyses", json=BODY)).json()
        assert (again["id"], again["cached"], again["result"]["engine"]["ai_pending"]) == (first["id"], True, True)
        ended.set()
        whole = await until(platform, path, lambda found: not found["result"]["engine"]["ai_pending"])
    assert whole["result"]["engine"]["mode"] == "rules+ai"
    assert (whole["cost_usd"], whole["finished_at"]) == ("0.05", first["finished_at"])
    asked = [(order.ai, order.ticket, order.ai_budget_usd) for order in fleet.analyses]
    assert asked == [
        (Asking.LATER, None, None),
        (Asking.BULK, None, Decimal("0.3")),
        (Asking.NOW, TICKET, Decimal("0.12")),
    ]
    assert fleet.analyses[1].ai_later, "the patience for a batch is its own"
    assert all(one == TICKET for one in fleet.looks)
    assert len(fleet.renders) == 1
    assert await purse(platform.parts.db) == (0, 50_000)


@pytest.mark.parametrize("fate", ["the batch failed", "nobody can redeem it", "it takes too long"])
async def test_what_no_batch_brings_is_asked_alone(
    platform: Platform, at_once: None, monkeypatch: pytest.MonkeyPatch, fate: str
) -> None:
    worth = {"the batch failed": TicketState.READY, "nobody can redeem it": TicketState.LOST}
    platform.fleet.worth = lambda _: worth.get(fate, TicketState.WAITING)
    if fate == "it takes too long":
        for place in ("judging", "enriching"):
            monkeypatch.setattr(f"gateway.work.{place}.TICKET_PATIENCE", timedelta())
    failed = [{"engine": FAILED}] if fate == "the batch failed" else []
    platform.fleet.judgement = batched(iter([*failed, {"engine": DONE}]))
    async with worker(platform, tenant_ai_budget_usd_per_day=Decimal(1)):
        first = (await platform.http.post("/v1/analyses", json={**BODY, "wait": 30})).json()
        path = f"/v1/analyses/{first['id']}"
        await until(platform, path, lambda found: found["result"]["engine"]["mode"] == "rules+ai")
    last = platform.fleet.analyses[-1]
    assert (last.ai, last.ticket, last.ai_budget_usd) == (Asking.NOW, None, Decimal("0.3"))
    assert await purse(platform.parts.db) == (0, 50_000 if fate == "the batch failed" else 170_000)


async def test_an_analyzer_that_restarts_costs_no_ticket(platform: Platform, at_once: None) -> None:
    tries = 0

    def worth(_: Ticket) -> TicketState:
        nonlocal tries
        tries += 1
        if tries < 6:
            raise ServiceError(ErrorCode.UNAVAILABLE, "Restarting.", retry_after_s=0.01)
        return TicketState.READY

    platform.fleet.worth = worth
    platform.fleet.judgement = batched(iter([{"engine": DONE}]))
    async with worker(platform, max_attempts=1, outage_patience_seconds=0):
        first = (await platform.http.post("/v1/analyses", json={**BODY, "wait": 30})).json()
        path = f"/v1/analyses/{first['id']}"
        await until(platform, path, lambda found: found["result"]["engine"]["mode"] == "rules+ai")
    assert platform.fleet.analyses[-1].ticket == TICKET


async def test_deleting_an_analysis_whose_page_is_in_a_batch(platform: Platform, at_once: None) -> None:
    platform.fleet.judgement = batched(iter([]))
    async with worker(platform, tenant_ai_budget_usd_per_day=Decimal(1)):
        first = (await platform.http.post("/v1/analyses", json={**BODY, "wait": 30})).json()
        await eventually(lambda: _given(bool(platform.fleet.looks)))
        assert (await platform.http.post(f"/v1/analyses/{first['id']}/cancel")).status_code == 409
        assert (await platform.http.delete(f"/v1/analyses/{first['id']}")).status_code == 204
        await eventually(lambda: _nothing_open(platform.parts.db))
    await swept(platform.parts.db)
    assert await purse(platform.parts.db) == (0, 120_000)


async def _nothing_open(db: Database) -> bool:
    async with db.read() as connection:
        rows = (await connection.execute(select(jobs.c.state))).scalars().all()
    return all(State(state).final for state in rows)


async def test_how_it_is_asked_is_part_of_what_is_asked(working: Platform) -> None:
    working.fleet.judgement = lambda order: {} if order.ai is Asking.NOW else batched(iter([]))(order)
    plain = {"url": URL, "preset": "standard"}
    headers = {"Idempotency-Key": "one"}
    now = await working.http.post("/v1/analyses", json={**plain, "wait": 30}, headers=headers)
    for body, status in (({**plain, "ai": "now"}, 200), ({**plain, "ai": "bulk"}, 422)):
        again = await working.http.post("/v1/analyses", json=body, headers=headers)
        assert again.status_code == status, again.text
    bulk = await working.http.post("/v1/analyses", json={**BODY, "wait": 30})
    assert bulk.json()["id"] != now.json()["id"], "no earlier result of the other kind"
    assert [order.ai for order in working.fleet.analyses][:2] == [Asking.NOW, Asking.LATER]


@pytest.mark.parametrize(
    "body", [{"preset": "rules", "ai": "bulk"}, {"ai": "later"}, {"preset": "standard", "ai": True}]
)
async def test_what_cannot_be_asked_in_bulk(platform: Platform, body: dict[str, object]) -> None:
    refused = await platform.http.post("/v1/analyses", json={"url": URL, **body})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "ai"


def test_the_patience_is_longer_than_any_batch() -> None:
    assert timedelta(hours=24) < TICKET_PATIENCE <= timedelta(hours=26)
