import hashlib
import io
import json

import pytest
from PIL import Image, ImageChops, ImageStat

from contracts.facts import PageFacts
from contracts.geometry import DESKTOP, PHONE, Viewport
from contracts.outputs import MAX_CAPTURE_PX
from contracts.render import (
    RenderResult,
    Warning,  # noqa: A004  # the contract's word
)
from tests.fixtures.pages import Pages
from tests.fixtures.site import TALL_PX, Site

from .conftest import Live, pixels


def picture(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=["JPEG", "PNG", "WEBP"])


def facts(result: RenderResult, name: str) -> PageFacts:
    return PageFacts.model_validate_json(pixels(result, name))


def pixel(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    value = image.convert("RGB").getpixel((x, y))
    assert isinstance(value, tuple)
    return value


@pytest.fixture(scope="module")
def static(live: Live, site: Site) -> RenderResult:
    return live.analyse(site.url("/static"))


def test_one_job_gives_both_viewports(static: RenderResult) -> None:
    assert static.http_status == 200
    assert static.title == "Sparrow Goods"
    assert static.warnings == []
    assert not static.partial
    assert static.settled_by == "quiet"
    assert static.chromium
    assert {"desktop.first_screen", "desktop.full_page", "desktop.facts", "desktop.sections.1"} <= set(static.artifacts)
    assert {"mobile.first_screen", "mobile.full_page", "mobile.facts", "mobile.sections.1"} <= set(static.artifacts)


def test_pictures_have_the_size_that_their_artifact_states(static: RenderResult) -> None:
    for name, artifact in static.artifacts.items():
        if artifact.content_type == "image/jpeg":
            assert picture(pixels(static, name)).size == (artifact.width, artifact.height), name
    assert (static.artifacts["desktop.first_screen"].width, static.artifacts["desktop.first_screen"].height) == (
        1440,
        900,
    )
    assert (static.artifacts["mobile.first_screen"].width, static.artifacts["mobile.first_screen"].height) == (
        780,
        1688,
    )


def test_the_full_page_is_as_high_as_the_facts_say(static: RenderResult) -> None:
    for name in ("desktop", "mobile"):
        box = static.artifacts[f"{name}.full_page"].box
        assert box
        assert box.height == pytest.approx(facts(static, f"{name}.facts").page_height, abs=1)


def test_a_section_shows_what_its_box_names(static: RenderResult) -> None:
    whole = picture(pixels(static, "desktop.full_page"))
    sections = [section for section in static.sections if section.viewport == DESKTOP and section.artifact]
    assert sections
    assert len({round(section.box.height) for section in sections}) > 1
    for section in sections:
        part = picture(pixels(static, section.artifact)).convert("RGB")
        x, y = round(section.box.x), round(section.box.y)
        there = whole.convert("RGB").crop((x, y, x + part.width, y + part.height))
        assert max(ImageStat.Stat(ImageChops.difference(part, there)).mean) < 2, section


def test_digests_and_lengths_are_those_of_the_bytes(static: RenderResult) -> None:
    for name, artifact in static.artifacts.items():
        data = pixels(static, name)
        assert artifact.bytes == len(data)
        assert artifact.sha256 == hashlib.sha256(data).hexdigest()


def test_timings_add_up(static: RenderResult) -> None:
    timings = static.timings
    assert timings.total_ms >= timings.browser_ms > timings.settle_ms > 0
    assert timings.own_ms == pytest.approx(timings.total_ms - timings.browser_ms - timings.queue_ms, abs=1)
    assert min(timings.open_ms, timings.goto_ms, timings.facts_ms, timings.capture_ms) > 0


def test_lazy_pictures_are_there(live: Live, site: Site) -> None:
    result = live.analyse(site.url("/lazy"), {"desktop": DESKTOP})
    assert result.warnings == []
    whole = picture(pixels(result, "desktop.full_page"))
    last = pixel(whole, 100, whole.height - 60)
    assert last == pytest.approx((200, (10 * 40) % 256, 90), abs=25), "the last row of pictures was never loaded"


def test_without_scrolling_they_are_not(live: Live, site: Site) -> None:
    result = live.analyse(site.url("/lazy"), {"phone": PHONE}, settle={"scroll": False})
    whole = picture(pixels(result, "phone.full_page"))
    assert pixel(whole, 100, whole.height - 60) == pytest.approx((255, 255, 255), abs=5)


def test_what_a_script_writes_late_is_waited_for(live: Live, site: Site) -> None:
    result = live.analyse(site.url("/js"))
    assert Warning.PAGE_EMPTY not in result.warnings
    assert "Made by a script" in facts(result, "desktop.facts").text


def test_the_first_screen_is_what_the_visitor_sees(live: Live, site: Site) -> None:
    result = live.analyse(site.url("/cookies"), {"desktop": DESKTOP})
    first = picture(pixels(result, "desktop.first_screen"))
    assert pixel(first, 1200, 880) == pytest.approx((0x22, 0x22, 0x22), abs=12), "the banner is missing"


def test_what_scrolling_set_in_motion_has_come_to_rest(live: Live, site: Site) -> None:
    result = live.analyse(site.url("/shrinks"), {"desktop": DESKTOP})
    whole = picture(pixels(result, "desktop.full_page"))
    assert pixel(whole, 700, 45) == pytest.approx((0, 255, 0), abs=12), "the bar was caught half-way"


def test_a_clip_sets_nothing_in_motion(live: Live, pages: Pages) -> None:
    result = live.analyse(pages.urls["grayscale"], {"desktop": DESKTOP})
    whole = picture(pixels(result, "desktop.full_page"))
    assert max(pixel(whole, 700, 45)) < 200, "the clear bar over the photograph turned white while the clip was taken"


def test_a_page_that_grows_is_held_still(live: Live, site: Site) -> None:
    result = live.analyse(site.url("/moving"), {"desktop": DESKTOP})
    assert Warning.LAYOUT_MOVED not in result.warnings
    box = result.artifacts["desktop.full_page"].box
    assert box
    assert box.height == pytest.approx(min(facts(result, "desktop.facts").page_height, MAX_CAPTURE_PX), abs=1)


def test_one_that_must_not_be_held_is_shot_again_and_then_reported(live: Live, site: Site) -> None:
    # What is pressed away after the first pictures needs the page's scripts.
    shots = [
        {"kind": "screenshot", "name": name, "area": "full_page", "banners": name} for name in ("as_seen", "removed")
    ]
    answer = live.post({"url": site.url("/moving"), "outputs": shots})
    assert Warning.LAYOUT_MOVED in RenderResult.model_validate_json(answer.content).warnings


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_very_tall_page_is_clamped(live: Live, site: Site, viewport: Viewport) -> None:
    result = live.analyse(site.url("/tall"), {"view": viewport})
    shot = result.artifacts["view.full_page"]
    assert Warning.TRUNCATED in result.warnings
    assert shot.box
    assert shot.box.height == MAX_CAPTURE_PX < TALL_PX
    assert shot.height == MAX_CAPTURE_PX
    assert picture(pixels(result, "view.full_page")).size == (shot.width, shot.height)
    assert not result.partial


def test_a_phone_says_it_is_one(live: Live, site: Site) -> None:
    seen = live.analyse(site.url("/agent"))
    desktop, phone = (json.loads(facts(seen, f"{name}.facts").text) for name in ("desktop", "mobile"))
    assert "Mobile" in phone["agent"]
    assert phone["mobile"] is True
    assert phone["touch"] > 0
    assert phone["width"] == 390
    assert phone["density"] == 2
    assert "Headless" not in desktop["agent"]
    assert desktop["mobile"] is False
    assert desktop["touch"] == 0


def test_redirects_are_counted_and_followed(live: Live, site: Site) -> None:
    result = live.analyse(site.url("/redirects?n=3"), {"desktop": DESKTOP})
    assert result.redirects == 3
    assert result.final_url == site.url("/static")
    assert result.requested_url == site.url("/redirects?n=3")


def test_a_redirect_by_script_is_followed_before_the_picture(live: Live, site: Site) -> None:
    answer = live.shot(site.url("/script-redirect"))
    assert answer.headers["x-final-url"] == site.url("/static")
    assert pixel(picture(answer.content), 20, 200) == pytest.approx((0x10, 0x32, 0x4A), abs=12)


def test_the_network_is_counted(live: Live, site: Site) -> None:
    result = live.analyse(site.url("/private-image"), {"desktop": DESKTOP})
    network = facts(result, "desktop.facts").network
    assert network.requests >= 3
    assert network.by_type["document"] > 300
    assert network.by_type["image"] > 1_000
    assert [failed.status for failed in network.failed] == [403]
    assert Warning.REQUESTS_BLOCKED in result.warnings


@pytest.mark.parametrize("path", ["/popups", "/links"])
def test_windows_that_a_page_opens_are_closed(live: Live, site: Site, path: str) -> None:
    hits = len(site.hits)
    result = live.analyse(site.url(path), {"desktop": DESKTOP})
    assert result.final_url == site.url(path)
    assert not result.partial
    if path == "/popups":
        assert not [hit for hit in site.hits[hits:] if "popup=" in hit]


@pytest.mark.parametrize(("kind", "magic"), [("png", "PNG"), ("webp", "WEBP"), ("jpeg", "JPEG")])
def test_formats(live: Live, site: Site, kind: str, magic: str) -> None:
    answer = live.shot(site.url("/static"), format=kind, area="full_page")
    assert answer.headers["content-type"] == f"image/{kind}"
    assert picture(answer.content).format == magic


def test_a_png_is_lossless_and_a_low_quality_is_small(live: Live, site: Site) -> None:
    url = site.url("/image?n=3")
    lossless = picture(live.shot(url, format="png").content)
    assert pixel(lossless, 700, 400) == (200, 120, 90)
    worst, best = (len(live.shot(site.url("/cookies"), quality=quality).content) for quality in (10, 95))
    assert worst < best


def test_error_pages_are_pages(live: Live, site: Site) -> None:
    for path, status in {"/404": 404, "/500": 500, "/login": 401}.items():
        assert live.shot(site.url(path)).headers["x-http-status"] == str(status)
        assert live.analyse(site.url(path), {"desktop": DESKTOP}).http_status == status


@pytest.mark.parametrize("name", ["agency", "grayscale", "landing-page"])
def test_no_cut_goes_through_a_control_and_ids_survive_a_reload(live: Live, pages: Pages, name: str) -> None:
    first, again = (live.analyse(pages.urls[name]) for _ in range(2))
    assert [section.id for section in first.sections] == [section.id for section in again.sections]
    for viewport, key in ((DESKTOP, "desktop"), (PHONE, "mobile")):
        cuts = {section.box.y for section in first.sections if section.viewport == viewport} - {0}
        shown = facts(first, f"{key}.facts").elements
        controls = [
            e.box for e in shown if e.visible and (e.clickable or e.field) and e.style and e.style.position == "static"
        ]
        assert controls
        assert not [box for box in controls for cut in cuts if box.y + 2 < cut < box.y + box.height - 2]
