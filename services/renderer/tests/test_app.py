import base64
import json
import socket
import threading
import time
from pathlib import Path

import httpx2
import pytest

from contracts.facts import PageFacts
from contracts.render import Pressure, RenderResult
from tests.fixtures.site import Site

from .conftest import Live, problem, run, settings_for

SHOT = {"kind": "screenshot", "name": "shot"}
FACTS = {"kind": "facts", "name": "facts"}


def test_one_picture_is_the_answer_itself(live: Live, site: Site) -> None:
    answer = live.shot(site.url("/redirects?n=1"), format="jpeg", viewport={"width": 1920, "height": 1080})
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-final-url"] == site.url("/static")
    assert answer.headers["x-http-status"] == "200"
    assert answer.headers["x-warnings"] == ""
    assert answer.content.startswith(b"\xff\xd8")


def test_one_set_of_facts_is_the_answer_itself(live: Live, site: Site) -> None:
    answer = live.post({"url": site.url("/static"), "outputs": [FACTS]})
    assert answer.headers["content-type"] == "application/json"
    assert PageFacts.model_validate_json(answer.content).url == site.url("/static")


def test_several_come_inline(live: Live, site: Site) -> None:
    answer = live.post({"url": site.url("/static"), "outputs": [SHOT, FACTS], "job_id": "job_1"})
    result = RenderResult.model_validate_json(answer.content)
    assert result.job_id == "job_1"
    assert result.pool is not None
    assert result.pool.slots == 2
    assert result.captured_at.endswith("+00:00")
    shot = result.artifacts["shot"].data
    assert shot is not None
    assert base64.b64decode(shot).startswith(b"\xff\xd8")


def test_sections_are_never_bare_bytes(live: Live, site: Site) -> None:
    answer = live.post({"url": site.url("/static"), "outputs": [{**SHOT, "area": "sections"}]})
    result = RenderResult.model_validate_json(answer.content)
    assert set(result.artifacts) == {f"shot.{n}" for n in range(1, len(result.artifacts) + 1)}
    assert [section.artifact for section in result.sections] == list(result.artifacts)


def test_what_has_a_slot_is_put_there(live: Live, site: Site) -> None:
    slots = {name: {"url": site.url(f"/put/{name}"), "headers": {"x-tag": "1"}} for name in ("shot", "parts.1")}
    parts = {"kind": "screenshot", "name": "parts", "area": "sections"}
    body = {"url": site.url("/static"), "outputs": [SHOT, parts, FACTS], "uploads": slots}
    result = RenderResult.model_validate_json(live.post(body).content)
    assert result.artifacts["shot"].data is None
    assert result.artifacts["parts.1"].data is None
    assert result.artifacts["parts.2"].data is not None
    assert result.artifacts["facts"].data is not None
    assert len(site.uploads["/put/shot"]) == result.artifacts["shot"].bytes
    assert site.uploads["/put/parts.1"].startswith(b"\xff\xd8")
    assert result.timings.upload_ms > 0


def test_one_picture_with_a_slot_is_a_result(live: Live, site: Site) -> None:
    slots = {"shot": {"url": site.url("/put/alone")}}
    answer = live.post({"url": site.url("/static"), "outputs": [SHOT], "uploads": slots})
    assert answer.json()["artifacts"]["shot"]["data"] is None
    assert site.uploads["/put/alone"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"outputs": [SHOT, {**FACTS, "name": "shot"}]}, "outputs.1.name"),
        ({"uploads": {"other": {"url": "http://127.0.0.1/x"}}}, "uploads.other"),
        ({"uploads": {"shot": {"url": "http://elsewhere.test/x"}}}, "uploads.shot"),
        ({"outputs": [{**SHOT, "quality": 0}]}, "outputs.0.screenshot.quality"),
        ({"outputs": []}, "outputs"),
        ({"budget_ms": 10}, "budget_ms"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_used_is_named(live: Live, site: Site, change: dict[str, object], field: str) -> None:
    answer = live.post({"url": site.url("/static"), "outputs": [SHOT], **change})
    assert problem(answer) == "invalid_request"
    assert json.loads(answer.content)["errors"][0]["field"] == field


def test_a_store_that_refuses_is_named(live: Live, site: Site) -> None:
    slots = {"shot": {"url": site.url("/put/shot"), "headers": {"x-refuse": "1"}}}
    body = {"url": site.url("/static"), "outputs": [SHOT], "uploads": slots}
    assert problem(live.post(body)) == "storage_failed"


def test_a_caller_that_leaves_frees_its_browser(live: Live, site: Site) -> None:
    body = json.dumps({"url": site.url("/slow"), "outputs": [SHOT], "budget_ms": 60_000}).encode()
    head = f"POST /render HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    site.dropped.clear()
    asked = len(site.hits)
    port = httpx2.URL(live.base).port
    with socket.create_connection(("127.0.0.1", port or 0)) as caller:
        caller.sendall(head.encode() + body)
        while "/slow" not in site.hits[asked:]:
            time.sleep(0.01)
    assert site.dropped.wait(20), "the page is still being loaded for nobody"
    assert live.shot(site.url("/static")).status_code == 200


def test_health_and_metrics(live: Live, site: Site) -> None:
    live.shot(site.url("/static"))
    assert httpx2.get(f"{live.base}/livez", trust_env=False).status_code == 200
    assert httpx2.get(f"{live.base}/readyz", trust_env=False).status_code == 200
    metrics = httpx2.get(f"{live.base}/metrics", trust_env=False).text
    assert 'cro_renderer_slots{state="idle"}' in metrics
    assert "cro_renderer_job_seconds_count" in metrics


def test_pressure_as_json_and_as_a_status(live: Live) -> None:
    answer = httpx2.get(f"{live.base}/pressure", trust_env=False)
    pressure = Pressure.model_validate_json(answer.content)
    assert pressure.accepting
    assert pressure.slots == len(pressure.memory_mb) == 2
    assert "retry-after" not in answer.headers
    for text in (
        httpx2.get(f"{live.base}/pressure", headers={"accept": "text/plain"}, trust_env=False),
        httpx2.get(f"{live.base}/pressure?format=text", trust_env=False),
    ):
        assert (text.status_code, text.text) == (200, "ok")
        assert text.headers["content-type"].startswith("text/plain")


def test_a_full_renderer_says_busy_and_when_to_come_back(site: Site, scratch: Path) -> None:
    folder = scratch / "full"
    folder.mkdir()
    renderer = run(settings_for(site, folder, renderer_slots=1, renderer_queue=0))
    body = {"url": site.url("/never?full"), "outputs": [SHOT], "budget_ms": 5_000}
    thread = threading.Thread(target=lambda: renderer.post(body))
    thread.start()
    while "/never?full" not in site.hits:
        assert thread.is_alive()
    full = httpx2.get(f"{renderer.base}/pressure?format=text", trust_env=False)
    assert (full.status_code, full.text) == (503, "busy")
    assert int(full.headers["retry-after"]) >= 1
    assert httpx2.get(f"{renderer.base}/pressure", trust_env=False).json()["reason"] == "full"
    refused = renderer.shot(site.url("/static"))
    assert problem(refused) == "renderer_busy"
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    hits = len(site.hits)
    assert httpx2.get(f"{renderer.base}/livez", trust_env=False).status_code == 200
    assert len(site.hits) == hits
    thread.join(60)
    renderer.stop()
