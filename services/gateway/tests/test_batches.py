"""Batches over the API, with a made-up fleet, on both databases."""

import asyncio
import csv
import io
import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from contracts.errors import ErrorCode
from contracts.fetch import FetchRequest, Reason, Tier, TierAttempt
from gateway.tables import jobs, webhook_deliveries, webhook_events
from runtime.errors import ServiceError
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

STATIC = {"tier": "static", "outputs": [{"kind": "html"}]}


def urls(count: int, host: str = "shop.test") -> list[str]:
    return [f"https://{host}/{number}" for number in range(count)]


def static_batch(listed: list[Any], **more: object) -> dict[str, Any]:
    return {"kind": "capture", "urls": listed, "options": STATIC, **more}


async def submit(platform: Platform, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = await platform.http.post("/v1/batches", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def seen(platform: Platform, batch_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await platform.http.get(f"/v1/batches/{batch_id}")).json()
    return found


async def ended(platform: Platform, batch_id: str) -> dict[str, Any]:
    """Follow a batch to its end."""
    async with asyncio.timeout(60):
        while (batch := await seen(platform, batch_id))["status"] not in {"completed", "cancelled"}:
            await platform.http.get(f"/v1/batches/{batch_id}/results?limit=1")
            await asyncio.sleep(0.02)
    return batch


async def lines(platform: Platform, batch_id: str) -> list[dict[str, Any]]:
    answer = await platform.http.get(f"/v1/batches/{batch_id}/results", headers={"accept": "application/x-ndjson"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_a_batch_runs_to_its_end_and_gives_one_line_for_each_url(working: Platform) -> None:
    accepted = await submit(working, static_batch(urls(60)))
    assert accepted["status"] in {"queued", "running"}
    batch = await ended(working, accepted["id"])
    assert batch["status"] == "completed"
    assert batch["counts"] == {
        **dict.fromkeys(("held", "queued", "running", "failed", "cancelled", "rejected"), 0),
        **dict.fromkeys(("total", "succeeded"), 60),
    }
    assert batch["tiers"] == {"static": 60, "browser": 0, "unblocker": 0}
    assert batch["rate"] > 0
    found = await lines(working, accepted["id"])
    assert [one["url"] for one in found] == urls(60)
    assert {(one["status"], one["tier"], one["reason"], one["cost"]) for one in found} == {
        ("succeeded", "static", "asked", "0")
    }
    artifact = await working.http.get(found[7]["artifacts"]["html"]["links"]["self"])
    assert artifact.status_code == 200
    assert Counter(order.url for order in working.fleet.fetches) == Counter(urls(60))


async def test_unusable_and_repeated_urls_are_set_aside_with_reasons(platform: Platform) -> None:
    listed: list[Any] = [
        "https://shop.test/",
        "not a url",
        "https://SHOP.test:443/",
        "http://127.0.0.1/",
        {"url": "https://shop.test/b", "options": {"outputs": [{"kind": "screenshot"}]}},
        {"url": "https://shop.test/c", "options": {"colour": "red"}},
    ]
    batch = await submit(platform, static_batch(listed))
    assert batch["counts"]["total"] == 1
    assert [(one["place"], one["reason"]) for one in batch["rejected"]] == [
        (1, "url_invalid"),
        (2, "duplicate"),
        (3, "url_forbidden"),
        (4, "invalid_request"),
        (5, "invalid_request"),
    ]
    assert "options.colour" in batch["rejected"][4]["detail"]
    first = (await platform.http.get(f"/v1/batches/{batch['id']}/rejected?limit=2")).json()
    second = (await platform.http.get(f"/v1/batches/{batch['id']}/rejected?cursor={first['next_cursor']}")).json()
    assert [one["place"] for one in first["data"] + second["data"]] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"urls": []}, ""),
        ({"sitemap": "https://shop.test/sitemap.xml"}, ""),
        ({"kind": "enrichment"}, "kind"),
        ({"urls": ["nothing"]}, "urls"),
        ({"urls": urls(10_001)}, "urls"),
        ({"concurrency": 501}, "concurrency"),
        ({"options": {"tier": "auto"}, "concurrency": 101}, "concurrency"),
        ({"options": {"tier": "unblocker"}, "concurrency": 4}, "concurrency"),
        ({"options": {"wait": 3}}, "options.wait"),
        ({"options": {"max_age": 3}}, "options.max_age"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(platform: Platform, change: dict[str, Any], field: str) -> None:
    answer = await platform.http.post("/v1/batches", json={**static_batch(["https://shop.test/"]), **change})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["field"] == field


async def test_the_same_key_makes_one_batch(platform: Platform) -> None:
    body = static_batch(urls(3))
    twice = await asyncio.gather(*(submit(platform, body, **{"Idempotency-Key": "k1"}) for _ in range(2)))
    assert twice[0]["id"] == twice[1]["id"]
    again = await platform.http.post("/v1/batches", json=body, headers={"Idempotency-Key": '"k1"'})
    assert (again.json()["id"], again.headers["idempotent-replayed"]) == (twice[0]["id"], "true")
    elsewhere = await platform.http.post(
        "/v1/captures", json={"url": "https://shop.test/"}, headers={"Idempotency-Key": "k1"}
    )
    assert elsewhere.json()["code"] == "idempotency_mismatch", "a key is one for all routes"
    other = await platform.http.post("/v1/batches", json=static_batch(urls(4)), headers={"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert len((await platform.http.get("/v1/batches")).json()["data"]) == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("urls.csv", "name,URL\nfirst,https://shop.test/0\nsecond,https://shop.test/1\nthird,nonsense\n"),
        ("plain.csv", "\ufeffhttps://shop.test/0\r\nhttps://shop.test/1\r\nnonsense"),
        ("urls.ndjson", '"https://shop.test/0"\n{"url": "https://shop.test/1", "options": {}}\n{broken\n'),
    ],
)
async def test_a_file_of_urls_is_a_batch(platform: Platform, name: str, content: str) -> None:
    fields = {"kind": "capture", "options": json.dumps(STATIC), "concurrency": "7"}
    answer = await platform.http.post("/v1/batches", data=fields, files={"file": (name, content.encode())})
    assert answer.status_code == 202, answer.text
    batch = answer.json()
    assert (batch["counts"]["total"], batch["counts"]["rejected"], batch["concurrency"]) == (2, 1, 7)
    assert [one["url"] for one in await lines(platform, batch["id"])] == urls(2)


async def test_no_more_than_its_concurrency_is_in_work(platform: Platform) -> None:
    most, now = 0, 0

    async def count(_: FetchRequest) -> None:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1

    platform.fleet.before_fetch = count
    worker = platform.worker()
    task = asyncio.create_task(worker.run())
    batch = await submit(platform, static_batch(urls(30), concurrency=5))
    assert (await ended(platform, batch["id"]))["counts"]["succeeded"] == 30
    assert 1 < most <= 5
    worker.stop()
    await task


async def test_a_failed_url_is_told_and_can_be_tried_again(working: Platform) -> None:
    broken = True

    async def refuse(order: FetchRequest) -> None:
        if broken and order.url.endswith("/3"):
            raise ServiceError(ErrorCode.TARGET_TLS, "=cmd() is no certificate.")

    working.fleet.before_fetch = refuse
    batch_id = (await submit(working, static_batch(urls(6))))["id"]
    batch = await ended(working, batch_id)
    assert (batch["status"], batch["counts"]["failed"], batch["counts"]["succeeded"]) == ("completed", 1, 5)
    failed = (await lines(working, batch_id))[3]
    assert (failed["status"], failed["tier"], failed["error"]["code"]) == ("failed", None, "target_tls")
    answer = await working.http.get(f"/v1/batches/{batch_id}/results", headers={"accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert (rows[3]["error"], rows[3]["detail"]) == ("target_tls", "'=cmd() is no certificate.")
    assert rows[0]["status"] == "succeeded"
    other = f"/v1/captures/{(await lines(working, batch_id))[1]['id']}"
    before = (await working.http.get(other)).json()["finished_at"]
    broken = False
    again = await working.http.post(f"/v1/batches/{batch_id}/retry-failed")
    assert again.status_code == 200
    assert (await ended(working, batch_id))["counts"]["succeeded"] == 6
    assert (await working.http.post(f"/v1/batches/{batch_id}/retry-failed")).status_code == 409
    assert (await working.http.get(other)).json()["finished_at"] == before


async def test_pages_and_partial_results(platform: Platform) -> None:
    batch_id = (await submit(platform, static_batch(urls(5))))["id"]
    first = (await platform.http.get(f"/v1/batches/{batch_id}/results?limit=3")).json()
    second = (await platform.http.get(f"/v1/batches/{batch_id}/results?cursor={first['next_cursor']}")).json()
    assert [one["url"] for one in first["data"] + second["data"]] == urls(5)
    assert second["next_cursor"] is None
    assert {one["status"] for one in first["data"]} == {"held"}
    done = await platform.http.get(f"/v1/batches/{batch_id}/results?status=succeeded")
    assert done.json()["data"] == []
    assert (await platform.http.get(f"/v1/batches/{batch_id}/results?cursor=x")).status_code == 422


async def test_pause_holds_resume_goes_on_and_cancel_ends(platform: Platform) -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def hold(_: FetchRequest) -> None:
        reached.set()
        await go.wait()

    platform.fleet.before_fetch = hold
    worker = platform.worker(worker_light_concurrency=2)
    task = asyncio.create_task(worker.run())
    batch_id = (await submit(platform, static_batch(urls(20), concurrency=4)))["id"]
    await reached.wait()
    paused = (await platform.http.post(f"/v1/batches/{batch_id}/pause")).json()
    assert (paused["status"], paused["counts"]["queued"]) == ("paused", 0)
    assert paused["counts"]["held"] + paused["counts"]["running"] == 20
    go.set()
    while (batch := await seen(platform, batch_id))["counts"]["running"]:  # noqa: ASYNC110  # the database has no event
        await asyncio.sleep(0.02)
    assert batch["counts"]["succeeded"] == paused["counts"]["running"]
    go.clear()
    reached.clear()
    assert (await platform.http.post(f"/v1/batches/{batch_id}/resume")).json()["status"] == "running"
    await reached.wait()
    cancelled = (await platform.http.post(f"/v1/batches/{batch_id}/cancel")).json()
    assert cancelled["status"] == "cancelled"
    assert cancelled["counts"]["succeeded"] + cancelled["counts"]["cancelled"] == 20
    assert (await platform.http.post(f"/v1/batches/{batch_id}/cancel")).status_code == 200
    assert (await platform.http.post(f"/v1/batches/{batch_id}/pause")).status_code == 409
    go.set()
    worker.stop()
    await task
    assert (await seen(platform, batch_id))["counts"] == cancelled["counts"]


async def test_a_single_url_can_be_cancelled(working: Platform, platform: Platform) -> None:
    batch_id = (await submit(working, static_batch(urls(3), concurrency=1)))["id"]
    last = (await lines(platform, batch_id))[2]
    answer = await platform.http.post(f"/v1/captures/{last['id']}/cancel")
    batch = await ended(platform, batch_id)
    assert batch["counts"]["cancelled"] == (1 if answer.status_code == 200 else 0)
    assert batch["counts"]["succeeded"] + batch["counts"]["cancelled"] == 3


async def test_auto_begins_over_plain_http_and_goes_on_in_a_browser(working: Platform) -> None:
    options = {"tier": "auto", "outputs": [{"kind": "html"}]}

    async def scripts(order: FetchRequest) -> None:
        if order.max_tier is Tier.STATIC and order.url.endswith("/1"):
            raise ServiceError(ErrorCode.PAGE_EMPTY, "It needs JavaScript.")

    working.fleet.before_fetch = scripts
    working.fleet.change_fetch = {}
    batch_id = (await submit(working, {"kind": "capture", "urls": urls(3), "options": options}))["id"]
    batch = await ended(working, batch_id)
    assert batch["counts"]["succeeded"] == 3
    asked = Counter((order.url[-1], order.max_tier.value, order.spare_browser) for order in working.fleet.fetches)
    first = {(number, "static", True): 1 for number in "012"}
    assert asked == {**first, ("1", "browser", False): 1}
    (later,) = (order for order in working.fleet.fetches if order.max_tier is Tier.BROWSER)
    assert [(one.tier, one.outcome) for one in later.climbed] == [("static", "page_empty")], "the ladder goes on there"
    capture = (await working.http.get(f"/v1/captures/{(await lines(working, batch_id))[1]['id']}")).json()
    assert capture["attempt"] == 1, "the way over plain HTTP is no attempt of its own"


async def test_analyses_come_in_batches_too(working: Platform) -> None:
    batch_id = (await submit(working, {"urls": urls(2), "options": {"preset": "rules"}}))["id"]
    assert (await ended(working, batch_id))["tiers"]["browser"] == 2
    found = await lines(working, batch_id)
    assert (await working.http.get(found[0]["links"]["report"])).status_code == 200


async def test_analyses_of_a_batch_can_be_judged_in_bulk(platform: Platform) -> None:
    await submit(platform, {"urls": urls(2), "options": {"preset": "fast", "ai": "bulk"}})
    async with platform.parts.db.read() as db:
        kept = list((await db.execute(select(jobs.c.options))).scalars())
    assert kept == [{"ai": "bulk"}] * 2


async def test_a_ceiling_for_all_urls_ends_those_beyond_it(working: Platform) -> None:
    working.fleet.change_fetch = {"cost_usd": Decimal("0.01")}
    options = {"tier": "unblocker", "outputs": [{"kind": "html"}], "max_cost_usd": "0.01"}
    body = {"kind": "capture", "urls": urls(8), "options": options, "max_cost_usd": "0.05"}
    batch_id = (await submit(working, body))["id"]
    batch = await ended(working, batch_id)
    assert (batch["counts"]["succeeded"], batch["counts"]["cancelled"], batch["cost"]) == (5, 3, "0.05")
    assert "ceiling" in (await lines(working, batch_id))[7]["error"]["detail"]


async def test_hosts_take_turns(platform: Platform) -> None:
    listed = [*urls(4, "big.test"), *urls(2, "small.test")]
    worker = platform.worker(worker_light_concurrency=1)
    task = asyncio.create_task(worker.run())
    await ended(platform, (await submit(platform, static_batch(listed, concurrency=1)))["id"])
    hosts = [order.url.split("/")[2].partition(".")[0] for order in platform.fleet.fetches]
    assert hosts == ["big", "small", "big", "small", "big", "big"]
    worker.stop()
    await task


async def test_interactive_work_goes_before_a_batch(platform: Platform) -> None:
    batch_id = (await submit(platform, static_batch(urls(30), concurrency=30)))["id"]
    worker = platform.worker(worker_light_concurrency=1)
    reached, go = asyncio.Event(), asyncio.Event()

    async def hold(_: FetchRequest) -> None:
        reached.set()
        await go.wait()

    platform.fleet.before_fetch = hold
    task = asyncio.create_task(worker.run())
    await asyncio.wait_for(reached.wait(), 30)
    await platform.http.post("/v1/captures", json={"url": "https://now.test/", **STATIC})
    go.set()
    await ended(platform, batch_id)
    place = [order.url for order in platform.fleet.fetches].index("https://now.test/")
    assert place <= 2
    worker.stop()
    await task


async def test_progress_is_told_as_events(working: Platform) -> None:
    batch_id = (await submit(working, static_batch(urls(10))))["id"]
    answer = await working.http.get(f"/v1/batches/{batch_id}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = [block for block in answer.text.split("\n\n") if block.startswith("event:")]
    last = told[-1].splitlines()
    assert last[0] == "event: ended"
    assert json.loads(last[1].removeprefix("data: "))["counts"]["succeeded"] == 10


async def test_a_shell_goes_to_the_browser_with_what_was_found(working: Platform) -> None:
    async def shell(order: FetchRequest) -> None:
        outcome = "needs_javascript" if order.max_tier is Tier.STATIC else "ok"
        attempt = TierAttempt(tier=Tier.STATIC, reason=Reason.FIRST, outcome=outcome, http_status=200)
        working.fleet.change_fetch = {"attempts": [attempt]}

    working.fleet.before_fetch = shell
    options = {"tier": "auto", "outputs": [{"kind": "html"}]}
    batch_id = (await submit(working, {"kind": "capture", "urls": urls(1), "options": options}))["id"]
    assert (await ended(working, batch_id))["counts"]["succeeded"] == 1
    first, second = working.fleet.fetches
    assert (first.climbed, [one.outcome for one in second.climbed]) == ([], ["needs_javascript"])


async def test_results_are_whole_lines_in_order_whatever_became_of_each(platform: Platform) -> None:
    async def refuse(order: FetchRequest) -> None:
        if order.url.endswith("7"):
            raise ServiceError(ErrorCode.TARGET_TLS, "No certificate.")

    platform.fleet.before_fetch = refuse
    worker = platform.worker()
    task = asyncio.create_task(worker.run())
    batch_id = (await submit(platform, static_batch(urls(30))))["id"]
    await ended(platform, batch_id)
    worker.stop()
    await task
    done = await lines(platform, batch_id)
    assert [one["url"] for one in done] == urls(30)
    assert Counter(one["status"] for one in done) == {"succeeded": 27, "failed": 3}
    page = (await platform.http.get(f"/v1/batches/{batch_id}/results?limit=1000")).json()["data"]
    assert page == done
    failed = await platform.http.get(
        f"/v1/batches/{batch_id}/results?status=failed", headers={"accept": "application/x-ndjson"}
    )
    assert [json.loads(line)["url"][-1] for line in failed.text.splitlines()] == ["7", "7", "7"]
    # One of them is open again: its line is made anew, the others are as they were written.
    await platform.http.post(f"/v1/batches/{batch_id}/retry-failed")
    again = await lines(platform, batch_id)
    assert [one["status"] for one in again if one["url"].endswith("7")] == ["held"] * 3
    assert [one for one in again if not one["url"].endswith("7")] == [
        one for one in done if not one["url"].endswith("7")
    ]


async def told(platform: Platform) -> Counter[str]:
    async with platform.parts.db.read() as db:
        return Counter((await db.execute(select(webhook_events.c.type))).scalars())


@pytest.mark.parametrize(("events", "each"), [("end", 0), ("each", 3)])
async def test_the_end_is_told_and_that_of_each_url_where_it_is_wanted(
    working: Platform, events: str, each: int
) -> None:
    async def refuse(order: FetchRequest) -> None:
        if order.url.endswith("/1"):
            raise ServiceError(ErrorCode.TARGET_TLS, "No certificate.")

    working.fleet.before_fetch = refuse
    hook = {"webhook_url": "https://hooks.test/", "webhook_events": events}
    batch_id = (await submit(working, static_batch(urls(3), **hook)))["id"]
    await ended(working, batch_id)
    seen_events = await told(working)
    assert seen_events["batch.completed"] == 1
    assert (seen_events["capture.succeeded"], seen_events["capture.failed"]) == ((2, 1) if each else (0, 0))
    async with working.parts.db.read() as db:
        urls_told = set((await db.execute(select(webhook_deliveries.c.url))).scalars())
    assert urls_told == {"https://hooks.test/"}


async def test_a_cancelled_batch_is_told_once(platform: Platform) -> None:
    hook = {"webhook_url": "https://hooks.test/", "webhook_events": "each"}
    batch_id = (await submit(platform, static_batch(urls(3), **hook)))["id"]
    for _ in range(2):
        await platform.http.post(f"/v1/batches/{batch_id}/cancel")
    assert await told(platform) == {"batch.cancelled": 1}


async def test_a_webhook_on_forbidden_ground_is_refused(platform: Platform) -> None:
    answer = await platform.http.post("/v1/batches", json=static_batch(urls(1), webhook_url="https://127.0.0.1/"))
    assert (answer.status_code, answer.json()["code"]) == (422, "url_forbidden")


async def test_a_batch_that_has_ended_can_be_deleted(working: Platform) -> None:
    batch_id = (await submit(working, static_batch(urls(3))))["id"]
    await ended(working, batch_id)
    capture = (await lines(working, batch_id))[0]["links"]["self"]
    assert (await working.http.delete(f"/v1/batches/{batch_id}")).status_code == 204
    assert (await working.http.get(f"/v1/batches/{batch_id}")).status_code == 404
    assert (await working.http.get(capture)).status_code == 404
    assert (await working.http.delete(f"/v1/batches/{batch_id}")).status_code == 404


async def test_a_batch_that_runs_cannot_be_deleted(platform: Platform) -> None:
    batch_id = (await submit(platform, static_batch(urls(3))))["id"]
    answer = await platform.http.delete(f"/v1/batches/{batch_id}")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert (await seen(platform, batch_id))["counts"]["held"] == 3


async def test_one_result_that_cannot_be_written_spoils_no_other(working: Platform) -> None:
    titles = iter(["fine", "\x00 is what Postgres takes nowhere", "fine too"])

    async def entitle(_: FetchRequest) -> None:
        working.fleet.change_fetch = {"title": next(titles)}

    working.fleet.before_fetch = entitle
    batch_id = (await submit(working, static_batch(urls(3))))["id"]
    assert (await ended(working, batch_id))["counts"]["succeeded"] == 3
    assert len(await lines(working, batch_id)) == 3


HOSTILE_LINES = {
    "NUL": b'"http://shop.test/\\u0000"',
    "half a character": b'"http://shop.test/\\ud800"',
    "half a character in an option": b'{"url":"https://shop.test/x","options":{"\\ud800":1}}',
    "NUL in an option": b'{"url":"https://shop.test/x","options":{"\\u0000":1}}',
    "deep": b"[" * 60_000,
    "deep options": b'{"url":"https://shop.test/x","options":{"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}}",
}


@pytest.mark.parametrize("line", HOSTILE_LINES.values(), ids=list(HOSTILE_LINES))
async def test_no_line_of_a_file_stops_the_others(platform: Platform, line: bytes) -> None:
    file = ("list.ndjson", b'"https://shop.test/"\n' + line + b"\n", "application/x-ndjson")
    form = {"kind": "capture", "options": json.dumps(STATIC)}
    answer = await platform.http.post("/v1/batches", files={"file": file}, data=form)
    assert answer.status_code == 202, answer.text
    assert (answer.json()["counts"]["total"], len(answer.json()["rejected"])) == (1, 1)


async def test_nul_in_json_and_in_csv_stops_no_other_url(platform: Platform) -> None:
    batch = await submit(platform, static_batch(["https://shop.test/", "https://shop.test/\0"]))
    assert [one["reason"] for one in batch["rejected"]] == ["url_invalid"]
    file = ("list.csv", b"url\nhttps://shop.test/\nhttps://shop.test/\0\n", "text/csv")
    form = {"kind": "capture", "options": json.dumps(STATIC)}
    answer = await platform.http.post("/v1/batches", files={"file": file}, data=form)
    assert [one["reason"] for one in answer.json()["rejected"]] == ["url_invalid"]


async def test_deep_options_of_a_form_are_refused(platform: Platform) -> None:
    file = ("list.csv", b"https://shop.test/\n", "text/csv")
    answer = await platform.http.post("/v1/batches", files={"file": file}, data={"options": "[" * 100_000})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "options")
