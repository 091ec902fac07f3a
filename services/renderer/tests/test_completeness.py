"""What pictures lack is said, and given one second chance."""

import asyncio
from typing import Any

import pytest

from contracts.geometry import DESKTOP, PHONE, Box, Viewport
from contracts.render import Completeness, RenderResult
from renderer import completeness
from renderer.completeness import Lacks
from tests.fixtures.pages import Pages
from tests.fixtures.site import Site

from .conftest import Live

HIGH = "<div style='height:{}px'></div>"
WORDS = "<p>Fair prices, honest photographs and delivery within two working days.</p>"


def whole(live: Live, url: str, viewport: Viewport = DESKTOP, **more: Any) -> RenderResult:  # noqa: ANN401  # request fields
    outputs = [
        {"kind": "screenshot", "name": "whole", "area": "full_page", "viewport": viewport.model_dump()},
        {"kind": "facts", "name": "facts", "viewport": viewport.model_dump()},
    ]
    answer = live.post({"url": url, "outputs": outputs, "budget_ms": 30_000, **more})
    assert answer.status_code == 200, answer.text
    return RenderResult.model_validate_json(answer.content)


def judged(live: Live, url: str, viewport: Viewport = DESKTOP, **more: Any) -> Completeness:  # noqa: ANN401
    [verdict] = whole(live, url, viewport, **more).completeness
    assert verdict.viewport == viewport
    return verdict


@pytest.mark.parametrize("name", ["agency", "creative", "freelancer", "grayscale", "landing-page"])
def test_real_pages_are_complete_at_once(live: Live, pages: Pages, name: str) -> None:
    result = live.analyse(pages.urls[name])
    assert [(verdict.complete, verdict.attempts) for verdict in result.completeness] == [(True, 1), (True, 1)]


def test_a_photograph_that_cannot_be_had_is_listed(live: Live, pages: Pages) -> None:
    verdict = judged(live, pages.urls["new-age"])
    assert not verdict.complete
    assert [url.split("/")[2] for url in verdict.images_pending] == ["source.unsplash.com"]
    assert verdict.attempts == 1, "a picture that was refused does not come with patience"


def test_a_picture_that_never_comes_is_listed(live: Live, site: Site) -> None:
    body = f"<h1>Wait</h1><img src=/never width=300 height=200>{WORDS}"
    verdict = judged(live, site.serve("/waits", body), budget_ms=12_000)
    assert verdict.images_pending == [site.url("/never")]
    assert not verdict.complete


def test_backgrounds_count_as_pictures(live: Live, site: Site) -> None:
    script = "<script>addEventListener('load', () => { box.style.background = 'url(/never)' })</script>"
    body = f"<h1>Wait</h1>{WORDS}<div id=box style='width:600px;height:400px'></div>{script}"
    verdict = judged(live, site.serve("/background", body), settle={"max_ms": 1_000})
    assert verdict.images_pending == [site.url("/never")]


def test_a_font_that_failed_is_listed_where_it_is_used(live: Live, site: Site) -> None:
    faces = (
        "<style>@font-face{font-family:'Lost Serif';src:url(/404)}@font-face{font-family:Unused;src:url(/404)}"
        "h1{font-family:'Lost Serif',serif}</style>"
    )
    assert judged(live, site.serve("/font", f"<h1>Letters</h1>{WORDS}", faces)).fonts_missing == ["Lost Serif"]


REVEAL = """<style>.reveal{opacity:0}.reveal.in{opacity:1}section{height:600px}</style>
<h1>Reveals</h1>%s<script>const watch = new IntersectionObserver((seen) => {
  for (const one of seen) if (one.isIntersecting) %s }, {threshold: %s});
document.querySelectorAll('.reveal').forEach((each) => watch.observe(each))</script>"""
PARTS = "".join(f"<section class=reveal><h2>Part {number}</h2>{WORDS * 3}</section>" for number in range(6))


def test_what_reveals_itself_is_complete(live: Live, site: Site) -> None:
    verdict = judged(live, site.serve("/reveals", REVEAL % (PARTS, "one.target.classList.add('in')", 0.2)))
    assert (verdict.complete, verdict.attempts, verdict.unrevealed) == (True, 1, [])


def test_what_reveals_itself_to_the_patient_gets_a_second_chance(live: Live, site: Site) -> None:
    # Each part wants to stay in view for 100 ms: a brisk scroll leaves too early.
    patient = (
        "one.target.timer ??= setTimeout(() => one.target.matches('.near') && one.target.classList.add('in'), 100)"
    )
    near = f"{{ one.target.classList.add('near'); {patient} }} else {{ one.target.classList.remove('near');"
    reset = f"{near} clearTimeout(one.target.timer); one.target.timer = undefined }}"
    verdict = judged(live, site.serve("/patient", REVEAL % (PARTS, reset, 0.9)))
    assert (verdict.complete, verdict.attempts) == (True, 2)


