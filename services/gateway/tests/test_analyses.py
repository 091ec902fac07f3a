"""The public routes, over ASGI, with and without a worker behind them."""

import asyncio
import base64

import pytest

from contracts.analyze import Preset
from contracts.errors import ErrorCode
from contracts.render import RenderRequest
from gateway.jobs import intake
from gateway.jobs.states import NewJob
from runtime.errors import ServiceError
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

URL = "https://shop.test/"
NO_SUCH_ID = "an_" + "0" * 32


async def test_an_analysis_is_accepted_and_can_be_followed(platform: Platform) -> None:
    answer = await platform.http.post("/v1/analyses", json={"url": URL, "preset": "rules"})
    body = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/analyses/{body['id']}"
    assert int(answer.headers["retry-after"]) > 0
    assert (body["status"], body["url"], body["preset"], body["attempt"]) == ("queued", URL, "rules", 0)
    assert (body["result"], body["error"], body["started_at"]) == (None, None, None)
    assert body["links"] == {"self": f"/v1/analyses/{body['id']}", "report": None}
    followed = await platform.http.get(answer.headers["location"])
    assert (followed.status_code, followed.json()) == (200, body)
    assert "retry-after" in followed.headers


@pytest.mark.parametrize("way", ["body", "header"])
async def test_a_result_that_comes_in_time_is_the_answer(working: Platform, way: str) -> None:
    body = {"url": URL, "wait": 60} if way == "body" else {"url": URL}
    headers = {"prefer": "respond-async, wait=60"} if way == "header" else {}
    answer = await working.http.post("/v1/analyses", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["status"], found["attempt"]) == ("succeeded", 1)
    assert found["result"]["id"] == found["id"]
    assert found["result"]["scores"]["overall"] == 80
    assert found["links"]["report"] == f"/v1/analyses/{found['id']}/report"
    assert answer.headers.get("preference-applied") == ("wait=60" if way == "header" else None)
    assert found["created_at"] <= found["started_at"] <= found["finished_at"]


async def test_a_result_that_takes_longer_is_answered_202_and_comes_later(working: Platform) -> None:
    gate = asyncio.Event()

    async def hold(_: RenderRequest) -> None:
        await gate.wait()

    working.fleet.before_render = hold
    answer = await working.http.post("/v1/analyses", json={"url": URL, "wait": 1})
    assert answer.status_code == 202
    assert answer.json()["status"] == "rendering"
    follow = asyncio.create_task(working.http.get(answer.headers["location"], params={"wait": 60}))
    gate.set()
    assert (await follow).json()["status"] == "succeeded"


