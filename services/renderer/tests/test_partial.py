"""Whatever stage a page kills, what was had before it is the answer, with what was still loading."""

from typing import Any

import pytest

from contracts.facts import PageFacts
from contracts.render import (
    RenderResult,
    Warning,  # noqa: A004  # the contract's word
)
from tests.fixtures.site import Site

from .conftest import Live, pixels

SPIN = "for (;;) {}"
WORDS = "<p>" + "Fair prices, honest photographs. " * 60 + "</p>"
LATE = "<script>addEventListener('load', () => { new Image().src = '/never'; %s })</script>"
BANNER = (
    "<div id=cookie style='position:fixed;bottom:0;left:0;right:0;height:250px;background:#222;color:#fff'>"
    f"<p>We use cookies to learn about you.</p><button onclick='{SPIN}'>Reject all</button></div>"
)
REVEAL = "<style>section{height:900px;opacity:0}</style>" + f"<section>{WORDS}</section>" * 3


def had(live: Live, url: str, budget_ms: int) -> RenderResult:
    removed = {"banners": "removed"}
    outputs: list[dict[str, Any]] = [
        {"kind": "screenshot", "name": "first", "area": "first_screen"},
        {"kind": "screenshot", "name": "whole", "area": "full_page", **removed},
        {"kind": "screenshot", "name": "part", "area": "sections", **removed},
        {"kind": "facts", "name": "facts"},
    ]
    answer = live.post({"url": url, "outputs": outputs, "budget_ms": budget_ms})
    assert answer.status_code == 200, answer.text
    result = RenderResult.model_validate_json(answer.content)
    assert result.timings.total_ms < budget_ms
    return result


def lost(result: RenderResult) -> set[Warning]:
    return set(result.warnings) & {Warning.FACTS_MISSING, Warning.PICTURES_MISSING}


BOTH = {Warning.FACTS_MISSING, Warning.PICTURES_MISSING}


@pytest.mark.parametrize(
    ("stage", "body", "script"),
    [
        ("scrolling", WORDS * 9, f"addEventListener('scroll', () => {{ {SPIN} }})"),
        ("stilling", f"<i id=i>{WORDS * 9}</i>", f"i.animate([{{top:0}}],9e6).onfinish = () => {{ {SPIN} }}"),
    ],
)
def test_the_first_screen_survives(live: Live, site: Site, stage: str, body: str, script: str) -> None:
    result = had(live, site.serve(f"/{stage}", body + LATE % script), 8_000)
    assert list(result.artifacts) == ["first"]
    assert result.partial
    assert lost(result) == BOTH
    assert result.pending == [site.url("/never")]


def test_facts_survive_a_banner_that_kills(live: Live, site: Site) -> None:
    result = had(live, site.serve("/kills", WORDS * 9 + BANNER + LATE % ""), 8_000)
    assert list(result.artifacts) == ["first", "facts"]
    assert lost(result) == {Warning.PICTURES_MISSING}
    assert [overlay.kind for overlay in PageFacts.model_validate_json(pixels(result, "facts")).overlays] == ["consent"]
    assert result.pending == [site.url("/never")]


def test_the_first_pictures_survive_a_second_chance(live: Live, site: Site) -> None:
    script = f"let n = 0; addEventListener('scroll', () => {{ if (!scrollY && ++n > 1 || n && scrollY) {{ {SPIN} }} }})"
    body = f"<h1>Reveals</h1>{WORDS}{REVEAL}<script>{script}</script>"
    result = had(live, site.serve("/second", body), 14_000)
    assert {"first", "whole", "part.1", "facts"} <= set(result.artifacts)
    assert lost(result) == set()
    [verdict] = result.completeness
    assert not verdict.complete
    assert len(verdict.unrevealed) == 3


def test_a_full_page_survives_what_kills_the_next_stage(live: Live, site: Site) -> None:
    outputs: list[dict[str, Any]] = [
        {"kind": "screenshot", "name": "met", "area": "full_page"},
        {"kind": "screenshot", "name": "free", "area": "full_page", "banners": "removed"},
    ]
    url = site.serve("/next", WORDS * 9 + BANNER)
    result = RenderResult.model_validate_json(live.post({"url": url, "outputs": outputs, "budget_ms": 9_000}).content)
    assert list(result.artifacts) == ["met"]
    assert lost(result) == {Warning.PICTURES_MISSING}


def test_the_browser_of_a_killed_job_gets_no_other(live: Live, site: Site) -> None:
    before = set(live.pids())
    had(live, site.serve("/again-kills", WORDS * 9 + BANNER), 6_000)
    assert live.shot(site.url("/static")).status_code == 200
    assert set(live.pids()) != before
