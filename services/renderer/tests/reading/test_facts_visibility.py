"""What a visitor sees of an element, and what lies over it."""

import pytest

from contracts.geometry import PHONE
from tests.fixtures.reading import HOME, Read

HIDDEN = {
    "visibility": '<p id="p" style="visibility:hidden">Text</p>',
    "opacity": '<div style="opacity:.3"><p id="p" style="opacity:.3">Text</p></div>',
    "tiny": '<p id="p" style="width:1px;height:1px;overflow:hidden">Text</p>',
    "clip": '<p id="p" style="position:absolute;clip:rect(0,0,0,0)">Text</p>',
    "left": '<p id="p" style="position:absolute;left:-2000px;width:200px">Text</p>',
    "top": '<p id="p" style="position:absolute;top:-2000px">Text</p>',
    "right": '<p id="p" style="position:absolute;left:3000px">Text</p>',
    "overflow": '<div style="height:0;overflow:hidden"><p id="p">Text</p></div>',
    "carousel": """<div style="width:300px;overflow:hidden;position:relative"><div style="width:900px">
        <p id="p" style="margin-left:400px;width:200px">Text</p></div></div>""",
}
SHOWN = {
    "plain": '<p id="p">Text</p>',
    "opacity": '<p id="p" style="opacity:.11">Text</p>',
    "back": '<div style="visibility:hidden"><p id="p" style="visibility:visible">Text</p></div>',
    "escapes": """<div style="height:0;overflow:hidden"><p id="p" style="position:absolute">Text</p></div>""",
    "fixed": '<div style="height:0;overflow:hidden"><p id="p" style="position:fixed;bottom:0">Text</p></div>',
    "below": '<div style="height:5000px"></div><p id="p">Text</p>',
}


@pytest.mark.parametrize("case", HIDDEN)
def test_hidden(read: Read, case: str) -> None:
    page = read(HIDDEN[case])
    assert not any(element.visible for element in page.facts.elements if element.selector == "#p")
    assert page.facts.text == ""
    assert page.facts.text_stats.hidden_characters == 4


@pytest.mark.parametrize("case", SHOWN)
def test_shown(read: Read, case: str) -> None:
    page = read(SHOWN[case])
    assert page.one("#p").visible
    assert page.facts.text == "Text"


def test_what_is_not_rendered_is_not_listed(read: Read) -> None:
    page = read("""<p style="display:none">Gone</p><details><summary>More</summary><p>Folded</p></details>
        <details open><summary>Less</summary><p>Unfolded</p></details><noscript>No</noscript><template>T</template>""")
    assert page.facts.text == "More\nLess\nUnfolded"
    assert page.facts.text_stats.hidden_characters == 4 + 6


COVERS = {
    "sheet": ('<div style="position:fixed;inset:0;background:rgba(0,0,0,.5)"></div>', True),
    "image": ('<img src="/x.svg" style="position:fixed;inset:0;width:100%;height:100%">', True),
    "transparent": ('<div style="position:fixed;inset:0"></div>', False),
    "beside": ('<div style="position:fixed;inset:50% 0 0 0;background:#000"></div>', False),
    "corner": ('<div style="position:fixed;left:0;top:0;width:60px;height:200px;background:#000"></div>', False),
    "own label": ("", False),
}


@pytest.mark.parametrize("case", COVERS)
def test_covered(read: Read, case: str) -> None:
    sheet, covered = COVERS[case]
    svg = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><rect width='9' height='9'/></svg>"
    page = read(
        f'<button id="b" style="width:300px;height:60px"><span>Buy now</span></button>{sheet}',
        files={HOME + "x.svg": ("image/svg+xml", svg)},
    )
    assert page.one("#b").covered is covered
    assert page.one("#b").visible


def test_nothing_below_the_first_screen_is_called_covered(read: Read) -> None:
    page = read("""<div style="height:2000px"></div><button id="b">Buy</button>
        <div style="position:fixed;inset:0;background:#000"></div>""")
    assert not page.one("#b").covered


def test_first_screen_is_the_share_of_the_area(read: Read) -> None:
    page = read("""<body style="margin:0"><p id="in" style="height:100px;margin:0">a</p><div style="height:750px"></div>
        <p id="half" style="height:100px;margin:0">b</p><p id="out" style="height:100px;margin:0">c</p>""")
    assert [page.one(f"#{name}").first_screen for name in ("in", "half", "out")] == [1.0, 0.5, 0.0]


def test_a_phone_zooms_out_of_a_page_without_viewport_tag(read: Read) -> None:
    page = read('<p id="p" style="position:absolute;top:1500px;height:100px">Text</p>', viewport=PHONE)
    assert page.facts.meta.viewport is None
    assert page.facts.scroll_width == 980
    assert page.one("#p").first_screen == 1.0


def test_a_phone_page_that_is_too_wide_says_so(read: Read) -> None:
    page = read(
        '<meta name="viewport" content="width=device-width,initial-scale=1"><div style="width:700px">wide</div>',
        viewport=PHONE,
    )
    assert page.facts.scroll_width > 391
    assert page.facts.meta.viewport == "width=device-width,initial-scale=1"


def test_the_scrolling_box_of_an_app_is_the_page(read: Read) -> None:
    page = read("""<body style="margin:0;overflow:hidden"><div style="height:100vh;overflow:auto"><h1>Top</h1>
        <div style="height:3000px"></div><p id="p">Below</p></div>""")
    assert page.one("#p").visible
    assert page.facts.page_height > 3000
    assert "inner_scroller" in page.facts.truncated


def test_right_to_left_pages_keep_boxes_and_direction(read: Read) -> None:
    page = read("""<html lang="ar" dir="rtl"><body style="margin:0"><p id="p" style="width:300px;margin:0">مرحبا
        بالعالم</p><p style="position:absolute;left:-3000px">far</p>""")
    assert page.facts.direction == "rtl"
    assert page.facts.language == "ar"
    assert page.one("#p").box.x == 1140
    assert page.facts.text == "مرحبا بالعالم"
