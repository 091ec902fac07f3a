"""Findings: merged viewports, evidence, fingerprints, words."""

import re

import pytest
from structlog.testing import capture_logs

from analyzer import measured
from analyzer.measured import Pixels, measure
from analyzer.rules.policy import load
from analyzer.rules.registry import RULES
from analyzer.wording.cta import contrast_fix
from analyzer.wording.registry import WORDINGS
from contracts.facts import LinkKind, PageFacts, Style
from contracts.geometry import DESKTOP, Box, ViewportName
from contracts.render import Section
from contracts.result import Asset, Finding, Outcome, Reach, Reliability, Severity
from tests.fixtures.page_facts import (
    Views,
    both,
    button,
    button_link,
    form,
    heading,
    image,
    link,
    overlay,
    page,
    paragraph,
)
from tests.fixtures.page_facts import field as entry

FULL = Box(x=0, y=0, width=1440, height=3000)
PIXELS = Pixels(
    "an_1",
    (Section(id="s1", viewport=DESKTOP, box=Box(x=0, y=0, width=1440, height=900)),),
    (Asset(kind="full", viewport=ViewportName.DESKTOP, key="k/full.jpg", w=1440, h=3000, sha256="", box=FULL),),
)


def found(given: Views, rule: str, pixels: Pixels = PIXELS) -> list[Finding]:
    return [one for one in measure(given, pixels, load()).findings if one.rule_ids == [rule]]


def only(given: Views, rule: str) -> Finding:
    (one,) = found(given, rule)
    return one


def test_both_viewports_make_one_finding() -> None:
    one = only(both(button("Start free trial", contrast=2.1)), "cta.text_contrast")
    assert one.viewport is Reach.BOTH
    assert {evidence.viewport for evidence in one.evidence} == set(ViewportName)


def test_one_viewport_alone_is_named() -> None:
    views = {
        ViewportName.DESKTOP: page(button("Start free trial")),
        ViewportName.MOBILE: page(button("Start free trial", contrast=2.1), phone=True),
    }
    one = only(views, "cta.text_contrast")
    assert one.viewport is Reach.MOBILE


def test_evidence_points_at_number_selector_box_and_picture() -> None:
    evidence = only(both(button("Start free trial", contrast=2.1)), "cta.text_contrast").evidence[0]
    assert (evidence.metric, evidence.value, evidence.threshold, evidence.unit) == ("contrast_ratio", 2.1, 4.5, ":1")
    assert (evidence.selector, evidence.element_id, evidence.text) == ("button#n1", "e1", "Start free trial")
    assert evidence.box == Box(x=100, y=400, width=200, height=50)
    assert evidence.asset_key == "k/full.jpg"


def test_a_box_outside_the_picture_names_no_picture() -> None:
    given = both(image("https://shop.test/b.png", natural_width=0, y=5000))
    assert only(given, "media.broken").evidence[0].asset_key == ""


def test_finding_knows_its_section() -> None:
    assert only(both(button("Start free trial", contrast=2.1)), "cta.text_contrast").section_id == "s1"


def test_at_most_five_evidences_and_the_count_in_the_text() -> None:
    one = only(both(*(image(f"https://shop.test/{n}.jpg", natural_width=0) for n in range(9))), "media.broken")
    assert len(one.evidence) == 5
    assert "9 images" in one.title


def test_contrast_suggestion_reaches_the_standard() -> None:
    given = both(button("Buy", color="#999999", background="#ffffff", contrast=2.85, filled=False, border_px=1))
    suggestion = only(given, "cta.text_contrast").suggestion
    assert (suggestion.current, suggestion.proposed) == ("#999999 on #ffffff", "#767676 on #ffffff")


def test_fingerprint_ignores_numbers_and_positions() -> None:
    first = only(both(button("Buy 3 left", contrast=2.1, y=300)), "cta.text_contrast")
    second = only(both(button("Buy 12 left", contrast=3.4, y=500)), "cta.text_contrast")
    assert first.fingerprint == second.fingerprint


def test_fingerprint_tells_subjects_and_variants_apart() -> None:
    buy = only(both(button("Buy", contrast=2.1)), "cta.text_contrast")
    book = only(both(button("Book", contrast=2.1)), "cta.text_contrast")
    assert buy.fingerprint != book.fingerprint
    dead = both(button_link("Buy", "#", LinkKind.ANCHOR), button_link("Demo", "#", LinkKind.ANCHOR, y=2000))
    marks = {one.fingerprint for one in found(dead, "cta.dead_target")}
    assert len(marks) == 2


def test_fingerprint_does_not_depend_on_reach() -> None:
    alone = {ViewportName.DESKTOP: page(button("Buy", contrast=2.1))}
    together = both(button("Buy", contrast=2.1))
    assert only(alone, "cta.text_contrast").fingerprint == only(together, "cta.text_contrast").fingerprint


def test_ids_are_unique_and_belong_to_the_analysis() -> None:
    given = both(paragraph("x"))
    ids = [one.id for one in measure(given, PIXELS, load()).findings]
    other = [one.id for one in measure(given, Pixels("an_2"), load()).findings]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & set(other)


def test_severity_depends_on_page_type_and_reach() -> None:
    missing = both(heading("Only words here, please"))
    assert only(missing, "cta.above_fold").severity is Severity.CRITICAL
    desktop = {ViewportName.DESKTOP: page(heading("Only words here, please"))}
    assert only(desktop, "cta.above_fold").severity is Severity.HIGH


