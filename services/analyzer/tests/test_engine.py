"""What breaks in a rule stays in that rule; hostile facts break none."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from analyzer import view
from analyzer.measured import Pixels, measure
from analyzer.rules import engine
from analyzer.rules.policy import load
from analyzer.rules.registry import BY_ID, RULES
from analyzer.rules.rule import Limits, Rule, Verdict
from analyzer.view import View
from contracts.facts import (
    Element,
    Form,
    FormField,
    LabelSource,
    Link,
    LinkKind,
    Meta,
    Network,
    Overlay,
    OverlayKind,
    PageFacts,
    Picture,
    Resource,
    Style,
    TextStats,
)
from contracts.geometry import DESKTOP, PHONE, Box, ViewportName
from contracts.result import Outcome, Reliability, Severity
from tests.fixtures.page_facts import both, button, page

NUMBER = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.sampled_from([0.0, -1.0, 1e308, -1e308])
COUNT = st.integers(-5, 10**9)
TEXT = st.text(max_size=30) | st.sampled_from(
    ["Buy now", "★", "€ 9", "http://[", "#", "javascript:", "\u202e", "Name *"]
)
COLOUR = st.sampled_from(["#ffffff", "#000000", "", "red", "#fff", "#gggggg"])
SHARE = st.floats(0, 1)
BOX = st.builds(Box, x=NUMBER, y=NUMBER, width=NUMBER, height=NUMBER)
STYLE = st.builds(
    Style,
    font_px=NUMBER,
    font_weight=COUNT,
    line_height_px=NUMBER,
    color=COLOUR,
    background=COLOUR,
    background_is_image=st.booleans(),
    border_color=COLOUR,
    border_px=NUMBER,
    padding_px=NUMBER,
    filled=st.booleans(),
    surround=COLOUR,
    contrast=st.none() | NUMBER,
)
LINK = st.builds(
    Link, href=TEXT, kind=st.sampled_from(LinkKind), has_handler=st.booleans(), target_exists=st.booleans()
)
FIELD = st.builds(
    FormField,
    type=st.sampled_from(["text", "email", "radio", "select", "hidden", ""]),
    name=TEXT,
    label=TEXT,
    label_source=st.sampled_from(LabelSource),
    placeholder=TEXT,
    required=st.booleans(),
    autocomplete=TEXT,
    form=st.integers(-2, 3),
)
PICTURE = st.builds(
    Picture,
    src=TEXT,
    natural_width=COUNT,
    natural_height=COUNT,
    alt=st.none() | TEXT,
    complete=st.booleans(),
    transferred_bytes=st.none() | COUNT,
)
ELEMENT = st.builds(
    Element,
    id=st.sampled_from(["e1", "e2", ""]),
    tag=st.sampled_from(["a", "button", "h1", "p", "img", "input", "blockquote", ""]),
    name=TEXT,
    text=TEXT,
    selector=TEXT,
    box=BOX,
    visible=st.booleans(),
    covered=st.booleans(),
    first_screen=SHARE,
    landmark=st.sampled_from(["", "nav", "header", "footer", "consent", "junk"]),
    heading_level=st.integers(-1, 7),
    clickable=st.booleans(),
    lines=st.integers(0, 50),
    style=st.none() | STYLE,
    link=st.none() | LINK,
    field=st.none() | FIELD,
    picture=st.none() | PICTURE,
)
STATS = st.builds(
    TextStats,
    characters=COUNT,
    characters_below_12px=COUNT,
    characters_failing_aa=COUNT,
    characters_on_image=COUNT,
    body_font_px_median=NUMBER,
    words=COUNT,
    words_first_screen=COUNT,
    words_in_links=COUNT,
)
OVERLAY = st.builds(
    Overlay, element_id=TEXT, kind=st.sampled_from(OverlayKind), box=BOX, coverage=SHARE, has_reject=st.booleans()
)
NETWORK = st.builds(
    Network,
    transferred_bytes=COUNT,
    failed=st.lists(st.builds(Resource, url=TEXT, type=TEXT, status=COUNT), max_size=2),
    insecure=st.lists(st.builds(Resource, url=TEXT, type=st.just("script")), max_size=2),
)
FORM = st.builds(Form, element_id=TEXT, action=TEXT, purpose=st.sampled_from(["lead", "checkout", "search", "junk"]))
META = st.builds(
    Meta,
    title=TEXT,
    description=st.none() | TEXT,
    viewport=st.none() | TEXT | st.just("maximum-scale=no"),
    og=st.dictionaries(TEXT, TEXT, max_size=3),
    json_ld_types=st.lists(st.sampled_from(["Product", "Review", "?"]), max_size=2),
)
FACTS = st.builds(
    PageFacts,
    viewport=st.sampled_from([DESKTOP, PHONE]),
    url=TEXT | st.sampled_from(["https://a.test/pricing", "http://[::1", "https://a.test/"]),
    language=st.sampled_from(["en", "de-AT", "zh", "", "xx", "toolong"]),
    meta=META,
    scroll_width=NUMBER,
    page_height=NUMBER,
    elements=st.lists(ELEMENT, max_size=6),
    forms=st.lists(FORM, max_size=3),
    overlays=st.lists(OVERLAY, max_size=3),
    text=TEXT,
    text_stats=STATS,
    network=NETWORK,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(FACTS, FACTS)
def test_hostile_facts_never_raise(desktop: PageFacts, phone: PageFacts) -> None:
    views = {ViewportName.DESKTOP: desktop, ViewportName.MOBILE: phone}
    result = measure(views, Pixels("an_1"), load())
    assert {one.id for one in result.rules} == {rule.id for rule in RULES}
    errors = [(one.id, one.detail) for one in result.rules if one.outcome is Outcome.ERROR]
    assert errors == []
    for finding in result.findings:
        assert all(
            not isinstance(evidence.value, float) or math.isfinite(evidence.value) for evidence in finding.evidence
        )


def test_a_rule_that_raises_is_an_error_and_the_others_go_on() -> None:
    def explode(_view: View, _limits: Limits) -> list[Verdict]:
        raise ZeroDivisionError

    broken = BY_ID["cta.above_fold"].__class__(**{**vars(BY_ID["cta.above_fold"]), "check": explode})
    with capture_logs() as logs:
        result = measure(both(button("Buy")), Pixels("an_1"), load(), [broken, BY_ID["cta.text_contrast"]])
    assert [one["event"] for one in logs] == ["rule_failed", "rule_failed"]
    assert [(one.id, one.outcome) for one in result.rules] == [
        ("cta.above_fold", Outcome.ERROR),
        ("cta.above_fold", Outcome.ERROR),
        ("cta.text_contrast", Outcome.PASS),
        ("cta.text_contrast", Outcome.PASS),
    ]
    assert result.rules[0].detail == "ZeroDivisionError"
    assert result.findings == ()


def test_ids_are_unique_and_every_rule_has_numbers() -> None:
    assert len(BY_ID) == len(RULES)
    assert set(load().rules) == set(BY_ID)
    assert len(RULES) == 40


def test_severities_name_only_known_keys() -> None:
    for name, numbers in load().rules.items():
        assert numbers.severity, name
        # What is indicative costs nothing, however it is shown; in a reserved slot it has severities of its own.
        shared = {numbers.severity[kind] for kind in ("fail", "warn") if kind in numbers.severity}
        assert shared == {Severity.INFO} or not BY_ID[name].indicative


def test_result_carries_value_thresholds_and_elements() -> None:
    views = view.build({ViewportName.MOBILE: page(button("Buy", height=30), phone=True)})
    (said,) = engine.run([BY_ID["cta.target_size"]], views, load())
    result = engine.result(said, load())
    assert (result.value, result.unit, result.threshold, result.element_ids) == (30, "px", [44, 24], ["e1"])
    assert result.reliability is Reliability.MEASURED


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.indicative], ids=lambda rule: rule.id)
def test_performance_is_indicative(rule: Rule) -> None:
    result = measure(both(button("Buy")), Pixels("an_1"), load(), [rule])
    assert {one.reliability for one in result.rules} == {Reliability.INDICATIVE}
    assert result.judged == frozenset()
