"""The routes of captures, over ASGI, on both databases, with and without a worker behind them."""

import asyncio
import base64
import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from contracts.errors import ErrorCode
from contracts.fetch import FetchRequest, Tier
from contracts.geometry import DESKTOP
from contracts.outputs import MANY
from contracts.render import Artifact, RenderRequest
from contracts.render import Warning as Lack
from gateway import attempts
from gateway.captures import examples
from gateway.captures.schemas import CaptureCreate, CapturePage, CaptureRead
from gateway.jobs import intake, leases
from gateway.jobs.states import Kind, NewJob
from gateway.tables import jobs, results
from runtime.errors import ServiceError
from tests.fixtures.fleet import JPEG, TILES
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

URL = "https://shop.test/"
NO_SUCH_ID = "cap_" + "0" * 32


async def done(platform: Platform, **body: object) -> dict[str, Any]:
    answer = await platform.http.post("/v1/captures", json={"url": URL, "wait": 60, **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_capture_is_accepted_and_can_be_followed(platform: Platform) -> None:
    answer = await platform.http.post("/v1/captures", json={"url": URL})
    body = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/captures/{body['id']}" == body["links"]["self"]
    assert int(answer.headers["retry-after"]) > 0
    assert body["id"].startswith("cap_")
    assert (body["status"], body["url"], body["attempt"], body["result"]) == ("queued", URL, 0, None)
    followed = await platform.http.get(answer.headers["location"])
    assert (followed.status_code, followed.json()) == (200, body)
    assert "retry-after" in followed.headers


async def test_by_default_it_is_one_picture_of_the_first_screen(working: Platform) -> None:
    found = await done(working)
    (order,) = working.fleet.fetches
    (output,) = order.outputs
    assert (output.kind, output.name) == ("screenshot", "screenshot")
    assert (order.tier, order.max_tier, order.url, order.job_id) == (Tier.AUTO, Tier.BROWSER, URL, found["id"])
    assert list(order.uploads) == ["screenshot"]
    assert order.budget_ms < working.parts.settings.capture_budget_seconds * 1_000
    assert not working.fleet.renders
    assert not working.fleet.analyses
    assert list(found["result"]["artifacts"]) == ["screenshot"]
    assert (found["result"]["tier"], found["result"]["http_status"]) == ("browser", 200)
    assert not {"job_id", "pool"} & set(found["result"])


@pytest.mark.parametrize("way", ["body", "header"])
async def test_a_result_that_comes_in_time_is_the_answer(working: Platform, way: str) -> None:
    body = {"url": URL, "wait": 60} if way == "body" else {"url": URL}
    headers = {"prefer": "wait=60"} if way == "header" else {}
    answer = await working.http.post("/v1/captures", json=body, headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert answer.headers.get("preference-applied") == ("wait=60" if way == "header" else None)


async def test_all_that_was_asked_reaches_the_renderer(working: Platform) -> None:
    body = {
        "tier": "browser",
        "max_tier": "unblocker",
        "max_cost_usd": "0.01",
        "outputs": [{"kind": "screenshot", "area": "full_page", "format": "webp", "quality": 60}, {"kind": "pdf"}],
        "visit": {
            "locale": "de-CH",
            "headers": {"X-Shop": "a"},
            "cookies": [{"name": "seen", "value": "1"}],
            "auth": {"username": "u", "password": "p"},
        },
        "prepare": {"wait_for": {"selector": "main", "delay_ms": 5}, "hide": [".chat"], "css": "a{}"},
        "fail_if": {"statuses": [404]},
        "settle": {"quiet_ms": 1, "max_ms": 2},
        "politeness": {"robots": True, "delay_ms": 7},
    }
    await done(working, **body)
    (order,) = working.fleet.fetches
    sent = FetchRequest.model_validate({"url": URL, **body})
    left_out = {"job_id", "budget_ms", "uploads"}
    assert order.model_dump(exclude=left_out) == sent.model_dump(exclude=left_out)
    assert order.visit.auth is not None
    assert order.visit.auth.password.get_secret_value() == "p"


async def test_every_artifact_that_may_come_has_a_place(working: Platform) -> None:
    kinds = ["html", "markdown", "text", "links", "metadata", "pdf", "facts"]
    outputs: list[dict[str, object]] = [{"kind": kind} for kind in kinds]
    outputs += [{"kind": "screenshot", "area": area, "name": f"s.{area.value}"} for area in sorted(MANY)]
    outputs += [{"kind": "screenshot", "format": one, "name": one} for one in ("jpeg", "png", "webp")]
    found = await done(working, outputs=outputs)
    (order,) = working.fleet.fetches
    assert {"s.tiles.1", "s.tiles.40", "s.sections.40"} <= set(order.uploads)
    assert not {"s.tiles", "s.tiles.0", "s.tiles.41"} & set(order.uploads)
    artifacts = found["result"]["artifacts"]
    assert len(artifacts) == len(kinds) + 2 * TILES + 3
    types = {name: slot.headers["content-type"] for name, slot in order.uploads.items()}
    assert [types[kind] for kind in kinds] == [
        "text/html",
        "text/markdown",
        "text/plain",
        "application/json",
        "application/json",
        "application/pdf",
        "application/json",
    ]
    assert (types["png"], types["webp"], types["s.tiles.3"]) == ("image/png", "image/webp", "image/jpeg")
    for name, artifact in artifacts.items():
        for link in artifact["links"].values():
            answer = await working.http.get(link)
            assert (answer.status_code, len(answer.content)) == (200, artifact["bytes"]), name
            assert answer.headers["content-type"].partition(";")[0] == types[name]


@pytest.mark.parametrize("link", ["self", "signed"])
@pytest.mark.parametrize(("kind", "way"), [("html", "attachment"), ("pdf", "attachment"), ("screenshot", "inline")])
async def test_what_came_from_a_page_never_runs_here(working: Platform, kind: str, way: str, link: str) -> None:
    found = await done(working, outputs=[{"kind": kind}])
    answer = await working.http.get(found["result"]["artifacts"][kind]["links"][link])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert "allow-" not in answer.headers["content-security-policy"]
    assert answer.headers["content-disposition"].startswith(f"{way}; filename=")


async def test_an_artifact_is_not_sent_again_to_who_has_it(working: Platform) -> None:
    found = await done(working)
    artifact = found["result"]["artifacts"]["screenshot"]
    first = await working.http.get(artifact["links"]["self"])
    assert first.headers["etag"] == f'"{artifact["sha256"]}"'
    again = await working.http.get(artifact["links"]["self"], headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = await working.http.get(artifact["links"]["self"], headers={"if-none-match": '"x"'})
    assert other.content == JPEG


async def test_a_type_that_we_do_not_know_is_only_bytes(working: Platform) -> None:
    found = await done(working)
    async with working.parts.db.begin() as db:
        document = (await db.execute(select(results.c.document))).scalar_one()
        document["artifacts"]["screenshot"]["content_type"] = "image/svg+xml"
        await db.execute(results.update().values(document=document))
    answer = await working.http.get(found["result"]["artifacts"]["screenshot"]["links"]["self"])
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


async def test_what_has_no_place_is_left_out_and_said(working: Platform) -> None:
    async def one_more(order: RenderRequest) -> None:
        digest = hashlib.sha256(JPEG).hexdigest()
        made = Artifact(name="screenshot", content_type="image/jpeg", bytes=len(JPEG), sha256=digest, viewport=DESKTOP)
        stray = made.model_copy(update={"name": "screenshot.41", "data": base64.b64encode(b"x").decode()})
        working.fleet.change_fetch = {"artifacts": {"screenshot": made, "screenshot.41": stray}}

    working.fleet.after_uploads = one_more
    found = await done(working)
    assert list(found["result"]["artifacts"]) == ["screenshot"]
    assert (found["result"]["partial"], found["result"]["warnings"]) == (True, ["pictures_missing"])


@pytest.mark.parametrize("content", [None, b"short"])
async def test_an_upload_that_did_not_arrive_whole_is_noticed(
    working: Platform, content: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "after_storage", lambda _age: timedelta())
    losses = iter([True])

    async def lose_one(order: RenderRequest) -> None:
        if next(losses, False):
            key = order.uploads["screenshot"].url.partition("/blobs/")[2].partition("?")[0]
            path = working.files.path(key)
            path.unlink()
            if content is not None:
                path.write_bytes(content)

    working.fleet.after_uploads = lose_one
    found = await done(working)
    assert (found["status"], found["attempt"]) == ("succeeded", 1), "what the store does costs no attempt"


@pytest.mark.parametrize("status", [401, 404, 503])
async def test_an_error_page_is_a_page(working: Platform, status: int) -> None:
    working.fleet.change_fetch = {"http_status": status, "warnings": [Lack.PAGE_EMPTY]}
    found = await done(working)
    assert (found["status"], found["result"]["http_status"]) == ("succeeded", status)


async def test_a_failure_is_told_with_its_code(working: Platform) -> None:
    async def refuse(_: FetchRequest) -> None:
        raise ServiceError(ErrorCode.CAPTURE_REFUSED, "The page says “Out of stock”.")

    working.fleet.before_fetch = refuse
    found = await done(working)
    assert (found["status"], found["result"], found["attempt"]) == ("failed", None, 1)
    problem = found["error"]
    assert (problem["code"], problem["instance"]) == ("capture_refused", found["links"]["self"])
    assert "Out of stock" in problem["detail"]
    answer = await working.http.get(f"{found['links']['self']}/artifacts/screenshot")
    assert (answer.status_code, answer.json()["code"]) == (422, "capture_refused")


async def test_a_full_renderer_costs_no_attempt(working: Platform) -> None:
    refusals = iter(range(3))

    async def refuse(_: FetchRequest) -> None:
        if next(refusals, None) is not None:
            raise ServiceError(ErrorCode.RENDERER_BUSY, "Every browser is busy.", retry_after_s=0.02)

    working.fleet.before_fetch = refuse
    found = await done(working)
    assert (found["status"], found["attempt"], len(working.fleet.fetches)) == ("succeeded", 1, 4)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": URL, "outptus": []}, "outptus"),
        ({"url": URL, "outputs": []}, "outputs"),
        ({"url": URL, "outputs": [{"kind": "text", "name": f"n{n}"} for n in range(21)]}, "outputs"),
        ({"url": URL, "outputs": [{"kind": "painting"}]}, "outputs.0"),
        ({"url": URL, "outputs": [{"kind": "screenshot", "qualty": 1}]}, "outputs.0.screenshot.qualty"),
        ({"url": URL, "outputs": [{"kind": "text"}, {"kind": "text"}]}, "outputs.1.name"),
        (
            {
                "url": URL,
                "outputs": [
                    {"kind": "screenshot", "area": "tiles", "name": "a"},
                    {"kind": "screenshot", "name": "a.3"},
                ],
            },
            "outputs.1.name",
        ),
        ({"url": URL, "tier": "fast"}, "tier"),
        ({"url": URL, "tier": "static", "outputs": [{"kind": "screenshot"}]}, "outputs.0.kind"),
        ({"url": URL, "max_tier": "static", "outputs": [{"kind": "text"}, {"kind": "pdf"}]}, "outputs.1.kind"),
        ({"url": URL, "max_cost_usd": -1}, "max_cost_usd"),
        ({"url": URL, "max_cost_usd": 1}, "max_cost_usd"),
        ({"url": URL, "wait": 121}, "wait"),
        ({"url": URL, "visit": {"cookeis": []}}, "visit.cookeis"),
        ({"url": URL, "visit": {"auth": {"username": "u", "pass": "p"}}}, "visit.auth.password"),
        ({"url": URL, "visit": {"headers": {"Host": "bank.test"}}}, "visit.headers.Host"),
        ({"url": URL, "visit": {"headers": {"Proxy-Authorization": "x"}}}, "visit.headers.Proxy-Authorization"),
        ({"url": URL, "visit": {"headers": {"a b": "x"}}}, "visit.headers.a b"),
        ({"url": URL, "visit": {"headers": {"A": "x\r\nB: y"}}}, "visit.headers.A"),
        ({"url": URL, "prepare": {"wait_for": {"selektor": "a"}}}, "prepare.wait_for.selektor"),
        ({"url": URL, "prepare": {"wait_for": {"function": "() => true"}}}, "prepare.wait_for.function"),
        ({"url": URL, "budget_ms": 1}, "budget_ms"),
        ({"url": URL, "uploads": {}}, "uploads"),
    ],
)
async def test_a_field_that_cannot_be_is_named(platform: Platform, body: dict[str, object], field: str) -> None:
    answer = await platform.http.post("/v1/captures", json=body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid_request"), answer.text
    assert field in [error["field"] for error in problem["errors"]]
    assert (await platform.http.get("/v1/captures")).json()["data"] == []


async def test_an_address_that_may_not_be_opened_is_refused_at_once(platform: Platform) -> None:
    for url, code in (("nonsense", "url_invalid"), ("http://127.0.0.1/", "url_forbidden")):
        answer = await platform.http.post("/v1/captures", json={"url": url})
        assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_the_static_tier_gives_the_page_as_html_by_default(working: Platform) -> None:
    found = await done(working, tier="static")
    assert [output["kind"] for output in found["asked"]["outputs"]] == ["html"]


async def test_nobody_pays_more_than_the_servers_limit(working: Platform) -> None:
    await done(working)
    await done(working, max_cost_usd=0)
    assert [str(order.max_cost_usd) for order in working.fleet.fetches] == ["0.05", "0"]


async def test_a_tenant_sees_only_its_own_and_no_other_kind(platform: Platform) -> None:
    own = (await platform.http.post("/v1/captures", json={"url": URL})).json()["id"]
    options: dict[str, object] = {"tier": "auto", "visit": {}}
    async with platform.parts.db.begin() as db:
        foreign = await intake.enqueue(db, NewJob("other", URL, kind=Kind.CAPTURE, options=options))
    analysis = (await platform.http.post("/v1/analyses", json={"url": URL})).json()["id"]
    for job_id in (foreign, analysis, NO_SUCH_ID, "x"):
        path = f"/v1/captures/{job_id}"
        answers = [
            await platform.http.get(path),
            await platform.http.get(f"{path}/artifacts/screenshot"),
            await platform.http.post(f"{path}/cancel"),
            await platform.http.delete(path),
        ]
        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "not_found")] * 4
    assert (await platform.http.get(f"/v1/analyses/{own}")).status_code == 404
    assert (await platform.http.post(f"/v1/analyses/{own}/cancel")).status_code == 404
    assert (await platform.http.get(f"/v1/captures/{own}")).json()["status"] == "queued"
    async with platform.parts.db.read() as db:
        assert set((await db.execute(select(jobs.c.state))).scalars()) == {"queued"}
    assert [one["id"] for one in (await platform.http.get("/v1/captures")).json()["data"]] == [own]
    assert [one["id"] for one in (await platform.http.get("/v1/analyses")).json()["data"]] == [analysis]


async def test_the_list_is_newest_first_and_stays_stable_while_it_grows(platform: Platform) -> None:
    async def create() -> str:
        return str((await platform.http.post("/v1/captures", json={"url": URL, "refresh": True})).json()["id"])

    ids = [await create() for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await platform.http.get("/v1/captures", params=params)).json()
        seen += [item["id"] for item in page["data"]]
        assert all({"asked", "result"}.isdisjoint(item) for item in page["data"])
        cursor = page["next_cursor"]
        if not cursor:
            break
        await create()
    assert seen == ids[::-1]


async def test_the_cursor_of_another_list_is_refused(platform: Platform) -> None:
    cursor = base64.urlsafe_b64encode(("an_" + "0" * 32).encode()).decode().rstrip("=")
    answer = await platform.http.get("/v1/captures", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor")


async def test_cancel_aborts_what_is_in_progress(working: Platform) -> None:
    come, aborted = asyncio.Event(), asyncio.Event()

    async def hold(_: FetchRequest) -> None:
        come.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            aborted.set()
            raise

    working.fleet.before_fetch = hold
    location = (await working.http.post("/v1/captures", json={"url": URL})).headers["location"]
    await come.wait()
    for _ in range(2):
        answer = await working.http.post(f"{location}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert answer.json()["error"]["detail"] == "The capture was cancelled on request."
    async with asyncio.timeout(90):
        await aborted.wait()


async def test_a_finished_capture_cannot_be_cancelled(working: Platform) -> None:
    found = await done(working)
    answer = await working.http.post(f"{found['links']['self']}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_delete_takes_the_artifacts_along(working: Platform) -> None:
    found, kept = await done(working), await done(working, refresh=True)
    links = found["result"]["artifacts"]["screenshot"]["links"]
    files = [path for path in working.files.root.rglob("*.jpg") if found["id"] in path.parts]
    assert len(files) == 1
    answer = await working.http.delete(found["links"]["self"])
    assert (answer.status_code, answer.content) == (204, b"")
    assert not files[0].exists()
    for link in (found["links"]["self"], links["self"], links["signed"]):
        assert (await working.http.get(link)).status_code == 404
    assert (await working.http.delete(found["links"]["self"])).status_code == 404
    assert (await working.http.get(kept["result"]["artifacts"]["screenshot"]["links"]["self"])).content == JPEG
    async with working.parts.db.read() as db:
        assert list((await db.execute(select(results.c.job_id))).scalars()) == [kept["id"]]


async def test_delete_waits_for_the_end(platform: Platform) -> None:
    location = (await platform.http.post("/v1/captures", json={"url": URL})).headers["location"]
    answer = await platform.http.delete(location)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "retry-after" in answer.headers
    early = await platform.http.get(f"{location}/artifacts/screenshot")
    assert (early.status_code, early.json()["code"]) == (409, "conflict")
    await platform.http.post(f"{location}/cancel")
    assert (await platform.http.delete(location)).status_code == 204


async def test_a_signed_link_dies(working: Platform) -> None:
    found = await done(working)
    async with working.parts.db.read() as db:
        (key,) = (await db.execute(select(results.c.blob_keys))).scalar_one().values()
    assert key.startswith(f"local/{found['id']}/1/")
    assert (await working.http.get(working.parts.blobs.link(key, timedelta(seconds=-5)))).status_code == 403


async def test_a_name_that_is_none_is_refused(working: Platform) -> None:
    path = (await done(working))["links"]["self"]
    assert (await working.http.get(f"{path}/artifacts/other")).status_code == 404
    for name in ("..%2f..%2fx", "A", "a b"):
        assert (await working.http.get(f"{path}/artifacts/{name}")).status_code in {404, 422}


async def test_static_captures_wait_for_no_browser(platform: Platform) -> None:
    async with platform.parts.db.begin() as db:
        await intake.enqueue(db, NewJob("local", URL, kind=Kind.CAPTURE, options={"tier": "static"}))
        await intake.enqueue(db, NewJob("local", URL, kind=Kind.CAPTURE, options={"tier": "auto"}))
    async with platform.parts.db.begin() as db:
        claimed = await leases.claim(db, "w", 5, timedelta(seconds=30))
    assert [job.needs_browser for job in claimed] == [False, True]


def test_the_examples_are_true() -> None:
    for example in examples.CREATE.values():
        CaptureCreate.model_validate(example["value"])
    for answer in (examples.QUEUED, examples.DONE, examples.CANCELLED):
        CaptureRead.model_validate(answer)
    CapturePage.model_validate(examples.PAGE)


async def test_every_route_shows_an_example(platform: Platform) -> None:
    document = (await platform.http.get("/openapi.json")).json()
    routes = {path: item for path, item in document["paths"].items() if path.startswith("/v1/captures")}
    assert sum(len(item) for item in routes.values()) == 7
    create = routes["/v1/captures"]["post"]
    assert set(create["requestBody"]["content"]["application/json"]["examples"]) == set(examples.CREATE)
    assert {"image/jpeg", "text/markdown", "application/pdf"} <= set(create["responses"]["200"]["content"])
    for path, item in routes.items():
        for method, operation in item.items():
            text = json.dumps(operation["responses"])
            assert '"example"' in text or "binary" in text or method == "delete", (method, path)
