"""The routes of webhooks, and what arrives at a receiver, on both databases."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from contracts.errors import ErrorCode
from contracts.render import RenderRequest
from contracts.result import Finding, LiftFactor, Severity, Suggestion
from gateway.deliveries.courier import Courier
from gateway.jobs import outcomes
from gateway.jobs.states import Kind
from gateway.outbox.events import MAX_BYTES, AnalysisEvent, CaptureEvent, EventType, written
from gateway.settings import GatewaySettings
from gateway.tables import webhook_attempts, webhook_deliveries, webhook_events, webhook_secrets
from gateway.wiring import Caller, _caller
from runtime.errors import ServiceError
from tests.fixtures.couriers import HOOKS, added, let_pass, rounds, rows_of
from tests.fixtures.gateway import Platform
from tests.fixtures.receiver import Receiver, says

pytestmark = pytest.mark.anyio

PAGE = "https://shop.test/"


@pytest.fixture
def settings(settings: GatewaySettings, receiver: Receiver) -> GatewaySettings:
    changes = {"egress_allow_private": f"{receiver.host},shop.test", "public_url": "https://cro.test"}
    return settings.model_copy(update=changes)


async def test_an_endpoint_is_added_with_a_secret_that_is_shown_once(platform: Platform, receiver: Receiver) -> None:
    made = await added(platform, receiver.url, events=["analysis.succeeded"], description="CRM")
    assert made["secret"].startswith("whsec_")
    shown = (await platform.http.get(f"{HOOKS}/{made['id']}")).json()
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert (shown["enabled"], shown["concurrency"], shown["description"]) == (True, 5, "CRM")
    listed = (await platform.http.get(HOOKS)).json()
    assert listed == {"data": [shown], "next_cursor": None}


async def test_pages_of_endpoints_go_on_where_they_ended(platform: Platform, receiver: Receiver) -> None:
    ids = [(await added(platform, receiver.url))["id"] for _ in range(3)]
    first = (await platform.http.get(HOOKS, params={"limit": 2})).json()
    second = (await platform.http.get(HOOKS, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [one["id"] for one in first["data"] + second["data"]] == ids[::-1]
    assert second["next_cursor"] is None
    assert (await platform.http.get(HOOKS, params={"cursor": "x"})).json()["code"] == "invalid_request"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "http://hooks.test/"}, "url_forbidden"),
        ({"url": "https://10.0.0.5/"}, "url_forbidden"),
        ({"url": "https://user:secret@hooks.test/"}, "url_forbidden"),
        ({"url": "ftp://hooks.test/"}, "url_forbidden"),
        ({"url": "hooks.test"}, "url_invalid"),
        ({"url": "https://hooks.test/", "events": []}, "invalid_request"),
        ({"url": "https://hooks.test/", "events": ["analysis.succeded"]}, "invalid_request"),
        ({"url": "https://hooks.test/", "events": ["webhook.test"]}, "invalid_request"),
        ({"url": "https://hooks.test/", "concurrency": 51}, "invalid_request"),
        ({"url": "https://hooks.test/", "secret": "mine"}, "invalid_request"),
        ({"url": "https://hooks.test/", "tenant_id": "other"}, "invalid_request"),
    ],
)
async def test_what_cannot_be_an_endpoint_is_refused(platform: Platform, body: dict[str, object], code: str) -> None:
    answer = await platform.http.post(HOOKS, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_tenant_has_so_many_endpoints_and_no_more(
    platform: Platform, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.webhooks.service.MAX_ENDPOINTS", 2)
    for _ in range(2):
        await added(platform, receiver.url)
    assert (await platform.http.post(HOOKS, json={"url": receiver.url})).status_code == 409


async def test_a_change_leaves_what_it_does_not_name(platform: Platform, receiver: Receiver) -> None:
    made = await added(platform, receiver.url, events=["capture.failed"], description="CRM", concurrency=2)
    path = f"{HOOKS}/{made['id']}"
    changed = (await platform.http.patch(path, json={"description": "ERP"})).json()
    assert (changed["events"], changed["description"], changed["concurrency"]) == (["capture.failed"], "ERP", 2)
    changed = (await platform.http.patch(path, json={"events": None, "url": receiver.url + "2"})).json()
    assert (changed["events"], changed["url"]) == (None, receiver.url + "2")
    assert (await platform.http.patch(path, json={"url": "http://hooks.test/"})).status_code == 422


async def test_another_tenants_webhooks_are_none(platform: Platform, receiver: Receiver) -> None:
    made = await added(platform, receiver.url)
    sent = (await platform.http.post(f"{HOOKS}/{made['id']}/test")).json()
    path = f"{HOOKS}/{made['id']}"
    log = f"{path}/deliveries/{sent['id']}"
    platform.app.dependency_overrides[_caller] = lambda: Caller("other")
    since = {"since": "2020-01-01T00:00:00Z"}
    for answer in (
        await platform.http.get(path),
        await platform.http.patch(path, json={"enabled": False}),
        await platform.http.delete(path),
        await platform.http.post(f"{path}/rotate"),
        await platform.http.post(f"{path}/test"),
        await platform.http.get(log),
        await platform.http.get(f"{path}/deliveries"),
        await platform.http.post(f"{log}/replay"),
        await platform.http.post(f"{path}/replay", json=since),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await platform.http.get(HOOKS)).json()["data"] == []
    assert (await platform.http.get(f"{HOOKS}/request/deliveries")).json()["data"] == []
    platform.app.dependency_overrides.clear()
    assert (await platform.http.get(path)).json()["enabled"] is True


async def submitted(platform: Platform, **more: object) -> str:
    answer = await platform.http.post("/v1/analyses", json={"url": PAGE, "preset": "rules", "refresh": True, **more})
    return str(answer.json()["id"])


async def test_the_end_of_an_analysis_arrives_signed(working: Platform, receiver: Receiver) -> None:
    made = await added(working, receiver.url)
    analysis_id = await submitted(working)
    got = await asyncio.wait_for(receiver.arrived.get(), 30)
    event = Webhook(made["secret"]).verify(got.body, got.headers)
    assert got.headers["webhook-id"] == event["event_id"]
    assert got.headers["content-type"] == "application/json"
    assert (event["type"], event["id"], event["status"]) == ("analysis.succeeded", analysis_id, "succeeded")
    assert (event["url"], event["score"], event["findings"]) == (PAGE, 80, 0)
    assert event["report_url"] == f"https://cro.test/v1/analyses/{analysis_id}/report"
    assert event["error_code"] is None
    assert all(not isinstance(value, dict) for value in event.values())
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(got.body.replace(b"80", b"99"), got.headers)


async def test_failure_and_cancellation_arrive_too(working: Platform, receiver: Receiver) -> None:
    await added(working, receiver.url)

    async def refuse(_: RenderRequest) -> None:
        raise ServiceError(ErrorCode.TARGET_DNS, "The host name shop.test has no address.")

    working.fleet.before_render = refuse
    await submitted(working)
    event = (await asyncio.wait_for(receiver.arrived.get(), 30)).event
    assert (event["type"], event["error_code"], event["report_url"]) == ("analysis.failed", "target_dns", None)
    working.fleet.before_render = _hold
    analysis_id = await submitted(working)
    await working.http.post(f"/v1/analyses/{analysis_id}/cancel")
    event = (await asyncio.wait_for(receiver.arrived.get(), 30)).event
    assert (event["type"], event["id"]) == ("analysis.cancelled", analysis_id)


async def _hold(_: object) -> None:
    await asyncio.Event().wait()


async def test_a_url_of_one_request_is_told_of_that_job_only(working: Platform, receiver: Receiver) -> None:
    secret = (await working.http.post(f"{HOOKS}/request/rotate")).json()["secret"]
    await submitted(working)
    body = {"url": PAGE, "outputs": [{"kind": "screenshot"}, {"kind": "text"}], "webhook_url": receiver.url + "?sig=1"}
    capture_id = (await working.http.post("/v1/captures", json=body)).json()["id"]
    got = await asyncio.wait_for(receiver.arrived.get(), 30)
    event = Webhook(secret).verify(got.body, got.headers)
    assert (event["type"], event["id"], got.path) == ("capture.succeeded", capture_id, "/hook?sig=1")
    assert sorted(event["artifacts"]) == ["screenshot", "text"]
    log = (await working.http.get(f"{HOOKS}/request/deliveries")).json()["data"]
    assert [(one["webhook_id"], one["event_type"]) for one in log] == [("request", "capture.succeeded")]
    assert receiver.arrived.empty()


async def test_a_url_of_one_request_is_signed_although_nobody_asked_for_a_secret(
    working: Platform, receiver: Receiver
) -> None:
    await submitted(working, webhook_url=receiver.url)
    got = await asyncio.wait_for(receiver.arrived.get(), 30)
    assert got.headers["webhook-signature"].startswith("v1,")
    assert len(await rows_of(working.parts.db, webhook_secrets)) == 1


@pytest.mark.parametrize("path", ["/v1/analyses", "/v1/captures"])
@pytest.mark.parametrize("url", ["http://hooks.test/", "https://169.254.169.254/", "x"])
async def test_a_forbidden_url_of_one_request_is_refused_and_nothing_accepted(
    platform: Platform, path: str, url: str
) -> None:
    answer = await platform.http.post(path, json={"url": PAGE, "webhook_url": url})
    assert answer.status_code == 422
    assert (await platform.http.get(path)).json()["data"] == []


async def test_only_what_an_endpoint_wants_is_written_down(platform: Platform, receiver: Receiver) -> None:
    await added(platform, receiver.url, events=["analysis.succeeded"])
    analysis_id = await submitted(platform)
    await platform.http.post(f"/v1/analyses/{analysis_id}/cancel")
    assert await rows_of(platform.parts.db, webhook_events) == []
    await added(platform, receiver.url, events=["analysis.cancelled", "capture.failed"])
    await added(platform, receiver.url)
    analysis_id = await submitted(platform)
    for _ in range(2):
        await platform.http.post(f"/v1/analyses/{analysis_id}/cancel")
    assert len(await rows_of(platform.parts.db, webhook_events)) == 1
    assert len(await rows_of(platform.parts.db, webhook_deliveries)) == 2


async def test_a_transaction_that_fails_tells_nothing(platform: Platform, receiver: Receiver) -> None:
    await added(platform, receiver.url)
    analysis_id = await submitted(platform)

    async def end_and_fall() -> None:
        async with platform.parts.db.begin() as db:
            assert await outcomes.cancel(db, Kind.ANALYSIS, "local", analysis_id)
            raise KeyError

    with pytest.raises(KeyError):
        await end_and_fall()
    assert await rows_of(platform.parts.db, webhook_events) == []


async def test_the_log_shows_each_attempt_and_escapes_what_others_wrote(platform: Platform, receiver: Receiver) -> None:
    made = await added(platform, receiver.url)
    receiver.script = [says(500, b"<script>alert(1)</script>\x1b[31m\x00" + b"y" * 10_000)]
    sent = (await platform.http.post(f"{HOOKS}/{made['id']}/test")).json()
    assert (sent["state"], sent["attempts"], sent["event_type"]) == ("pending", 0, "webhook.test")
    deliver = rounds(platform)
    await deliver()
    await let_pass(platform.parts.db, timedelta(seconds=10))
    await deliver()
    whole = (await platform.http.get(f"{HOOKS}/{made['id']}/deliveries/{sent['id']}")).json()
    assert (whole["state"], whole["attempts"], whole["last_status"]) == ("delivered", 2, 200)
    first, second = whole["log"]
    assert (first["number"], first["status"], first["error"]) == (1, 500, "target_status")
    assert first["answer"].startswith("&lt;script&gt;alert(1)&lt;/script&gt;\\u{1b}[31m\\u{0}yyy")
    assert first["answer"].count("y") == 4_096 - 31
    assert (second["status"], second["error"], second["answer"]) == (200, None, "thanks")
    assert whole["event"]["event_id"] == whole["event_id"] == receiver.got[0].headers["webhook-id"]
    assert receiver.got[0].body == receiver.got[1].body
    assert made["secret"] not in json.dumps(whole)


async def test_a_failed_delivery_is_replayed_with_the_same_id(platform: Platform, receiver: Receiver) -> None:
    made = await added(platform, receiver.url)
    path = f"{HOOKS}/{made['id']}"
    sent = (await platform.http.post(f"{path}/test")).json()
    deliver = rounds(platform)
    await deliver()
    again = await platform.http.post(f"{path}/deliveries/{sent['id']}/replay")
    assert (again.status_code, again.json()["state"]) == (202, "pending")
    assert await deliver() == 1
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert len(receiver.got) == 2
    whole = (await platform.http.get(f"{path}/deliveries/{sent['id']}")).json()
    assert [one["number"] for one in whole["log"]] == [1, 2]
    assert (await platform.http.post(f"{path}/deliveries/whd_none/replay")).status_code == 404


async def test_what_failed_in_a_time_is_replayed_together(platform: Platform, receiver: Receiver) -> None:
    made = await added(platform, receiver.url)
    path = f"{HOOKS}/{made['id']}"
    for _ in range(3):
        await platform.http.post(f"{path}/test")
    await platform.http.patch(path, json={"enabled": False})
    long_ago, soon = "2020-01-01T00:00:00Z", (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = {"since": long_ago, "until": soon}
    assert (await platform.http.post(f"{path}/replay", json=body)).json()["code"] == "conflict"
    await platform.http.patch(path, json={"enabled": True})
    assert (await platform.http.post(f"{path}/replay", json={"since": soon, "until": soon})).json()["count"] == 0
    assert (await platform.http.post(f"{path}/replay", json=body)).json() == {"count": 3, "more": False}
    deliver = rounds(platform)
    assert await deliver.all() == 3
    assert (await platform.http.post(f"{path}/replay", json=body)).json()["count"] == 0
    both = {**body, "states": ["failed", "delivered"]}
    assert (await platform.http.post(f"{path}/replay", json=both)).json()["count"] == 3
    refused = await platform.http.post(f"{path}/replay", json={**body, "states": ["pending"]})
    assert refused.json()["errors"][0]["field"] == "states"


async def test_a_disabled_endpoint_gets_nothing_and_says_why(platform: Platform, receiver: Receiver) -> None:
    made = await added(platform, receiver.url)
    path = f"{HOOKS}/{made['id']}"
    await platform.http.post(f"{path}/test")
    shown = (await platform.http.patch(path, json={"enabled": False})).json()
    assert (shown["enabled"], shown["disabled_reason"]) == (False, "owner")
    assert await rounds(platform).all() == 0
    (log,) = (await platform.http.get(f"{path}/deliveries", params={"state": "failed"})).json()["data"]
    assert log["last_error"] == "endpoint_disabled"
    assert (await platform.http.post(f"{path}/test")).status_code == 409
    analysis_id = await submitted(platform)
    await platform.http.post(f"/v1/analyses/{analysis_id}/cancel")
    assert len(await rows_of(platform.parts.db, webhook_deliveries)) == 1
    shown = (await platform.http.patch(path, json={"enabled": True})).json()
    assert (shown["enabled"], shown["disabled_reason"], shown["disabled_at"]) == (True, None, None)


async def test_a_deleted_endpoint_takes_its_secrets_and_log_with_it(platform: Platform, receiver: Receiver) -> None:
    made = await added(platform, receiver.url)
    path = f"{HOOKS}/{made['id']}"
    await platform.http.post(f"{path}/test")
    await rounds(platform)()
    await platform.http.post(f"{path}/test")
    assert (await platform.http.delete(path)).status_code == 204
    assert (await platform.http.get(path)).status_code == 404
    for table in (webhook_deliveries, webhook_attempts, webhook_secrets):
        assert await rows_of(platform.parts.db, table) == []
    assert await rounds(platform).all() == 0


def _worst(kind: type[AnalysisEvent] | type[CaptureEvent]) -> dict[str, Any]:
    text, url = "\U0001f600" * 5_000, "https://x.test/" + "a" * 4_081
    fields: dict[str, Any] = {
        "type": EventType.ANALYSIS_SUCCEEDED,
        "event_id": "evt_" + "0" * 32,
        "timestamp": "2026-11-21T12:00:00.000Z",
        "id": "cap_" + "0" * 32,
        "status": "succeeded",
        "url": url,
        "attempt": 1,
        "created_at": "2026-11-21T12:00:00.000Z",
        "finished_at": "2026-11-21T12:00:00.000Z",
        "api_url": "/v1/captures/cap_" + "0" * 32,
        "final_url": url,
        "title": text,
        "preset": "standard",
    }
    if kind is AnalysisEvent:
        return {**fields, "top_findings": [text] * 3}
    return {**fields, "artifacts": ["a" * 100] * 50}


@pytest.mark.parametrize("kind", [AnalysisEvent, CaptureEvent])
def test_an_event_is_never_larger_than_the_specification_allows(kind: type[AnalysisEvent]) -> None:
    assert len(written(kind(**_worst(kind)))) < MAX_BYTES


async def test_the_worst_findings_are_named_first(working: Platform, receiver: Receiver) -> None:
    await added(working, receiver.url)
    order = [Severity.LOW, Severity.HIGH, Severity.CRITICAL, Severity.MEDIUM, Severity.HIGH]

    def finding(number: int, severity: Severity) -> Finding:
        return Finding.model_validate(
            {
                "id": f"f{number}",
                "fingerprint": f"p{number}",
                "category": "cta",
                "lift_factor": LiftFactor.CLARITY,
                "severity": severity,
                "evidence_grade": "A",
                "viewport": "both",
                "title": f"{severity.value} {number}",
                "description": "",
                "suggestion": Suggestion(summary="do"),
            }
        )

    found = [finding(number, severity) for number, severity in enumerate(order)]
    working.fleet.judgement = lambda _: {"findings": found}
    await submitted(working)
    event = (await asyncio.wait_for(receiver.arrived.get(), 30)).event
    assert event["top_findings"] == ["critical 2", "high 1", "high 4"]
    assert (event["findings"], event["findings_high"], event["findings_critical"]) == (5, 2, 1)


async def test_the_openapi_document_describes_what_receivers_get(platform: Platform) -> None:
    document: dict[str, Any] = (await platform.http.get("/openapi.json")).json()
    assert set(document["webhooks"]) == set(EventType)
    schemas = document["components"]["schemas"]
    for item in document["webhooks"].values():
        content = item["post"]["requestBody"]["content"]["application/json"]
        named = schemas[content["schema"]["$ref"].rpartition("/")[2]]["properties"]
        (example,) = content.get("examples") or content["schema"]["examples"]
        shown = content["examples"][example]["value"] if isinstance(example, str) else example
        # The document's writer leaves nulls out of examples.
        assert set(shown) | {"error", "error_code"} >= set(named) >= set(shown)


async def test_an_egress_service_that_is_down_is_no_reason_to_go_past_it(
    platform: Platform, receiver: Receiver
) -> None:
    made = await added(platform, receiver.url)
    object.__setattr__(platform.parts.settings, "egress_proxy_url", "http://127.0.0.1:1")
    await platform.http.post(f"{HOOKS}/{made['id']}/test")
    deliver = rounds(platform)
    assert await deliver() == 1
    await _closed(deliver.courier)
    assert receiver.got == []
    assert await rows_of(platform.parts.db, webhook_attempts) == [], "the receiver is not to blame"


async def _closed(courier: Courier) -> None:
    transport = courier._transport
    assert isinstance(transport, httpx2.AsyncBaseTransport)
    await transport.aclose()


@pytest.mark.parametrize(
    "moments",
    [
        {"since": "0001-01-01T00:00:00+14:00"},
        {"since": "2026-01-01T00:00:00Z", "until": "9999-12-31T23:59:59-14:00"},
    ],
)
async def test_moments_that_utc_does_not_have_are_refused(platform: Platform, moments: dict[str, str]) -> None:
    answer = await platform.http.post("/v1/webhooks/request/replay", json=moments)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_description_may_hold_anything(platform: Platform) -> None:
    body = {"url": "https://hooks.example.com/", "description": "a\0b"}
    assert (await platform.http.post("/v1/webhooks", json=body)).json()["description"] == "a\ufffdb"
