import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from contracts.render import RenderResult
from renderer.launcher import _DEBIAN
from renderer.settings import RendererSettings
from tests.fixtures.shop import Shop, seen

from .conftest import Live, pixels, problem, run

FACTS = {"kind": "facts", "name": "facts"}
SHOT = {"kind": "screenshot", "name": "shot"}


def visit(live: Live, url: str, output: dict[str, Any] | None = None, **wishes: Any) -> httpx2.Response:  # noqa: ANN401  # a request body
    return live.post({"url": url, "outputs": [output or FACTS], "visit": wishes})


def result(live: Live, url: str, *outputs: dict[str, Any], **request: Any) -> RenderResult:  # noqa: ANN401  # a request body
    answer = live.post({"url": url, "outputs": [*outputs, {**FACTS, "name": "last"}], **request})
    assert answer.status_code == 200, answer.text
    return RenderResult.model_validate_json(answer.content)


def test_the_usual_visitor(trusting: Live, shop: Shop) -> None:
    found = seen(visit(trusting, shop.url("/seen")).content)
    assert (found["dark"], found["zone"], found["number"]) == (False, "UTC", "1,234.5")
    assert "HeadlessChrome" not in str(found["agent"])
    assert found["place"] == 1, "permission denied"


def test_a_visitor_from_elsewhere(trusting: Live, shop: Shop) -> None:
    shop.hits.clear()
    place = {"latitude": 47.37, "longitude": 8.54, "accuracy": 20}
    answer = visit(
        trusting,
        shop.url("/seen"),
        color_scheme="dark",
        reduced_motion=True,
        locale="de-CH",
        timezone="Europe/Zurich",
        geolocation=place,
        cookies=[{"name": "size", "value": "xl"}, {"name": "hidden", "value": "1", "http_only": True}],
    )
    found = seen(answer.content)
    assert (found["dark"], found["still"], found["zone"]) == (True, True, "Europe/Zurich")
    assert (found["languages"], found["number"]) == (["de-CH", "de"], "1'234.5")
    assert found["place"] == [47.37, 8.54, 20]
    assert found["cookies"] == "size=xl"
    headers = shop.of("/seen")[0].headers
    assert headers["accept-language"] == "de-CH,de;q=0.9"
    assert sorted(headers["cookie"].split("; ")) == ["hidden=1", "size=xl"]


def test_the_long_scroll_keeps_the_colours(trusting: Live, shop: Shop) -> None:
    # Motion is reduced for it: that must not turn the lights on.
    dark = {"color_scheme": "dark"}
    found = result(trusting, shop.url("/dark"), {**SHOT, "area": "full_page", "format": "png"}, visit=dark)
    picture = Image.open(io.BytesIO(pixels(found, "shot"))).convert("RGB")
    assert picture.getpixel((700, 2900)) == (0, 0, 60)


@pytest.fixture(scope="module")
def isolated(shop: Shop, scratch: Path) -> Iterator[Live]:
    """A renderer whose browser gives each site a process of its own, as Chromium does where there is memory for it."""
    folder = scratch / "isolated"
    folder.mkdir(exist_ok=True)
    binary = folder / "chromium"
    usual = next(path for path in _DEBIAN if path.is_file())
    binary.write_text(f'#!/bin/sh\nexec {usual} --site-per-process "$@"\n')
    binary.chmod(0o755)
    allowed = ",".join(shop.hosts)
    settings = RendererSettings(
        chromium_path=binary, egress_allow_private=allowed, renderer_scratch=folder, renderer_slots=1
    )
    renderer = run(settings)
    yield renderer
    renderer.stop()


@pytest.fixture(params=["together", "isolated"])
def either(request: pytest.FixtureRequest) -> Live:
    chosen: Live = request.getfixturevalue({"together": "trusting"}.get(request.param, request.param))
    return chosen


