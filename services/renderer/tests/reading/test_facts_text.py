"""Visible text and what is counted in it."""

import pytest

from contracts.geometry import PHONE
from tests.fixtures.reading import Read


def test_text_is_in_reading_order_with_a_line_for_each_block(read: Read) -> None:
    page = read("""<h1>One  <b>two</b></h1><p>three<br>four <a href="/">five</a>.</p><ul><li>six<li>seven</ul>
        <table><tr><td>eight<td>nine</table><script>var no = 1</script><style>.no{}</style><textarea>no</textarea>""")
    assert page.facts.text == "One two\nthree\nfour five.\nsix\nseven\neight\nnine"


STAR = '<i class="{}" style="display:inline-block;width:16px;height:16px;background:gold"></i>'


@pytest.mark.parametrize(
    ("icons", "rows"),
    [
        (["bi-star-fill"] * 5, 1),
        (["fa fa-star", "fa fa-star", "fa fa-star-half"], 1),
        (["bi-star"] * 2, 0),
        (["start"] * 5, 0),
        (["icon-starter"] * 5, 0),
        (["star"] * 11, 0),
    ],
)
def test_stars_in_a_row_are_a_rating(read: Read, icons: list[str], rows: int) -> None:
    row = "".join(STAR.format(icon) for icon in icons)
    assert read(f"<div>{row}</div><p>{STAR.format('star')}</p>").facts.star_rows == rows


def test_counts(read: Read) -> None:
    page = read("""<p style="font-size:11px">tiny</p><p style="font-size:12px">fine</p>
        <p style="color:#999">pale text</p><p style="color:#888;font-size:24px">large</p>
        <p style="display:none">hidden</p><p><a href="/">two words</a></p>""")
    stats = page.facts.text_stats
    assert stats.characters == 4 + 4 + 9 + 5 + 9
    assert stats.characters_below_12px == 4
    assert stats.characters_failing_aa == 9
    assert stats.hidden_characters == 6
    assert stats.words == 1 + 1 + 2 + 1 + 2
    assert stats.words_in_links == 2


@pytest.mark.parametrize(
    ("css", "failing"),
    [
        ("color:#949494;font-size:24px", 0),
        ("color:#949494;font-size:23px", 5),
        ("color:#949494;font-size:18.7px;font-weight:700", 0),
        ("color:#949494;font-size:18px;font-weight:700", 5),
    ],
)
def test_large_text_needs_less_contrast(read: Read, css: str, failing: int) -> None:
    assert read(f'<p style="{css}">Words</p>').facts.text_stats.characters_failing_aa == failing


def test_disabled_controls_need_no_contrast(read: Read) -> None:
    page = read('<button disabled style="color:#aaa;background:#fff">Send</button>')
    assert page.facts.text_stats.characters_failing_aa == 0


def test_words_on_the_first_screen(read: Read) -> None:
    page = read("""<body style="margin:0"><p>one two three</p><div style="height:730px"></div>
        <p style="font:20px/100px monospace;margin:0">four<br>five<br>six<br>seven</p>""")
    assert page.facts.text_stats.words == 7
    assert page.facts.text_stats.words_first_screen == 4


def test_words_of_a_paragraph_across_the_fold_are_shared(read: Read) -> None:
    words = "word " * 100
    page = read(
        f'<body style="margin:0"><p style="position:absolute;top:800px;width:300px;font:16px/50px serif">{words}'
    )
    assert 0 < page.facts.text_stats.words_first_screen < 50


def test_body_font_is_that_of_running_text(read: Read) -> None:
    page = read(
        """<meta name="viewport" content="width=device-width"><h1 style="font-size:50px">A headline of some length</h1>
        <p style="font-size:15px">Running text that is long enough to count as such, twice over.</p>
        <nav><a href="/" style="font-size:30px">A menu entry with many words in it</a></nav>""",
        viewport=PHONE,
    )
    assert page.facts.text_stats.body_font_px_median == 15


def test_words_of_languages_without_spaces(read: Read) -> None:
    assert read("<p>無料で始める方法をご覧ください</p>").facts.text_stats.words == 8


def test_text_of_zero_size_or_far_indent_is_hidden(read: Read) -> None:
    page = read('<p style="font-size:0">zero</p><p style="text-indent:-9999px;overflow:hidden">logo</p><p>seen</p>')
    assert page.facts.text == "seen"
    assert page.facts.text_stats.hidden_characters == 8
