"""Sections: whole, uncut, few, and the same again next week."""

from itertools import pairwise

import pytest

from contracts.geometry import DESKTOP, PHONE, Viewport
from contracts.render import Section
from renderer import bands, sections
from renderer import raw as values
from renderer.bands import Solids
from tests.fixtures.pages import Pages
from tests.fixtures.reading import Read, Reader, Reading

META = '<meta name="viewport" content="width=device-width,initial-scale=1">'
CARD = """<div class="card" style="width:30%;height:400px;margin:10px;float:left;background:#eee"><h3>Card</h3>
    <p>Text</p></div>"""
LOREM = "Lorem ipsum dolor sit amet consectetur adipiscing elit. " * 6


def split(page: Reading, viewport: Viewport = DESKTOP) -> list[Section]:
    return sections.split(page.raw, viewport)


def spans(found: list[Section]) -> list[tuple[int, int]]:
    return [(round(section.box.y), round(section.box.y + section.box.height)) for section in found]


def section(heading: str, height: int = 500, name: str = "", more: str = "") -> str:
    return f'<section class="{name}" style="height:{height}px"><h2>{heading}</h2><p>{LOREM}</p>{more}</section>'


def body(*parts: str) -> str:
    return f"{META}<style>*{{margin:0}}</style><body>{''.join(parts)}"


def test_parts_of_a_page_are_its_sections(read: Read) -> None:
    page = read(
        body(
            '<header style="height:80px">Shop</header>',
            "<main>",
            section("One", 600),
            section("Two"),
            "</main>",
            '<footer style="height:300px;background:#222">End</footer>',
        )
    )
    found = split(page)
    assert spans(found) == [(0, 680), (680, 1180), (1180, 1480)]
    assert [part.heading for part in found] == ["One", "Two", ""]
    assert [part.kind for part in found] == ["hero", "other", "footer"]
    assert {part.box.width for part in found} == {1440}


def test_wrappers_do_not_hide_sections(read: Read) -> None:
    inner = section("One", 600) + section("Two") + section("Three")
    page = read(body(f'<div id="root"><div class="app"><div><main><div>{inner}</div></main></div></div></div>'))
    assert spans(split(page)) == [(0, 600), (600, 1100), (1100, 1600)]


def test_boxes_without_semantics_are_split_by_their_headings(read: Read) -> None:
    parts = "".join(
        f'<div class="{name}" style="height:700px"><h2>{name}</h2>{LOREM}</div>' for name in ("a", "b", "c")
    )
    assert spans(split(read(body(f"<div>{parts}</div>")))) == [(0, 700), (700, 1400), (1400, 2100)]


def test_low_parts_join_the_neighbour_of_their_colour(read: Read) -> None:
    page = read(
        body(
            '<div style="height:500px;background:#fff"><h2>One</h2></div>',
            '<div style="height:100px;background:#eee">Strip</div>',
            '<div style="height:500px;background:#eee"><h2>Two</h2></div>',
            '<div style="height:500px;background:#fff"><h2>Three</h2></div>',
        )
    )
    assert spans(split(page)) == [(0, 500), (500, 1100), (1100, 1600)]


def test_tall_parts_are_cut_between_lines(read: Read) -> None:
    text = "".join(f'<p style="margin:0 0 30px">{LOREM * 3}</p>' for _ in range(30))
    page = read(body(f"<article><h1>Long</h1>{text}</article>"))
    found = split(page)
    assert len(found) > 1
    assert all(part.box.height <= 1_900 for part in found)
    solids = Solids.of(values.load(page.raw))
    assert all(solids.across(part.box.y) is None for part in found)
    assert spans(found)[0][0] == 0
    assert spans(found)[-1][1] == page.facts.page_height


def test_a_wall_without_a_gap_is_cut_with_overlap(read: Read) -> None:
    found = spans(split(read(body('<div style="font-size:18px;line-height:18px">' + "word<br>" * 300 + "</div>"))))
    assert all(bottom - top <= 1_900 for top, bottom in found)
    assert all(second[0] <= first[1] for first, second in pairwise(found))


def test_repeated_rows_are_sampled(read: Read) -> None:
    page = read(
        body(section("Intro", 600), f'<section style="overflow:auto"><h2>Shop</h2><div>{CARD * 18}</div></section>')
    )
    [_, shop] = split(page)
    assert shop.sampled == "6 of 18"
    assert shop.box.height < 1_000


