"""Pages that fight back, and answers that were never written by our script."""

import json
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ErrorCode
from contracts.facts import Network
from contracts.geometry import DESKTOP, PHONE
from renderer import facts, sections
from runtime.errors import ServiceError
from tests.fixtures.reading import Read

SABOTAGE = """() => {
    JSON.stringify = () => '{"version":1}';
    Element.prototype.getBoundingClientRect = () => { throw new Error('no'); };
    Element.prototype.getAttribute = () => 'forged';
    window.getComputedStyle = () => ({display: 'none'});
    Object.defineProperty(Node.prototype, 'textContent', {get() { throw new Error('no'); }});
    performance.now = () => 1e12;
    document.elementFromPoint = () => null;
    globalThis.croObserved = {largest: 1, shift: 99, tasks: []};
}"""


def test_the_pages_own_world_cannot_reach_the_reader(read: Read) -> None:
    page = read('<h1 id="h" title="own">Title</h1><button id="b">Buy</button>', before=SABOTAGE)
    assert page.one("#h").text == "Title"
    assert page.one("#b").box.width > 10
    assert page.facts.performance.cumulative_layout_shift == 0


def test_clobbered_names_do_not_matter(read: Read) -> None:
    page = read("""<img name="body"><img name="documentElement"><img name="elementFromPoint"><form
        id="f" action="/real">
        <input name="action"><input name="id"><input name="parentNode"><input name="children"><input name="tagName">
        <input name="getAttribute"><input name="getBoundingClientRect"><input name="nodeType"><input name="firstChild">
        <input name="attributes"><input name="localName"><input name="shadowRoot"><button>Send</button></form>""")
    assert page.one("#f").tag == "form"
    assert page.facts.forms[0].action == "http://page.test/real"
    assert "failed_reads" not in page.facts.truncated
    assert len([element for element in page.facts.elements if element.field]) == 12


def test_huge_attributes_and_texts_are_cut(read: Read) -> None:
    page = read(
        '<h1 id="h">Title</h1>',
        pixels=False,
        before="""() => { const big = 'x'.repeat(5e6); const h = document.querySelector('h1');
            h.className = big; h.title = big; h.setAttribute('aria-label', big);
            const p = document.createElement('p'); p.textContent = 'word '.repeat(1e6); document.body.append(p);
            const a = document.createElement('a'); a.href = '/' + big; a.textContent = 'Go';
            document.body.append(a); }""",
    )
    assert len(page.raw) < 1_000_000
    assert len(page.one("#h").name) == 200
    assert len(page.facts.text) <= 200_000


def test_control_and_direction_characters_are_dropped(read: Read) -> None:
    page = read(
        "<p id='p'></p>",
        before=r"() => { document.querySelector('p').textContent = 'pay\u202e evil\u200b\u0007\u2066now\u{e0041}'; }",
    )
    assert page.one("#p").text == "pay evilnow"
    assert page.facts.text == "pay evilnow"


def test_an_svg_document_is_no_reason_to_fail(read: Read) -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100"><text y="20">Drawn</text></svg>'
    page = read(url="http://page.test/x.svg", files={"http://page.test/x.svg": ("image/svg+xml", svg)}, pixels=False)
    assert page.facts.url == "http://page.test/x.svg"


@pytest.mark.parametrize(
    "raw", ["", "nothing", "[]", "null", "{}", '{"version":2}', "[" * 100_000, '"text"', "x" * 17_000_000]
)
def test_no_answer_is_an_error(raw: str) -> None:
    for work in (lambda: facts.parse(raw, DESKTOP, Network()), lambda: sections.split(raw, DESKTOP)):
        with pytest.raises(ServiceError) as caught:
            work()
        assert caught.value.code == ErrorCode.PAGE_UNSTABLE


def test_wrong_entries_are_left_out_and_counted() -> None:
    row = {"n": 1, "tag": "a", "box": [0, 0, 10, 10], "visible": True, "selector": "a"}
    wrong = [{}, {**row, "n": 0}, {**row, "box": [1, 2]}, {**row, "tag": 3}, {**row, "box": [0, 0, "a", 1]}]
    raw = json.dumps({"version": 1, "elements": [*wrong, row], "forms": [{}, {"element": 1, "method": "PUT"}]})
    page = facts.parse(raw, DESKTOP, Network())
    assert [element.id for element in page.elements] == ["e1"]
    assert page.truncated == ["forms_dropped_1", "elements_dropped_5"]
    assert page.forms[0].method == "get"


def test_form_numbers_follow_the_forms_that_were_kept() -> None:
    field = {"type": "text", "form": 1}
    row = {"n": 1, "tag": "input", "box": [0, 0, 10, 10], "field": field}
    page = facts.parse(json.dumps({"version": 1, "elements": [row], "forms": [{}, {"element": 1}]}), DESKTOP, Network())
    assert page.elements[0].field is not None
    assert page.elements[0].field.form == 0


def test_numbers_beyond_all_reason_are_clamped() -> None:
    raw = '{"version":1,"page_height":1e999,"scroll_width":NaN,"text_stats":{"words":-5,"characters":1e300},'
    raw += '"elements":[{"n":1,"tag":"p","box":[-1e300,0,1e300,1e300],"style":{"contrast":4.4999,"font_px":1e99}}]}'
    page = facts.parse(raw, DESKTOP, Network())
    assert page.scroll_width == 0
    assert page.text_stats.words == 0
    assert page.elements[0].style is not None
    assert page.elements[0].style.contrast == 4.49
    assert page.model_validate_json(page.model_dump_json()) == page


def test_lone_surrogates_cannot_break_what_is_stored() -> None:
    page = facts.parse('{"version":1,"text":"a\\ud800b","meta":{"title":"\\udfff"}}', DESKTOP, Network())
    assert page.text == "ab"
    assert page.model_dump_json().encode()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=20,
)
KEYS = [
    "elements",
    "forms",
    "overlays",
    "meta",
    "text",
    "text_stats",
    "performance",
    "blocks",
    "repeats",
    "solids",
    "view",
]
ROW_KEYS = [
    "n",
    "tag",
    "box",
    "style",
    "link",
    "field",
    "picture",
    "element",
    "kind",
    "parent",
    "heading_level",
    "step",
]


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from([*KEYS, "page_height", "document_height", "truncated"]), VALUES),
    st.dictionaries(st.sampled_from(ROW_KEYS), VALUES),
)
def test_no_answer_breaks_the_parser(page: dict[str, object], row: dict[str, object]) -> None:
    rows = {
        key: [{"n": 1, "tag": "p", "box": [0, 0, 1440, 900], **row}]
        for key in ("elements", "forms", "overlays", "blocks")
    }
    for document in (page, {**page, **rows}):
        raw = json.dumps(cast("object", {**document, "version": 1}))
        for viewport in (DESKTOP, PHONE):
            assert facts.parse(raw, viewport, Network()).viewport == viewport
            found = sections.split(raw, viewport)
            assert len(found) <= 12
            assert len({section.id for section in found}) == len(found)
