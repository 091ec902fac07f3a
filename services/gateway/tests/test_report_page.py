import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from contracts.geometry import ViewportName
from contracts.result import Analysis, DegradedReason, Outcome, Scores, Severity
from gateway.report import words
from gateway.report.measures import swatch
from gateway.report.page import render
from tests.fixtures.report import pictures, sample, unpictured

AT = datetime(2026, 11, 21, 9, 45, tzinfo=UTC)
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Document(HTMLParser):
    """What is in a page, and whether its elements are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in {"style", "script"}:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def attributes(self, name: str) -> Iterator[str]:
        return (value for _, attributes in self.tags if (value := attributes.get(name)))

    def having(self, tag: str, name: str) -> list[str]:
        return [value for t, attributes in self.tags if t == tag and (value := attributes.get(name))]


@pytest.fixture(scope="module")
def html() -> str:
    return render(sample(), pictures(), generated_at=AT)


@pytest.fixture(scope="module")
def page(html: str) -> Document:
    return Document(html)


def bare(analysis: Analysis) -> Document:
    return Document(render(analysis, {}, generated_at=AT))


def test_is_well_formed_and_every_id_is_unique(page: Document) -> None:
    assert page.open == []
    assert [name for name, count in Counter(page.attributes("id")).items() if count > 1] == []


def test_every_inner_link_leads_somewhere(page: Document) -> None:
    ids = set(page.attributes("id"))
    inner = [href for href in page.attributes("href") if href.startswith("#")]
    assert inner
    assert [href for href in inner if href[1:] not in ids] == []


def test_refers_to_nothing_outside_but_plain_links(html: str, page: Document) -> None:
    assert all(src.startswith("data:image/jpeg;base64,") for src in page.attributes("src"))
    outside = [(tag, attributes) for tag, attributes in page.tags if (attributes.get("href") or "").startswith("http")]
    assert {tag for tag, _ in outside} == {"a"}
    assert {attributes["rel"] for _, attributes in outside} == {"noopener noreferrer nofollow"}
    assert "url(" not in html
    assert "@import" not in html
    assert list(page.attributes("style")) == []


def test_shows_every_finding_in_order_with_what_was_measured(page: Document) -> None:
    numbers = [name for name in page.having("article", "id") if name.startswith("finding-")]
    assert numbers == [f"finding-{n}" for n in range(1, 12)]
    places = [page.text.index(f"Finding {n}: ") for n in range(1, 12)]
    assert places == sorted(places)
    for finding in sample().findings:
        assert finding.title in page.text
        assert finding.suggestion.summary in page.text
    for measured in ("1.55:1 at least 4.5:1", "40 px at least 44 px", "23.4% at most 15%", "3.4 MB at most 2.6 MB"):
        assert measured in page.text


def test_explains_grades_selectors_and_judgement(page: Document) -> None:
    assert "Standard or plain fact. A published standard asks for it" in page.text
    assert "Practitioner convention." in page.text
    assert "a.btn-primary[href='#services']" in page.text
    assert "Measured, and seen by the AI reviewer." in page.text
    assert "estimated from pixels" in page.text
    assert "9 proposed: 5 proven on the page" in page.text


def test_the_sum_adds_up(page: Document) -> None:
    table = page.text.split("Points Start 100 ")[1].split(" Score, rounded ")
    points = [float(p.replace("\u2212", "-")) for p in re.findall(r"(?<= )\u2212[\d.]+(?= \d| 100)", table[0])]
    analysis = sample()
    assert len(points) == len(analysis.scores.explanation)
    assert f"100 \u2212 {-sum(points):.4g} points {100 + sum(points):.4g}" in table[0]
    assert table[1].startswith(str(analysis.scores.overall))
    assert round(100 + sum(points)) == analysis.scores.overall


def test_lists_every_rule_with_its_outcome(page: Document) -> None:
    analysis = sample()
    count = Counter(rule.outcome for rule in analysis.rules)
    assert f"{count[Outcome.FAIL]} failed" in page.text
    assert f"{count[Outcome.ERROR]} could not be checked" in page.text
    assert f"All {len({rule.id for rule in analysis.rules})} rules" in page.text
    assert "1.83 s (limit 2.5 s / 4 s)" in page.text
    assert "its surroundings could not be sampled" in page.text


def test_pictures_and_controls_have_names(page: Document) -> None:
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) > 10
    assert all(image.get("alt") for image in images)
    pictures_of_page = [attributes for tag, attributes in page.tags if attributes.get("role") == "img"]
    assert all(picture.get("aria-label") for picture in pictures_of_page)


def test_headings_never_skip_a_level(page: Document) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_stays_small(html: str) -> None:
    assert len(html.encode()) < 3_000_000


def test_colours_of_text_reach_aa_in_both_schemes(html: str) -> None:
    light, dark = (
        dict(re.findall(r"--([a-z]+): (#[0-9a-f]{3,6})", block))
        for block in re.findall(r":root \{(.*?)\}", html, re.DOTALL)[:2]
    )
    for scheme in (light, light | dark):
        for front in ("ink", "soft", "accent", *Severity):
            for back in ("paper", "wash"):
                assert _ratio(scheme[front], scheme[back]) >= 4.5, (front, back)
        assert _ratio(scheme["ink"], scheme["tint"]) >= 4.5
        assert _ratio(scheme["soft"], scheme["tint"]) >= 4.5
    for solid in re.findall(r"--solid: (#[0-9a-f]{6})", html):
        assert _ratio("#fff", solid) >= 4.5


def _ratio(front: str, back: str) -> float:
    found = swatch(f"{front} on {back}")
    assert found
    return found.ratio


def test_without_pictures_everything_else_is_there() -> None:
    page = bare(unpictured())
    assert page.open == []
    assert "There is no picture of the desktop page." in page.text
    assert "There is no picture of the page on a phone." in page.text
    assert "Four form fields have no label" in page.text
    assert "#pages" not in set(page.attributes("href"))


def test_without_the_phone_the_desktop_is_shown() -> None:
    kept = {key: data for key, data in pictures().items() if "desktop" in key}
    page = Document(render(sample(), kept, generated_at=AT))
    assert "There is no picture of the page on a phone." in page.text
    assert "picture-desktop" in set(page.attributes("id"))
    assert "picture-mobile" not in set(page.attributes("id"))


def test_the_first_screen_is_cut_from_the_page_where_it_was_not_taken() -> None:
    kept = {key: data for key, data in pictures().items() if "full" in key}
    page = Document(render(sample(), kept, generated_at=AT))
    assert page.having("img", "alt")[:2] == [
        "First screen of the page on a desktop",
        "First screen of the page on a phone",
    ]


def test_bytes_that_are_no_picture_count_as_missing() -> None:
    broken = dict.fromkeys(pictures(), b"\xff\xd8\xff\xe0 not a picture")
    assert "There is no picture of the desktop page." in Document(render(sample(), broken, generated_at=AT)).text


def test_a_perfect_page_gets_a_report_too() -> None:
    analysis = unpictured().model_copy(update={"findings": [], "scores": Scores(overall=100, by_factor={})})
    page = bare(analysis)
    assert "No problems were found in 30 checks." in page.text
    assert "100 \u2212 0 points 100 Score 100" in page.text


def test_a_report_without_rules_strengths_or_title_holds_together() -> None:
    empty = unpictured()
    analysis = empty.model_copy(
        update={
            "findings": [],
            "rules": [],
            "strengths": [],
            "facts": {},
            "timings_ms": {},
            "page": empty.page.model_copy(update={"title": ""}),
            "scores": Scores(overall=100, by_factor={}),
        }
    )
    page = bare(analysis)
    assert page.open == []
    assert "No rule was run." in page.text
    assert page.text.startswith("Conversion report: www.agency.example")


def test_a_partial_or_degraded_report_says_so() -> None:
    whole = unpictured()
    analysis = whole.model_copy(
        update={
            "status": "partial",
            "engine": whole.engine.model_copy(update={"degraded": True, "degraded_reason": "unavailable", "ai": None}),
            "capture": whole.capture.model_copy(update={"truncated": True, "warnings": ["fonts_pending", "new_thing"]}),
        }
    )
    text = bare(analysis).text
    assert "This report is partial" in text
    assert "The AI reviewer was not available" in text
    assert "its end is missing" in text
    assert "Some fonts had not arrived" in text
    assert "New thing" in text


@pytest.mark.parametrize("reason", [one for one in DegradedReason if one])
def test_every_reason_has_words_of_its_own(reason: DegradedReason) -> None:
    whole = unpictured()
    engine = whole.engine.model_copy(update={"degraded": True, "degraded_reason": reason, "ai": None})
    text = bare(whole.model_copy(update={"engine": engine})).text
    assert words.DEGRADED.get(reason, "Parts of the analysis had to be left out.") in text
    assert (reason in words.DEGRADED) is (reason is not DegradedReason.UNKNOWN)


def test_a_report_whose_ai_part_follows_says_so() -> None:
    whole = unpictured()
    engine = whole.engine.model_copy(update={"degraded": True, "degraded_reason": "unavailable", "ai_pending": True})
    assert words.PENDING in bare(whole.model_copy(update={"engine": engine})).text


def test_a_report_without_a_score_shows_none() -> None:
    scores = Scores(overall=100, by_factor={}, scored=False, note="Only a picture was given.")
    text = bare(unpictured().model_copy(update={"scores": scores})).text
    assert "Only a picture was given." in text
    assert "out of 100" not in text


def test_hundreds_of_findings_are_cut_and_counted() -> None:
    one = unpictured().findings[0]
    many = [one.model_copy(update={"id": f"f_{n}"}) for n in range(230)]
    page = bare(unpictured().model_copy(update={"findings": many}))
    assert len(page.having("article", "id")) == 200
    assert "30 more findings of less weight" in page.text


def test_evidence_without_a_place_makes_no_mark() -> None:
    analysis = sample()
    placeless = [f for f in analysis.findings if all(e.box is None for e in f.evidence)]
    assert placeless
    page = Document(render(analysis.model_copy(update={"findings": placeless}), pictures(), generated_at=AT))
    assert [name for name in page.attributes("id") if name.startswith("pin-")] == []
    assert all(f"picture-{viewport}" in set(page.attributes("id")) for viewport in ViewportName)
