"""Who is told what, and how often: every end of a job, requests that share one, results given again, batches."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text, update

from contracts.analyze import AnalyzeRequest, Preset
from contracts.errors import ErrorCode
from contracts.render import RenderResult
from gateway.db import Database
from gateway.jobs import announcing, intake, leases, outcomes
from gateway.jobs.announcing import BatchEnd
from gateway.jobs.states import Claimed, Kind, NewJob
from gateway.settings import GatewaySettings
from gateway.tables import job_webhooks, jobs, webhook_deliveries, webhook_events
from gateway.times import now_plus
from gateway.webhooks import store
from runtime.errors import ServiceError
from tests.fixtures.couriers import endpoint, rows_of
from tests.fixtures.fleet import analysed
from tests.fixtures.gateway import Platform
from tests.fixtures.receiver import Receiver

pytestmark = pytest.mark.anyio

URL = "https://shop.test/"
HOOK, OTHER = "https://hooks.test/one", "https://hooks.test/two"


@pytest.fixture
def settings(settings: GatewaySettings, receiver: Receiver) -> GatewaySettings:
    return settings.model_copy(update={"egress_allow_private": receiver.host})


async def told(db: Database) -> list[tuple[str, str | None, dict[str, Any]]]:
    """Return what is to be sent, first first: its type, the URL of one request if it is for that, the document."""
    events = {row.id: row for row in await rows_of(db, webhook_events)}
    rows = await rows_of(db, webhook_deliveries)
    found = [(events[row.event_id].type, row.url, json.loads(events[row.event_id].document)) for row in rows]
    return sorted(found, key=lambda one: (one[2]["event_id"], one[1] or ""))


async def types(db: Database) -> list[tuple[str, str | None]]:
    return [(event_type, url) for event_type, url, _ in await told(db)]


async def post(platform: Platform, path: str = "/v1/analyses", **body: object) -> Any:  # noqa: ANN401  # an answer
    return await platform.http.post(path, json={"url": URL, **body})


async def claimed(db: Database) -> Claimed:
    async with db.begin() as connection:
        (job,) = await leases.claim(connection, "w1", 1, timedelta(seconds=30))
    return job


async def queued(db: Database) -> Claimed:
    async with db.begin() as connection:
        await intake.enqueue(connection, NewJob("local", URL, Preset.RULES))
    return await claimed(db)


async def succeed(db: Database, job: Claimed) -> None:
    render = RenderResult(requested_url=URL, final_url=URL, http_status=200)
    result = analysed(AnalyzeRequest(job_id=job.id, analysis_id=job.id, render=render, downloads={}))
    async with db.begin() as connection:
        assert await outcomes.finish(connection, job, result)


async def fail(db: Database, job: Claimed) -> None:
    async with db.begin() as connection:
        assert await outcomes.fail(connection, job, ServiceError(ErrorCode.PAGE_EMPTY, "Nothing."))


async def cancel(db: Database, job: Claimed) -> None:
    async with db.begin() as connection:
        assert await outcomes.cancel(connection, Kind.ANALYSIS, "local", job.id)


async def crash(db: Database, job: Claimed) -> None:
    async with db.begin() as connection:
        await connection.execute(update(jobs).where(jobs.c.id == job.id).values(lease_until=now_plus(-timedelta(1))))
        assert [one.dead for one in await leases.reap(connection, 1)] == [True]


@pytest.mark.parametrize(
    ("end", "word", "code"),
    [
        (succeed, "succeeded", None),
        (fail, "failed", "page_empty"),
        (cancel, "cancelled", "cancelled"),
        (crash, "failed", "page_crashed"),
    ],
)
async def test_every_end_of_a_job_is_told_in_its_own_commit(
    db: Database, end: Callable[[Database, Claimed], Awaitable[None]], word: str, code: str | None
) -> None:
    await endpoint(db, HOOK)
    job = await queued(db)
    await end(db, job)
    ((event_type, _, document),) = await told(db)
    assert (event_type, document["id"], document["error_code"]) == (f"analysis.{word}", job.id, code)
    assert (document["cached"], document["status"]) == (False, word)


async def test_what_is_only_tried_again_is_not_told(db: Database) -> None:
    await endpoint(db, HOOK)
    job = await queued(db)
    async with db.begin() as connection:
        await connection.execute(update(jobs).where(jobs.c.id == job.id).values(lease_until=now_plus(-timedelta(1))))
        assert [one.dead for one in await leases.reap(connection, 2)] == [False]
    again = await claimed(db)
    async with db.begin() as connection:
        assert await leases.retry(connection, again, timedelta(), ServiceError(ErrorCode.INTERNAL, "No."))
    assert await told(db) == []


async def test_nobody_listens_and_nothing_is_written(db: Database) -> None:
    await succeed(db, await queued(db))
    assert await rows_of(db, webhook_events) == []


@pytest.mark.parametrize("path", ["/v1/analyses", "/v1/captures"])
async def test_who_joins_a_job_is_told_of_its_end(platform: Platform, path: str) -> None:
    made = await post(platform, path)
    joined = [await post(platform, path, webhook_url=url) for url in (HOOK, OTHER, HOOK)]
    assert {answer.headers["x-cache"] for answer in joined} == {"joined"}
    assert {answer.json()["id"] for answer in joined} == {made.json()["id"]}
    await platform.http.post(f"{path}/{made.json()['id']}/cancel")
    noun = {"/v1/analyses": "analysis", "/v1/captures": "capture"}[path]
    assert await types(platform.parts.db) == [(f"{noun}.cancelled", HOOK), (f"{noun}.cancelled", OTHER)]
    assert len(await rows_of(platform.parts.db, webhook_events)) == 1


async def test_a_job_that_ends_while_somebody_joins_tells_them_all_the_same(platform: Platform) -> None:
    db = platform.parts.db
    await post(platform)
    job = await claimed(db)
    _, answer = await asyncio.gather(succeed(db, job), post(platform, webhook_url=HOOK))
    how = answer.headers["x-cache"]
    if how == "miss":
        # It looked before the end and wanted to join after it: a job of its own, which is to tell.
        await succeed(db, await claimed(db))
    (one,) = await told(db)
    assert one[:2] == ("analysis.succeeded", HOOK)
    assert one[2]["id"] == answer.json()["id"]
    assert (one[2]["id"] == job.id, one[2]["cached"]) == (how != "miss", how == "hit")


@pytest.mark.parametrize("path", ["/v1/analyses", "/v1/captures", "/analyze"])
async def test_a_result_that_is_given_again_is_told_to_url_and_endpoints(
    working: Platform, receiver: Receiver, path: str
) -> None:
    where = "/v1/captures" if path == "/v1/captures" else "/v1/analyses"
    made = (await post(working, where, wait=60)).json()
    await endpoint(working.parts.db, receiver.url + "/all")
    again = await post(working, path, webhook_url=receiver.url + "/one")
    assert (again.status_code, again.headers["x-cache"]) == (200, "hit")
    got = [await asyncio.wait_for(receiver.arrived.get(), 30) for _ in range(2)]
    assert sorted(one.path for one in got) == ["/hook/all", "/hook/one"]
    first, second = (one.event for one in got)
    assert first == second
    assert (first["id"], first["cached"], first["status"]) == (made["id"], True, "succeeded")
    assert first["timestamp"] > first["finished_at"]
    assert first["title"] is not None
    # Another request is another event: whoever handles each id once must not miss it.
    await post(working, path)
    third = (await asyncio.wait_for(receiver.arrived.get(), 30)).event
    assert (third["id"], third["event_id"] != first["event_id"]) == (made["id"], True)


async def test_a_result_that_is_given_again_writes_nothing_where_nobody_listens(working: Platform) -> None:
    for _ in range(2):
        await post(working, wait=60)
    await endpoint(working.parts.db, HOOK, events=["analysis.failed"])
    assert (await post(working)).headers["x-cache"] == "hit"
    assert await rows_of(working.parts.db, webhook_events) == []


async def test_the_same_request_sent_twice_is_told_once(working: Platform, receiver: Receiver) -> None:
    await post(working, wait=60)
    body = {"url": URL, "webhook_url": receiver.url}
    for _ in range(3):
        answer = await working.http.post("/v1/analyses", json=body, headers={"Idempotency-Key": "k"})
        assert answer.headers["x-cache"] == "hit"
    assert len(await rows_of(working.parts.db, webhook_events)) == 1
    other = {**body, "webhook_url": receiver.url + "2"}
    answer = await working.http.post("/v1/analyses", json=other, headers={"Idempotency-Key": "k"})
    assert answer.json()["code"] == "idempotency_mismatch"


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_an_endpoint_that_is_deleted_meanwhile_does_not_undo_the_end_of_a_job(db: Database) -> None:
    gone, stays = await endpoint(db, HOOK), await endpoint(db, HOOK)
    job = await queued(db)
    async with db.begin() as connection:
        assert await store.remove(connection, "local", gone)
        ending = asyncio.create_task(succeed(db, job))
        await somebody_waits(db)
    await ending
    (row,) = await rows_of(db, webhook_deliveries)
    assert row.endpoint_id == stays


async def somebody_waits(db: Database) -> None:
    waiting = text("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    async with asyncio.timeout(90):
        while True:
            async with db.read() as connection:
                if (await connection.execute(waiting)).first():
                    return
            await asyncio.sleep(0.01)


async def test_a_refused_request_expects_nothing(platform: Platform) -> None:
    answer = await post(platform, webhook_url="https://10.0.0.1/")
    assert answer.status_code == 422
    assert await rows_of(platform.parts.db, job_webhooks) == []


NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def ended(state: str = "completed", moment: datetime = NOON) -> BatchEnd:
    return BatchEnd("bat_1", "local", Kind.CAPTURE, state, 10, 8, 1, 1, 2, Decimal("0.15"), moment, moment)


async def test_the_end_of_a_batch_is_told_once_for_each_end(db: Database) -> None:
    await endpoint(db, HOOK, events=["batch.completed"])
    later = datetime(2026, 11, 21, 13, 0, tzinfo=UTC)
    for end in (ended(), ended(), ended("cancelled"), ended(moment=later)):
        async with db.begin() as connection:
            await announcing.batch_ended(connection, end, also=OTHER)
    found = await types(db)
    assert sorted(found, key=str) == sorted(
        [("batch.completed", None), ("batch.completed", OTHER)] * 2 + [("batch.cancelled", OTHER)], key=str
    )
    (document,) = [one for _, url, one in await told(db) if url and one["status"] == "cancelled"]
    assert (document["total"], document["succeeded"], document["rejected"]) == (10, 8, 2)
    assert (document["kind"], document["cost_usd"], document["results_url"]) == (
        "capture",
        "0.15",
        "/v1/batches/bat_1/results",
    )


async def test_a_batch_that_wants_to_hear_of_each_job_is_told_besides(db: Database) -> None:
    job = await queued(db)
    async with db.begin() as connection:
        await connection.execute(
            update(jobs).where(jobs.c.id == job.id).values(state="succeeded", finished_at=now_plus())
        )
        for _ in range(2):
            await announcing.ended(connection, "local", job.id, also=OTHER)
    assert await types(db) == [("analysis.succeeded", OTHER)]