def test_what_is_never_revealed_is_reported(live: Live, site: Site) -> None:
    verdict = judged(live, site.serve("/hidden", REVEAL % (PARTS, "0", 0.2)))
    assert not verdict.complete
    assert verdict.attempts == 2
    assert len(verdict.unrevealed) == 6
    assert verdict.blank_bands, "six parts of a page in white"
    assert all(box.height == 600 for box in verdict.unrevealed)


@pytest.mark.parametrize(
    "style", ["opacity:0", "visibility:hidden", "clip-path:inset(0 100% 0 0)", "clip-path:circle(0)"]
)
def test_ways_not_to_be_shown(live: Live, site: Site, style: str) -> None:
    body = f"<h1>One</h1>{WORDS}<section style='{style}'>{WORDS * 4}</section>{WORDS}"
    assert len(judged(live, site.serve("/ways", body), settle={"scroll": False}).unrevealed) == 1


def test_what_is_meant_to_be_hidden_is_no_lack(live: Live, site: Site) -> None:
    hidden = f"<div style='{{}}'>{WORDS * 4}</div>"
    body = (
        f"<h1>Shop</h1><nav style='opacity:0'>{WORDS}</nav><div style='display:none'>{WORDS}</div>"
        + hidden.format("position:absolute;opacity:0;top:0")
        + f"<div aria-hidden=true style='opacity:0'>{WORDS}</div><details><summary>More</summary>{WORDS}</details>"
        + "<div style='display:grid'>"
        + "".join(f"<div style='grid-area:1/1;opacity:{n == 0:d}'>{WORDS * 3}</div>" for n in range(3))
        + "</div><span style='opacity:0'>tip</span>"
    )
    assert judged(live, site.serve("/menus", body)).complete


def test_bands_in_which_something_should_be_are_blank(live: Live, site: Site) -> None:
    empty = "<canvas width=1400 height=2500></canvas>"
    verdict = judged(live, site.serve("/canvas", f"<h1>Chart</h1>{WORDS}{empty}{WORDS}"))
    [band] = verdict.blank_bands
    assert band.height > 2_000
    assert not verdict.complete


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_honest_empty_space_is_not_blank(live: Live, site: Site, viewport: Viewport) -> None:
    body = f"<h1>Space</h1>{WORDS}{HIGH.format(2_000)}{WORDS}<footer style='height:1500px;background:#222'>Ltd</footer>"
    verdict = judged(live, site.serve("/space", body), viewport)
    assert (verdict.complete, verdict.blank_bands) == (True, [])


def test_a_settled_first_screen_is_judged_too(live: Live, site: Site) -> None:
    below = HIGH.format(3_000) + "<img src=/404 width=300 height=300>"
    body = f"<h1>One</h1><img src=/404?n=1 width=300 height=300>{below}"
    outputs = [{"kind": "screenshot", "banners": "removed"}]
    answer = live.post({"url": site.serve("/first", body), "outputs": outputs}, timeout=60)
    assert answer.headers["content-type"] == "image/jpeg", "one output comes as its bytes"
    outputs.append({"kind": "screenshot", "name": "other", "banners": "removed"})
    answer = live.post({"url": site.url("/first"), "outputs": outputs})
    [verdict] = RenderResult.model_validate_json(answer.content).completeness
    assert verdict.images_pending == [site.url("/404?n=1")]


def test_a_plain_picture_has_a_verdict_by_one_glance(live: Live, site: Site) -> None:
    url = site.serve("/plain", "<h1>One</h1><img src=/404 width=300 height=300>")
    outputs = [{"kind": "screenshot", "name": name} for name in ("a", "b")]
    [verdict] = RenderResult.model_validate_json(live.post({"url": url, "outputs": outputs}).content).completeness
    assert verdict.images_pending == [site.url("/404")]
    assert not verdict.complete


def test_bands_without_content_are_left_out() -> None:
    bands = [Box(x=0, y=top, width=1440, height=1_000) for top in (0, 1_000, 2_000)]
    content = [(100.0, 900.0), (1_900.0, 2_050.0)]
    assert completeness.bare(bands, content) == bands[:1]


def test_patience_is_for_what_may_still_come() -> None:
    assert Lacks(coming=("a",)).curable
    assert Lacks(fonts_coming=("a",)).curable
    assert not Lacks(lost=("a",), fonts_lost=("b",)).curable
    assert Lacks(lost=("a",), fonts_lost=("b",)).weight == 2


def test_a_forged_answer_does_no_harm() -> None:
    class Forger:
        class network:  # noqa: N801  # stands in for an attribute
            blocked: frozenset[str] = frozenset()

            @staticmethod
            def pending(_kind: str) -> list[str]:
                return []

        async def evaluate(self, _expression: str) -> str:
            return '{"version": 1, "pending": [1, null], "unrevealed": [["x"], 3], "content": [[], 5, ["a", 1e999]]}'

    found = asyncio.run(completeness.read(Forger(), whole=True))  # type: ignore[arg-type]  # all that is read of it
    assert len(found.content) == 3
    assert not found.curable