async def test_a_failure_is_told_with_its_code(working: Platform) -> None:
    working.fleet.change_render = {"http_status": 503}
    found = (await working.http.post("/v1/analyses", json={"url": URL, "wait": 60})).json()
    assert (found["status"], found["result"]) == ("failed", None)
    problem = found["error"]
    assert (problem["code"], problem["status"], problem["type"]) == (
        "target_status",
        422,
        "/docs/errors#target_status",
    )
    assert "503" in problem["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": ""}, "url"),
        ({"url": 7}, "url"),
        ({"url": "https://x.test/" + "a" * 5_000}, "url"),
        ({"url": URL, "preset": "best"}, "preset"),
        ({"url": URL, "wait": 121}, "wait"),
        ({"url": URL, "wait": -1}, "wait"),
        ({"url": URL, "wiat": 1}, "wiat"),
    ],
)
async def test_a_bad_field_is_named(platform: Platform, body: dict[str, object], field: str) -> None:
    answer = await platform.http.post("/v1/analyses", json=body)
    problem = answer.json()
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem["errors"][0]["field"]) == ("invalid_request", field)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("not a url", "url_invalid"),
        ("ftp://shop.test/", "url_forbidden"),
        ("http://127.0.0.1/", "url_forbidden"),
        ("http://localhost/", "url_forbidden"),
        ("http://169.254.169.254/latest/meta-data/", "url_forbidden"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/analyses", "/analyze"])
async def test_an_address_that_may_not_be_opened_is_refused_at_once(
    platform: Platform, path: str, url: str, code: str
) -> None:
    answer = await platform.http.post(path, json={"url": url})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert (await platform.http.get("/v1/analyses")).json()["data"] == []


async def test_json_that_is_none_is_refused(platform: Platform) -> None:
    answer = await platform.http.post("/v1/analyses", content=b"{", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("path", ["", "/report"])
@pytest.mark.parametrize("bad_id", [NO_SUCH_ID, "x", "%2e%2e", "an_' OR 1=1"])
async def test_an_unknown_id_is_not_found(platform: Platform, bad_id: str, path: str) -> None:
    answer = await platform.http.get(f"/v1/analyses/{bad_id}{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_tenant_sees_only_its_own(platform: Platform) -> None:
    async with platform.parts.db.begin() as db:
        foreign = await intake.enqueue(db, NewJob("other", URL, Preset.RULES))
    assert (await platform.http.get(f"/v1/analyses/{foreign}")).status_code == 404
    assert (await platform.http.get(f"/status/{foreign}")).status_code == 404
    assert (await platform.http.post(f"/v1/analyses/{foreign}/cancel")).status_code == 404
    assert (await platform.http.get("/v1/analyses")).json()["data"] == []


async def test_the_list_is_newest_first_and_stays_stable_while_it_grows(platform: Platform) -> None:
    async def create() -> str:
        answer = await platform.http.post("/v1/analyses", json={"url": URL, "refresh": True})
        return str(answer.json()["id"])

    ids = [await create() for _ in range(7)]
    seen: list[str] = []
    cursor = None
    pages = 0
    while pages == 0 or cursor:
        params = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = (await platform.http.get("/v1/analyses", params=params)).json()
        seen += [item["id"] for item in page["data"]]
        assert all("result" not in item for item in page["data"])
        cursor = page["next_cursor"]
        pages += 1
        await create()
    assert seen == ids[::-1]
    assert pages == 3


@pytest.mark.parametrize(
    "cursor",
    ["x", "!!!", "é", base64.urlsafe_b64encode(b"an_1' --").decode(), base64.urlsafe_b64encode(b"\xff").decode()],
)
async def test_a_made_up_cursor_is_refused(platform: Platform, cursor: str) -> None:
    answer = await platform.http.get("/v1/analyses", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor")


@pytest.mark.parametrize("limit", ["0", "101", "many"])
async def test_a_page_has_bounds(platform: Platform, limit: str) -> None:
    assert (await platform.http.get("/v1/analyses", params={"limit": limit})).status_code == 422


async def test_cancel_ends_a_queued_analysis_and_may_be_repeated(platform: Platform) -> None:
    location = (await platform.http.post("/v1/analyses", json={"url": URL})).headers["location"]
    for _ in range(2):
        answer = await platform.http.post(f"{location}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
        assert answer.json()["error"]["code"] == "cancelled"


async def test_a_finished_analysis_cannot_be_cancelled(working: Platform) -> None:
    found = (await working.http.post("/v1/analyses", json={"url": URL, "wait": 60})).json()
    answer = await working.http.post(f"/v1/analyses/{found['id']}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "succeeded" in answer.json()["detail"]


async def test_whoever_waits_is_told_of_a_cancel(platform: Platform) -> None:
    location = (await platform.http.post("/v1/analyses", json={"url": URL})).headers["location"]
    waiting = asyncio.create_task(platform.http.get(location, params={"wait": 60}))
    await platform.http.post(f"{location}/cancel")
    assert (await waiting).json()["status"] == "cancelled"


async def test_the_report_is_a_page_with_the_jobs_pictures(working: Platform) -> None:
    found = (await working.http.post("/v1/analyses", json={"url": URL, "wait": 60})).json()
    answer = await working.http.get(found["links"]["report"])
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.text.lower().startswith("<!doctype html>")


async def test_there_is_no_report_before_there_is_a_result(platform: Platform) -> None:
    location = (await platform.http.post("/v1/analyses", json={"url": URL})).headers["location"]
    answer = await platform.http.get(f"{location}/report")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "retry-after" in answer.headers
    await platform.http.post(f"{location}/cancel")
    answer = await platform.http.get(f"{location}/report")
    assert "cancelled" in answer.json()["detail"]
    assert "retry-after" not in answer.headers


# --- the simple pair ---


async def test_the_simple_call_answers_with_the_result_itself(working: Platform) -> None:
    answer = await working.http.post("/analyze", json={"url": URL})
    assert answer.status_code == 200
    assert answer.json()["id"] == answer.headers["x-task-id"]
    assert answer.json()["schema_version"] == "1.0"
    status = (await working.http.get(f"/status/{answer.json()['id']}")).json()
    assert (status["status"], status["error"], status["result"]) == ("succeeded", None, answer.json())


async def test_the_simple_call_gives_a_task_when_it_takes_longer(platform: Platform) -> None:
    answer = await platform.http.post("/analyze", json={"url": URL, "wait": 0})
    task = answer.json()
    assert answer.status_code == 202
    assert task["status_url"] == answer.headers["location"] == f"/status/{task['task_id']}"
    assert (await platform.http.get(task["status_url"])).json() == task
    assert set(task) == {"task_id", "status", "status_url", "error", "error_code", "result"}


async def test_the_simple_call_answers_a_failure_with_its_problem(working: Platform) -> None:
    async def refuse(_: RenderRequest) -> None:
        raise ServiceError(ErrorCode.TARGET_TLS, "The certificate has expired.")

    working.fleet.before_render = refuse
    answer = await working.http.post("/analyze", json={"url": URL})
    assert (answer.status_code, answer.json()["code"]) == (422, "target_tls")
    (item,) = (await working.http.get("/v1/analyses")).json()["data"]
    status = (await working.http.get(f"/status/{item['id']}")).json()
    assert (status["status"], status["error_code"]) == ("failed", "target_tls")
    assert status["error"] == "The certificate has expired."
