"""`POST /fetch` of a running renderer: real sockets, real Chromium."""

import base64
from typing import Any

import httpx2
import pytest

from contracts.fetch import FetchResult, Reason, Tier
from contracts.render import RenderResult
from tests.fixtures.site import Site

from .conftest import Live, pixels, problem

HTML = {"kind": "html"}
TEXT = {"kind": "text"}
SHOT = {"kind": "screenshot", "name": "shot"}


def fetch(live: Live, url: str, *outputs: dict[str, Any], **more: Any) -> httpx2.Response:  # noqa: ANN401  # any field
    body = {"url": url, "outputs": list(outputs), "budget_ms": 30_000, **more}
    return httpx2.post(f"{live.base}/fetch", json=body, timeout=60, trust_env=False)


def fetched(live: Live, url: str, *outputs: dict[str, Any], **more: Any) -> FetchResult:  # noqa: ANN401  # any field
    answer = fetch(live, url, *outputs, **more)
    assert answer.status_code == 200, answer.text
    return FetchResult.model_validate_json(answer.content)


def text_of(result: RenderResult, name: str) -> str:
    return pixels(result, name).decode()


def test_one_document_is_the_answer_itself(live: Live, site: Site) -> None:
    answer = fetch(live, site.url("/redirects?n=1"), HTML, max_tier="static")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == "sandbox"
    assert answer.headers["x-final-url"] == site.url("/static")
    assert answer.headers["x-tier"] == "static"
    assert answer.headers["x-cost-usd"] == "0"
    assert "Bags that outlive you" in answer.text


def test_no_browser_works_for_a_page_that_the_server_has_made(live: Live, site: Site) -> None:
    before = live.pressure().free
    result = fetched(live, site.url("/static"), HTML, TEXT, max_tier="static")
    assert (result.tier, result.http_status, result.charset) == (Tier.STATIC, 200, "utf-8")
    assert live.pressure().free == before
    assert "Chrome/" not in text_of(result, "text")


def test_scripts_are_run_where_they_make_the_page(live: Live, site: Site) -> None:
    result = fetched(live, site.url("/js"), HTML, TEXT)
    assert result.tier is Tier.BROWSER
    assert result.reason in {Reason.NEEDS_JAVASCRIPT, Reason.REMEMBERED}
    assert set(result.artifacts) == {"html", "text"}
    assert "Made by a script" in text_of(result, "text")
    assert "Late words." in text_of(result, "html")
    again = fetched(live, site.url("/js"), TEXT, HTML, tier="static")
    assert (again.tier, again.reason, again.attempts[0].outcome) == (Tier.STATIC, Reason.ASKED, "needs_javascript")
    assert "Made by a script" not in text_of(again, "text")


def test_pixels_come_from_the_browser_at_once(live: Live, site: Site) -> None:
    result = fetched(live, site.url("/static"), SHOT, HTML)
    assert (result.tier, result.reason) == (Tier.BROWSER, Reason.NEEDS_BROWSER_OUTPUT)
    assert base64.b64decode(result.artifacts["shot"].data or "").startswith(b"\xff\xd8")
    assert [attempt.tier for attempt in result.attempts] == [Tier.BROWSER]
    answer = fetch(live, site.url("/static"), SHOT)
    assert (answer.headers["content-type"], answer.headers["x-tier"]) == ("image/jpeg", "browser")


def test_what_has_a_slot_is_put_there(live: Live, site: Site) -> None:
    slots = {name: {"url": site.url(f"/put/fetch-{name}")} for name in ("html", "text")}
    result = fetched(live, site.url("/static"), HTML, TEXT, uploads=slots, max_tier="static")
    assert [artifact.data for artifact in result.artifacts.values()] == [None, None]
    assert b"Bags that outlive you" in site.uploads["/put/fetch-html"]
    assert len(site.uploads["/put/fetch-text"]) == result.artifacts["text"].bytes
    shown = fetched(live, site.url("/js"), TEXT, uploads={"text": slots["text"]}, tier="browser")
    assert shown.artifacts["text"].data is None
    assert b"Made by a script" in site.uploads["/put/fetch-text"]


@pytest.mark.parametrize("tier", ["static", "browser"])
@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/redirect-loop", "target_redirects"),
        ("/redirect-private", "url_forbidden"),
        ("/download", "target_is_download"),
        ("/204", "page_empty"),
    ],
)
def test_failures_have_the_same_name_in_every_tier(live: Live, site: Site, tier: str, path: str, code: str) -> None:
    assert problem(fetch(live, site.url(path), HTML, tier=tier)) == code


@pytest.mark.parametrize("tier", ["static", "browser"])
@pytest.mark.parametrize(("path", "status"), [("/404", 404), ("/500", 500)])
def test_an_error_page_is_a_page_in_every_tier(live: Live, site: Site, tier: str, path: str, status: int) -> None:
    result = fetched(live, site.url(path), HTML, TEXT, tier=tier)
    assert result.http_status == status
    assert result.tier.value == tier


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"outputs": [HTML, HTML]}, "outputs.1.name"),
        ({"tier": "dearest"}, "tier"),
        ({"politeness": {"robots": True, "delay": 1}}, "politeness.delay"),
        ({"max_cost_usd": -1}, "max_cost_usd"),
        ({"tier": "unblocker"}, "tier"),
        ({"uploads": {"html": {"url": "http://elsewhere.test/x"}}}, "uploads.html"),
    ],
)
def test_what_cannot_be_used_is_named(live: Live, site: Site, change: dict[str, Any], field: str) -> None:
    body = {"url": site.url("/static"), "outputs": [HTML], **change}
    answer = httpx2.post(f"{live.base}/fetch", json=body, timeout=60, trust_env=False)
    assert problem(answer) == "invalid_request"
    assert answer.json()["errors"][0]["field"] == field


def test_attempts_are_counted(live: Live, site: Site) -> None:
    fetched(live, site.url("/static"), HTML, TEXT, tier="static")
    metrics = httpx2.get(f"{live.base}/metrics", trust_env=False).text
    assert 'cro_fetch_attempts_total{outcome="ok",tier="static"}' in metrics