def test_few_rows_are_shown_whole(read: Read) -> None:
    page = read(
        body(section("Intro", 600), f'<section style="overflow:auto"><h2>Shop</h2><div>{CARD * 9}</div></section>')
    )
    [_, shop] = split(page)
    assert shop.sampled == ""
    assert shop.box.height > 1_200


def test_a_fixed_banner_is_no_section(read: Read) -> None:
    page = read(
        body(
            section("One", 700),
            section("Two", 700),
            '<div style="position:fixed;bottom:0;width:100%;height:300px;background:#000">We use cookies</div>',
        )
    )
    assert spans(split(page)) == [(0, 700), (700, 1400)]


def test_a_header_over_the_hero_is_part_of_it(read: Read) -> None:
    page = read(
        body(
            '<header style="position:absolute;width:100%;height:90px">Shop</header>',
            section("One", 700),
            section("Two"),
        )
    )
    assert spans(split(page)) == [(0, 700), (700, 1200)]


@pytest.mark.parametrize(
    ("html", "kind"),
    [
        (section("Contact", more='<form><input name="a"><input name="b"><textarea></textarea></form>'), "form"),
        (section("Plans", name="pricing"), "pricing"),
        (section("Pick one", more="<p>$ 9</p><p>$ 19</p><p>$ 49</p>"), "pricing"),
        (section("Boots", more="".join(f"<p>€ {number}9</p>" for number in range(12))), "product"),
        (section("Häufige Fragen"), "faq"),
        (section("Help", more="<h3>Why?</h3><h3>How?</h3><h3>When?</h3>"), "faq"),
        (section("Was Kunden sagen", name="kundenstimmen"), "testimonials"),
        (section("Loved", more="<blockquote>It is good</blockquote>"), "testimonials"),
        (section("What we do", name="features"), "features"),
        (section("Something else"), "other"),
    ],
)
def test_kinds(read: Read, html: str, kind: str) -> None:
    page = read(body(section("Hero", 700), html, section("Last")))
    assert split(page)[1].kind == kind


def test_logos(read: Read) -> None:
    svg = "<svg xmlns='http://www.w3.org/2000/svg' width='100' height='40'><rect width='100' height='40'/></svg>"
    logos = '<img src="/l.svg" width="100" height="40" alt="Logo">' * 5
    page = read(
        body(section("Hero", 700), f'<section style="height:250px"><p>They use it</p>{logos}</section>', section("Z")),
        files={"http://page.test/l.svg": ("image/svg+xml", svg)},
    )
    assert split(page)[1].kind == "logos"


def test_the_budget_keeps_what_decides_and_the_order_of_the_page(read: Read) -> None:
    parts = [section(f"Part {number}", 400) for number in range(20)]
    page = read(body(*parts, section("Kontakt", more='<form><input type="email"><input></form>')))
    found = split(page)
    assert len(found) == 12
    assert [found[0].kind, found[-1].kind] == ["hero", "form"]
    assert spans(found) == sorted(spans(found))
    assert len(split(page, PHONE)) == 6


def test_ids_survive_other_texts_and_new_neighbours(read: Read) -> None:
    first = split(read(body(section("One", 700), section("Two"), section("Three"))))
    later = split(read(body(section("One", 720), section("New"), section("Two", 550), section("Three"))))
    assert {part.id for part in first} < {part.id for part in later}
    assert len({part.id for part in later}) == 4


def test_twins_have_ids_of_their_own(read: Read) -> None:
    found = split(read(body(section("One", 700), section("Same"), section("Same"))))
    assert len({part.id for part in found}) == 3


def test_an_empty_page_has_no_more_than_one_section(read: Read) -> None:
    assert len(split(read(""))) <= 1


def test_a_page_beyond_the_capture_limit_ends_there(read: Read) -> None:
    found = split(read(body(*[section(f"Part {number}", 1_500) for number in range(30)])))
    assert max(bottom for _, bottom in spans(found)) <= 16_000


@pytest.mark.parametrize("name", ["agency", "creative", "freelancer", "grayscale", "landing-page", "new-age"])
def test_real_pages(reader: Reader, pages: Pages, name: str) -> None:
    for viewport, most in ((DESKTOP, 12), (PHONE, 6)):
        page = reader.read(url=pages.urls[name], viewport=viewport)
        found = split(page, viewport)
        assert 4 <= len(found) <= most
        assert found[0].kind == "hero"
        assert found[0].box.y == 0
        assert all(120 <= part.box.height <= 1_900 for part in found)
        assert all(part.box.width == viewport.width for part in found)
        solids = Solids.of(values.load(page.raw))
        assert all(solids.across(part.box.y) is None for part in found)
        if viewport == DESKTOP:
            assert spans(found)[-1][1] == round(page.facts.page_height)
            assert all(first[1] == second[0] for first, second in pairwise(spans(found)))


