"""Every rule on both sides of each threshold, and where it does not apply."""

import pytest

from analyzer import findings, scoring, view
from analyzer.rules import engine, opinion
from analyzer.rules.policy import load
from analyzer.rules.registry import BY_ID, RULES
from contracts.facts import LinkKind, PageFacts, Performance
from contracts.geometry import ViewportName
from contracts.result import Outcome, Reliability, Severity
from tests.fixtures import page_facts as facts
from tests.fixtures.page_facts import field as entry
from tests.fixtures.page_facts import heading, link, page
from tests.fixtures.probe_cases import PROBED, axe
from tests.fixtures.rule_cases import CASES, FAIL, PASS, SKIP, WARN, Case

ALL = [*CASES, *PROBED]


def say(rule_id: str, given: PageFacts) -> engine.Said:
    name = ViewportName.MOBILE if given.viewport.mobile else ViewportName.DESKTOP
    (said,) = engine.run([BY_ID[rule_id]], view.build({name: given}), load())
    return said


@pytest.mark.parametrize("one", ALL)
def test_verdict(one: Case) -> None:
    said = say(one.rule, one.facts)
    verdict = engine.worst_of(said)
    assert verdict.outcome is one.expected, said.verdicts
    if one.value is not None:
        assert verdict.value == one.value
    if one.variant:
        assert verdict.variant == one.variant
    if one.kind is not None:
        assert said.view.type is one.kind


@pytest.mark.parametrize("one", [p for p in ALL if p.values[0].expected in {FAIL, WARN}])
def test_words(one: Case) -> None:
    made, broken = findings.build([say(one.rule, one.facts)], load(), findings.Places("an_1"))
    assert not broken
    assert made
    for finding in made:
        shown = finding.suggestion
        texts = [finding.title, finding.description, shown.summary, shown.current, shown.proposed, shown.hypothesis]
        assert not any(odd in text for odd in ("  ", "None", "{", "“”", "..") for text in texts), texts
        assert shown.current
        assert shown.proposed
        assert finding.title[0].isupper() or finding.title[0] in "“0123456789" or finding.title.startswith("iPhones")
        assert len(finding.title) <= 110
        lesser = (
            (BY_ID[one.rule].indicative and one.variant != "reserved")
            or "no_reject" in made[0].title
            or "refuse" in finding.title
        )
        assert lesser or finding.severity is not Severity.INFO or one.variant == "long_description"


def test_every_rule_is_tested_failing_and_not_applying_or_passing() -> None:
    seen: dict[str, set[Outcome]] = {}
    for param in ALL:
        one = param.values[0]
        seen.setdefault(one.rule, set()).add(one.expected)
    assert set(seen) == {rule.id for rule in RULES}
    assert not {name for name, outcomes in seen.items() if not outcomes & {FAIL, WARN} or not outcomes & {PASS, SKIP}}


def test_phone_rules_say_nothing_on_desktop() -> None:
    said = engine.run([BY_ID["layout.h_scroll"]], view.build({ViewportName.DESKTOP: page(scroll_width=9999)}), load())
    assert said == []


def test_page_rules_take_the_better_viewport() -> None:
    views = view.build(
        {
            ViewportName.DESKTOP: page(heading("Hello")),
            ViewportName.MOBILE: page(link("Call", "tel:1", LinkKind.TEL), phone=True),
        }
    )
    (said,) = engine.run([BY_ID["trust.contact"]], views, load())
    assert engine.worst_of(said).outcome is PASS
    assert said.view.name is ViewportName.MOBILE


def test_fields_of_a_search_form_are_no_fields() -> None:
    given = page(entry("text", "Find", label_source="none"), forms=[facts.form("search")])
    assert engine.worst_of(say("form.labels", given)).outcome is SKIP


def test_what_axe_does_not_confirm_is_an_estimate() -> None:
    given = page(facts.button("Buy", contrast=2.0), axe=axe("color-contrast"))
    (verdict,) = say("cta.text_contrast", given).verdicts
    assert (verdict.outcome, verdict.reliability) == (FAIL, Reliability.ESTIMATED)
    assert verdict.detail == opinion.ALONE
    unsure = given.model_copy(update={"axe": axe("color-contrast", unsure=("e1",))})
    assert say("cta.text_contrast", unsure).verdicts[0].reliability is Reliability.MEASURED
    agreed = given.model_copy(update={"axe": axe("color-contrast", "e1")})
    assert say("cta.text_contrast", agreed).verdicts[0].detail == opinion.CONFIRMED


def test_an_opinion_that_was_cut_short_counts_only_where_it_is_there() -> None:
    given = page(facts.button("Buy", contrast=2.0), axe=axe("label", complete=False))
    assert say("cta.text_contrast", given).verdicts[0].detail == ""


def test_only_what_was_measured_in_a_reserved_slot_is_scored() -> None:
    slow = Performance(largest_contentful_paint_ms=9000)
    for reserved, points in ((False, 0), (True, 12 * 0.7 * 0.5)):
        said = say("perf.lcp", page(performance=slow.model_copy(update={"reserved": reserved})))
        found, _ = findings.build([said], load(), findings.Places("an_1"))
        assert engine.result(said, load()).reliability is (Reliability.MEASURED if reserved else Reliability.INDICATIVE)
        assert -sum(step.points for step in scoring.score(found, frozenset(), load()).explanation) == pytest.approx(
            points
        )