def test_estimated_and_indicative_findings_say_so() -> None:
    heavy = both(heading("Hello you there"), performance={"largest_contentful_paint_ms": 9000})
    one = only(heavy, "perf.lcp")
    assert (one.severity, one.confidence) == (Severity.INFO, "low")
    assert one.evidence[0].reliability is Reliability.INDICATIVE


def _sloppy(*, phone: bool) -> PageFacts:
    rows = [button("Learn more", contrast=2.0, height=20, width=20), image(alt=None), paragraph("y" * 400, lines=3)]
    meta: dict[str, object] = {"title": "", "description": None, "og": {}, "viewport": None}
    return page(*rows, phone=phone, meta=meta, url="http://shop.test/", stats={"words_first_screen": 300})


def test_texts_read_well() -> None:
    views = {ViewportName.DESKTOP: _sloppy(phone=False), ViewportName.MOBILE: _sloppy(phone=True)}
    findings = measure(views, PIXELS, load()).findings
    assert len(findings) > 10
    for one in findings:
        texts = (one.title, one.description, one.suggestion.summary, one.suggestion.hypothesis)
        assert all("  " not in text and "None" not in text and "{" not in text for text in texts), texts
        assert len(one.title) <= 100
        assert one.description.endswith((".", ")"))
        assert not re.search(r"\d+\s?% (more|uplift|increase)|might|maybe|perhaps", " ".join(texts), re.IGNORECASE)
        if one.suggestion.hypothesis:
            assert re.match(r"If .+ then .+ because .+", one.suggestion.hypothesis)


def test_one_thing_is_spoken_of_as_one() -> None:
    pictures = [image("https://shop.test/a.jpg", y=y, natural_width=0, natural_height=0, complete=True) for y in (1, 2)]
    assert "“a.jpg” stays empty." in only(both(*pictures), "media.broken").description
    heavy = image("https://shop.test/b.jpg", natural_width=4000, natural_height=3000, transferred_bytes=900_000)
    assert "“b.jpg” weighs 900 kB" in only(both(heavy), "media.oversized").description
    faint = paragraph("Read me " * 20, contrast=4.4, color="#787878")
    stats = {"characters": 1000, "characters_failing_aa": 160}
    assert "(large text 3:1): “Read me" in only(both(faint, stats=stats), "copy.text_contrast").description
    assert only(both(heading("About us", level=3)), "headline.present").title.endswith("“About us” is not marked as h1")


def test_code_is_quoted_as_code() -> None:
    one = only(both(button_link("Buy now", "#", LinkKind.ANCHOR)), "cta.dead_target")
    assert one.suggestion.current == 'href="#"'


def test_controls_without_a_name_are_called_so() -> None:
    icons = [link("", "https://x.test/", x=x, width=20, height=4) for x in (8, 28)]
    (one,) = [f for f in found(both(*icons), "cta.target_size") if "too small" in f.title]
    fields = both(entry(label="", label_source="none", control=""), forms=[form()])
    assert only(fields, "form.labels").description.startswith("No label is tied")
    assert one.description.startswith("Links or buttons without a name, down to 4 px, with")


def test_control_and_direction_characters_never_reach_a_text() -> None:
    one = only(both(button("Buy\u202e\u200b\x07 now", contrast=2.0)), "cta.text_contrast")
    assert one.title.startswith("“Buy now”")
    assert one.evidence[0].text == "Buy now"


def test_every_rule_has_words() -> None:
    assert set(WORDINGS) == {rule.id for rule in RULES}


def test_a_broken_text_makes_the_rule_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {name: words for name, words in WORDINGS.items() if name != "cta.text_contrast"}
    monkeypatch.setattr("analyzer.findings.WORDINGS", broken)
    with capture_logs() as logs:
        result = measure(both(button("Buy", contrast=2.1)), PIXELS, load())
    assert [one["event"] for one in logs] == ["wording_failed"]
    outcomes = {one.outcome for one in result.rules if one.id == "cta.text_contrast"}
    assert outcomes == {Outcome.ERROR}
    assert not any(one.rule_ids == ["cta.text_contrast"] for one in result.findings)


def test_sections_of_the_phone_get_ids_of_their_own() -> None:
    box = Box(x=0, y=0, width=390, height=844)
    phone = DESKTOP.model_copy(update={"mobile": True, "width": 390})
    sections = [Section(id="s1", viewport=DESKTOP, box=box), Section(id="s1", viewport=phone, box=box)]
    assert measured.section_ids([*sections, sections[1]]) == ["s1", "s1-m", "s1-m-2"]


def test_a_layer_is_one_finding_that_names_where_it_hides_the_action() -> None:
    views = {
        ViewportName.DESKTOP: page(button("Buy", y=500), overlays=[overlay(coverage=0.2)]),
        ViewportName.MOBILE: page(button("Buy", y=20, covered=True), overlays=[overlay(coverage=0.2)], phone=True),
    }
    one = only(views, "overlay.blocking")
    assert one.viewport is Reach.BOTH
    assert one.title == "A layer hides the main action on the phone"


@pytest.mark.parametrize(
    ("color", "background", "proposed"),
    [
        ("#ffffff", "#ffc800", "#1a1a1a on #ffc800"),  # a bright brand colour stays
        ("#999999", "#ffffff", "#1a1a1a on #ffffff"),
        ("#ffffff", "#3d8bd4", "#ffffff on #367aba"),
    ],
)
def test_a_filled_button_keeps_a_bright_colour(color: str, background: str, proposed: str) -> None:
    style = Style(font_px=16, font_weight=400, line_height_px=20, color=color, background=background, filled=True)
    assert contrast_fix(style, 4.5)[1] == proposed
