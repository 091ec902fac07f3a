"""One result for all of a tenant's requests that ask the same, on both databases."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select, update

from contracts.analyze import AnalyzeRequest
from contracts.render import RenderResult
from contracts.render import Warning as Lack
from gateway.jobs import intake
from gateway.jobs.lasting import may_be_given_again
from gateway.jobs.states import Kind, NewJob
from gateway.reuse import store
from gateway.reuse.policy import cache_key
from gateway.reuse.store import Same
from gateway.tables import jobs
from gateway.times import now_plus
from tests.fixtures.fleet import JPEG, analysed
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

URL = "https://shop.test/"
PATHS = ["/v1/analyses", "/v1/captures"]


async def post(platform: Platform, path: str = "/v1/analyses", **body: object) -> httpx2.Response:
    return await platform.http.post(path, json={"url": URL, **body})


async def done(platform: Platform, path: str = "/v1/analyses", **body: object) -> dict[str, Any]:
    answer = await post(platform, path, wait=60, **body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def count(platform: Platform) -> int:
    async with platform.parts.db.read() as db:
        return int((await db.execute(select(func.count()).select_from(jobs))).scalar_one())


async def age(platform: Platform, by: timedelta) -> None:
    async with platform.parts.db.begin() as db:
        await db.execute(update(jobs).values(finished_at=now_plus(-by)))


@pytest.mark.parametrize("path", PATHS)
async def test_a_result_serves_the_next_request_and_costs_nothing(working: Platform, path: str) -> None:
    first = await post(working, path, wait=60)
    again = await post(working, path)
    made, found = first.json(), again.json()
    assert (first.headers["x-cache"], again.headers["x-cache"]) == ("miss", "hit")
    assert (made["cached"], found["cached"], found["cost_usd"]) == (False, True, "0")
    assert (again.status_code, found["id"], found["finished_at"]) == (200, made["id"], made["finished_at"])
    assert 0 <= int(again.headers["age"]) < 60
    assert found["result"] is not None
    assert await count(working) == 1
    assert (await working.http.get(again.headers["location"])).json()["cached"] is False


async def test_the_simple_pair_is_served_as_well(working: Platform) -> None:
    made = await done(working)
    answer = await working.http.post("/analyze", json={"url": URL})
    assert (answer.json(), answer.headers["x-cache"]) == (made["result"], "hit")


async def test_bytes_are_served_as_well(working: Platform) -> None:
    headers = {"accept": "image/jpeg"}
    first, again = [await working.http.post("/v1/captures", json={"url": URL}, headers=headers) for _ in range(2)]
    assert first.content == again.content == JPEG
    assert (again.headers["x-cache"], again.headers["x-cost-usd"]) == ("hit", "0")
    assert len(working.fleet.fetches) == 1


@pytest.mark.parametrize(("max_age", "hit"), [(None, True), (86_400, True), (3_600, True), (1_800, False), (0, False)])
async def test_a_result_may_be_no_older_than_asked(working: Platform, max_age: int | None, *, hit: bool) -> None:
    made = await done(working)
    await age(working, timedelta(minutes=45))
    wanted: dict[str, object] = {} if max_age is None else {"max_age": max_age}
    found = await done(working, "/v1/analyses", **wanted)
    assert (found["id"] == made["id"], found["cached"]) == (hit, hit)


async def test_a_day_is_the_default_and_a_week_the_most(working: Platform) -> None:
    made = await done(working)
    await age(working, timedelta(hours=25))
    assert (await done(working, max_age=7 * 86_400))["id"] == made["id"]
    assert (await done(working))["id"] != made["id"]
    answer = await post(working, max_age=7 * 86_400 + 1)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "max_age")


async def test_refresh_makes_a_new_one_which_later_requests_get(working: Platform) -> None:
    first, second = await done(working), await done(working, refresh=True)
    assert first["id"] != second["id"]
    assert (await done(working))["id"] == second["id"]


async def test_what_is_not_to_be_stored_is_given_to_nobody(platform: Platform) -> None:
    private = (await post(platform, store=False)).json()["id"]
    assert (await post(platform)).json()["id"] != private
    worker = platform.worker()
    task = asyncio.create_task(worker.run())
    for _ in range(2):
        assert (await done(platform))["id"] != private
    worker.stop()
    await task


@pytest.mark.parametrize("path", PATHS)
async def test_who_asks_for_what_is_being_made_gets_the_same(platform: Platform, path: str) -> None:
    answers = await asyncio.gather(*(post(platform, path) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sorted({answer.headers["x-cache"] for answer in answers}) == ["joined", "miss"]
    assert [answer.headers["x-cache"] for answer in answers].count("miss") == 1
    assert await count(platform) == 1
    assert (await post(platform, path, max_age=0)).headers["x-cache"] == "joined"
    assert (await post(platform, path, refresh=True)).headers["x-cache"] == "miss"


async def test_a_cancelled_job_is_joined_by_nobody(platform: Platform) -> None:
    first = await post(platform)
    await platform.http.post(f"{first.headers['location']}/cancel")
    assert (await post(platform)).json()["id"] != first.json()["id"]


@pytest.mark.parametrize(
    ("path", "one", "other"),
    [
        ("/v1/analyses", {"preset": "rules"}, {"preset": "fast"}),
        ("/v1/analyses", {}, {"url": "https://shop.test/?a=1"}),
        ("/v1/captures", {}, {"visit": {"locale": "de-CH"}}),
        ("/v1/captures", {}, {"outputs": [{"kind": "pdf"}]}),
        ("/v1/captures", {}, {"tier": "browser"}),
        ("/v1/captures", {}, {"max_cost_usd": "0.01"}),
    ],
)
async def test_another_question_has_another_answer(
    platform: Platform, path: str, one: dict[str, object], other: dict[str, object]
) -> None:
    assert (await post(platform, path, **one)).json()["id"] != (await post(platform, path, **other)).json()["id"]


async def test_two_spellings_of_an_address_are_one_question(platform: Platform) -> None:
    spellings = ("https://shop.test", "HTTPS://SHOP.TEST:443/", "https://shop.test/./")
    answers = [await post(platform, url=url) for url in spellings]
    assert len({answer.json()["id"] for answer in answers}) == 1


@pytest.mark.parametrize(
    "visit",
    [
        {"headers": {"X-A": "1"}},
        {"cookies": [{"name": "a", "value": "1"}]},
        {"auth": {"username": "u", "password": "p"}},
    ],
)
async def test_what_a_known_visitor_sees_is_never_given_again(working: Platform, visit: dict[str, object]) -> None:
    first, second = [await done(working, "/v1/captures", visit=visit) for _ in range(2)]
    assert first["id"] != second["id"]
    assert second["cached"] is False


async def test_nothing_crosses_from_one_tenant_to_another(working: Platform) -> None:
    made = await done(working)
    async with working.parts.db.begin() as db:
        (row,) = (await db.execute(select(jobs))).all()
        same = Same("local", Kind.ANALYSIS, row.cache_key)
        assert await store.stored(db, same, timedelta(days=1)) == made["id"]
        for foreign in (Same("other", same.kind, same.cache_key), Same("local", Kind.CAPTURE, same.cache_key)):
            assert await store.stored(db, foreign, timedelta(days=1)) is None
            assert await store.join(db, foreign) is None
        await intake.enqueue(db, NewJob("other", URL, cache_key=cache_key(Kind.ANALYSIS, URL, {"preset": "fast"})))
    assert (await post(working, preset="fast")).headers["x-cache"] == "miss"


async def test_a_failure_is_not_given_again(working: Platform) -> None:
    working.fleet.change_render = {"http_status": 503}
    failed = await done(working)
    working.fleet.change_render = {}
    found = await done(working)
    assert (failed["status"], found["status"]) == ("failed", "succeeded")


@pytest.mark.parametrize("change", [{"partial": True, "warnings": [Lack.TRUNCATED]}, {"http_status": 404}])
async def test_half_a_page_and_an_error_page_are_not_given_again(working: Platform, change: dict[str, object]) -> None:
    working.fleet.change_fetch = change
    first = await done(working, "/v1/captures")
    working.fleet.change_fetch = {}
    assert (await done(working, "/v1/captures"))["id"] != first["id"]


def test_only_what_another_try_would_give_is_given_again() -> None:
    render = RenderResult(requested_url=URL, final_url=URL, http_status=200)
    good = analysed(AnalyzeRequest(analysis_id="an_1", render=render, downloads={}))

    def degraded(reason: str) -> Any:  # noqa: ANN401  # a result
        engine = good.engine.model_copy(update={"degraded": True, "degraded_reason": reason})
        return good.model_copy(update={"engine": engine})

    assert may_be_given_again(good)
    assert may_be_given_again(degraded("no_key"))
    assert not may_be_given_again(degraded("unavailable"))
    assert not may_be_given_again(degraded("budget"))
    assert not may_be_given_again(render)


async def test_the_last_caller_that_leaves_ends_the_capture(platform: Platform) -> None:
    capture_id = (await post(platform, "/v1/captures")).json()["id"]
    await post(platform, "/v1/captures")
    async with platform.parts.db.begin() as db:
        assert await store.leave(db, "local", capture_id) is False
        assert await store.leave(db, "local", capture_id) is True