@pytest.mark.parametrize("viewport", [{"width": 1440, "height": 900}, {"width": 390, "height": 844, "mobile": True}])
def test_a_frame_of_another_site_sees_the_same_visitor(either: Live, shop: Shop, viewport: dict[str, Any]) -> None:
    wishes = {"color_scheme": "dark", "timezone": "Asia/Tokyo", "locale": "fr-FR", "user_agent": "Shopper/1.0"}
    shop.hits.clear()
    # The frame reports what it sees by asking for a picture.
    body = {"url": shop.url("/frames"), "outputs": [{**SHOT, "viewport": viewport}], "visit": wishes}
    assert either.post(body).status_code == 200
    hit = next(hit for hit in shop.hits if hit.path.startswith("/report.png"))
    assert hit.host == shop.hosts[1]
    assert hit.path.partition("?")[2] == "true,Asia/Tokyo,fr-FR,Shopper/1.0"
    assert hit.headers["user-agent"] == "Shopper/1.0"
    assert hit.headers["accept-language"].startswith("fr-FR")


@pytest.mark.parametrize(
    ("wishes", "field"),
    [
        ({"timezone": "Mars/Olympus"}, "visit.timezone"),
        # Well-formed but unknown ones are Chromium's to judge, and its versions differ.
        ({"locale": "de_DE.UTF-8"}, "visit.locale"),
        ({"cookies": [{"name": "a;b", "value": "c"}]}, "visit.cookies"),
        ({"cookies": [{"name": "a", "value": "c", "same_site": "none"}]}, "visit.cookies.0.same_site"),
        ({"headers": {"Host": "elsewhere.test"}}, "visit.headers.Host"),
        ({"headers": {"Cookie": "a=b"}}, "visit.headers.Cookie"),
        ({"headers": {"Proxy-Authorization": "x"}}, "visit.headers.Proxy-Authorization"),
        ({"headers": {"Sec-Fetch-Site": "none"}}, "visit.headers.Sec-Fetch-Site"),
        ({"headers": {"X-A": "b\r\nX-C: d"}}, "visit.headers.X-A"),
        ({"headers": {"X A": "b"}}, "visit.headers"),
        ({"headers": {"X-A": "b" * 20_000}}, "visit.headers"),
        ({"user_agent": "a\nb"}, "visit.user_agent"),
        ({"geolocation": {"latitude": 91, "longitude": 0}}, "visit.geolocation.latitude"),
        ({"block": {"types": ["images"]}}, "visit.block.types.0"),
        ({"block": {"type": ["image"]}}, "visit.block.type"),
        ({"cookies": [{"name": "a", "value": "b", "colour": "red"}]}, "visit.cookies.0.colour"),
    ],
)
def test_what_no_visitor_has_is_refused_by_name(trusting: Live, shop: Shop, wishes: dict[str, Any], field: str) -> None:
    answer = visit(trusting, shop.url("/seen"), SHOT, **wishes)
    assert problem(answer) == "invalid_request"
    assert answer.json()["errors"][0]["field"] == field


def test_headers_reach_the_pages_own_origin_and_no_other(either: Live, shop: Shop) -> None:
    shop.hits.clear()
    found = result(
        either, shop.url("/leaks"), SHOT, visit={"headers": {"X-Key": "s3cret", "Authorization": "Bearer t"}}
    )
    assert not found.partial
    told = {(hit.host, hit.path): hit.headers.get("x-key") for hit in shop.hits if "favicon" not in hit.path}
    own, third = shop.hosts
    assert told[own, "/leaks"] == "s3cret"
    assert told[own, "/picture.png?own"] == "s3cret"
    assert told[own, "/to-third"] == "s3cret"
    assert {told[third, path] for path in ("/picture.png?third", "/picture.png?redirected", "/framed")} == {None}
    assert {hit.headers.get("authorization") for hit in shop.hits if hit.host == third} == {None}


def test_a_login_is_given_to_who_asks_for_it(trusting: Live, shop: Shop) -> None:
    body = {"url": shop.url("/members"), "outputs": [FACTS]}
    assert "Members only" in trusting.post(body).json()["text"]
    login = {"username": "me", "password": "secret"}
    assert "Welcome" in trusting.post({**body, "visit": {"auth": login}}).json()["text"]


def test_a_wrong_login_ends_after_three_tries(trusting: Live, shop: Shop) -> None:
    shop.hits.clear()
    answer = visit(trusting, shop.url("/members"), SHOT, auth={"username": "me", "password": "guess"})
    assert problem(answer) == "target_auth"
    assert len([hit for hit in shop.of("/members") if "authorization" in hit.headers]) == 3
    assert "guess" not in answer.text