def test_the_same_section_has_the_same_id_on_both_screens(reader: Reader, pages: Pages) -> None:
    ids = [
        {part.id for part in split(reader.read(url=pages.urls["creative"], viewport=screen), screen)}
        for screen in (DESKTOP, PHONE)
    ]
    assert len(ids[0] & ids[1]) >= 4


def drawn(*spans: tuple[float, float]) -> list[tuple[float, float]]:
    """Return what is plain when `spans` are drawn on a page of 3,000 px."""
    ends = [0.0, *(end for span in spans for end in span), 3_000.0]
    return list(zip(ends[::2], ends[1::2], strict=True))


def test_a_cut_moves_off_a_drawing_that_the_document_does_not_tell(read: Read) -> None:
    page = read(body(section("One", 700), section("Two", 700), section("Three", 700)))
    wave = drawn((680, 730))
    assert [box[0] for box in spans(sections.split(page.raw, DESKTOP, wave))] == [0, 676, 1_400]
    far = drawn((500, 900))
    assert [box[0] for box in spans(sections.split(page.raw, DESKTOP, far))] == [0, 700, 1_400]


def test_a_drawing_without_end_is_cut_where_nothing_is_drawn(read: Read) -> None:
    page = read(body('<div><canvas width="1400" height="3000" style="display:block"></canvas></div>'))
    found = spans(sections.split(page.raw, DESKTOP, drawn((0, 1_100), (1_200, 3_000))))
    assert found[0] == (0, 1_150)
    assert all(bottom - top <= 1_900 for top, bottom in found)


def test_tall_parts_are_not_cut_through_cards(read: Read) -> None:
    cell = "width:45%;height:700px;margin:0 10px;float:left;background:#eee"
    # Each card is different, and none has a gap to the next.
    cards = "".join(
        f'<div class="card" style="{cell}"><h3>C{n}</h3><p>Text</p><div style="height:300px"></div><p>End</p></div>'
        for n in range(8)
    )
    page = read(
        body(section("Intro", 600), f'<section style="overflow:auto"><h2>Cards</h2><div>{cards}</div></section>')
    )
    tops = [top for top, _ in spans(split(page))]
    edges = {round(box.y) for group in bands.repeats(values.load(page.raw)) for box in group}
    assert all(any(abs(top - edge) <= 2 for edge in edges) or top in {0, 600} for top in tops)


def test_boxes_without_names_are_split_by_their_colours(read: Read) -> None:
    parts = "".join(
        f'<div style="height:500px;background:{shade}">{LOREM}</div>' for shade in ("#fff", "#123456", "#fff")
    )
    assert spans(split(read(body(f"<div>{parts}</div>")))) == [(0, 500), (500, 1000), (1000, 1500)]


def test_numbers_that_change_daily_do_not_change_an_id(read: Read) -> None:
    days = [
        split(
            read(body(section("Hero"), section(f"{count} offers until {date}"), section("Step 1"), section("Step 2")))
        )
        for count, date in ((12, "24.12."), (987, "31.12."))
    ]
    ids = [[part.id for part in day] for day in days]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 4


@pytest.mark.parametrize("name", ["agency", "creative", "freelancer", "grayscale", "landing-page", "new-age"])
def test_ids_survive_a_reload_and_small_changes(reader: Reader, pages: Pages, name: str) -> None:
    first = split(reader.read(url=pages.urls[name]))
    change = "document.querySelectorAll('p').forEach((p, n) => { if (n % 2) p.textContent += ' And some more words.' })"
    later = split(reader.read(url=pages.urls[name], before=change))
    again = split(reader.read(url=pages.urls[name]))
    assert [part.id for part in first] == [part.id for part in again]
    assert [part.id for part in first] == [part.id for part in later]


def test_tall_parts_are_cut_between_their_rows(read: Read) -> None:
    # Between a photograph and its words there is more room than between the rows.
    photo = '<svg width="1400" height="560" style="display:block;margin-bottom:60px"><rect width="9" height="9"/></svg>'
    rows = "".join(f'<div class="row" style="height:700px">{photo}<p>{LOREM}</p></div>' for _ in range(3))
    page = read(body(section("Hero", 700), f"<section>{rows}</section>", section("Last")))
    assert [top for top, _ in spans(split(page))] == [0, 700, 2_100, 2_800]