def test_another_origins_question_is_not_answered(either: Live, shop: Shop) -> None:
    shop.hits.clear()
    login = {"username": "me", "password": "secret"}
    assert visit(either, shop.url("/asked"), SHOT, auth=login).status_code == 200
    assert shop.of("/members")
    assert {hit.headers.get("authorization") for hit in shop.hits} == {None}


def parts(live: Live, shop: Shop, **block: Any) -> tuple[RenderResult, list[str]]:  # noqa: ANN401  # a request body
    shop.hits.clear()
    rules = {"wait_for": {"selector": "#end"}}
    found = result(live, shop.url("/parts"), SHOT, visit={"block": block} if block else {}, prepare=rules)
    return found, [hit.path for hit in shop.hits if "favicon" not in hit.path]


def test_nothing_is_blocked_unasked(trusting: Live, shop: Shop) -> None:
    found, paths = parts(trusting, shop)
    assert sorted(paths) == ["/cached.txt", "/parts", "/picture.png", "/script.js", "/socket", "/style.css"]
    assert found.title == "cached cached socket"


@pytest.mark.parametrize(
    ("block", "gone"),
    [
        ({"types": ["image"]}, {"/picture.png"}),
        ({"types": ["stylesheet", "script"]}, {"/style.css", "/script.js"}),
        ({"types": ["xhr"]}, {"/cached.txt"}),
        ({"types": ["websocket"]}, {"/socket"}),
        ({"types": ["media"]}, set()),
        ({"types": ["font"]}, set()),
        ({"types": ["other"]}, set()),
        ({"urls": ["*/picture*", "*.css"]}, {"/picture.png", "/style.css"}),
        ({"urls": ["ws://*"]}, {"/socket"}),
        ({"types": ["image"], "urls": ["*.js"]}, {"/picture.png", "/script.js"}),
    ],
)
def test_what_is_blocked_is_not_asked_for_and_not_missed(
    trusting: Live, shop: Shop, block: dict[str, Any], gone: set[str]
) -> None:
    found, paths = parts(trusting, shop, **block)
    everything = {"/cached.txt", "/parts", "/picture.png", "/script.js", "/socket", "/style.css"}
    assert set(paths) == everything - gone
    assert len(paths) == len(set(paths)), "the HTTP cache was switched off"
    assert (found.warnings, found.partial, found.pending) == ([], False, [])


def test_blocked_images_are_blocked_in_foreign_frames(either: Live, shop: Shop) -> None:
    shop.hits.clear()
    assert visit(either, shop.url("/leaks"), block={"types": ["image"]}).status_code == 200
    assert shop.of("/framed")
    assert [hit.path for hit in shop.hits if "picture" in hit.path] == []


def test_blocked_requests_are_no_failures_of_the_page(trusting: Live, shop: Shop) -> None:
    facts = visit(trusting, shop.url("/broken"), block={"types": ["image"]}).json()
    assert facts["network"]["failed"] == []
    assert visit(trusting, shop.url("/broken")).json()["network"]["failed"][0]["status"] == 404


def test_both_screens_of_one_job_have_the_same_visitor(trusting: Live, shop: Shop) -> None:
    wide, narrow = {"width": 1440, "height": 900}, {"width": 390, "height": 844, "mobile": True}
    outputs = [{**FACTS, "name": f"w{shown['width']}", "viewport": shown} for shown in (wide, narrow)]
    wishes = {"timezone": "Asia/Tokyo", "locale": "fr-FR", "cookies": [{"name": "a", "value": "b"}]}
    answer = trusting.post({"url": shop.url("/seen"), "outputs": outputs, "visit": wishes})
    found = RenderResult.model_validate_json(answer.content)
    for name in ("w1440", "w390"):
        told = seen(pixels(found, name))
        assert (told["zone"], told["languages"], told["cookies"]) == ("Asia/Tokyo", ["fr-FR", "fr"], "a=b")


def test_a_cookie_of_a_domain(trusting: Live, shop: Shop) -> None:
    cookies = [{"name": "a", "value": "b", "domain": "127.0.0.1"}, {"name": "c", "value": "d", "domain": "other.test"}]
    assert seen(visit(trusting, shop.url("/seen"), cookies=cookies).content)["cookies"] == "a=b"
