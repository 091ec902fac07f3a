"""Colours, fonts and lines: what the table says against what is painted."""

import pytest

from tests.fixtures.reading import HOME, Read

PIXEL = "<svg xmlns='http://www.w3.org/2000/svg' width='900' height='900'><rect width='900' height='900'/></svg>"
PHOTO = {HOME + "photo.svg": ("image/svg+xml", PIXEL)}


def alike(one: str, other: str) -> bool:
    # Chromium rounds each layer; we round once.
    pairs = [(int(one[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5)]
    return all(abs(first - second) <= 2 for first, second in pairs)


def test_text_over_translucent_boxes_is_blended(read: Read) -> None:
    page = read("""<body style="margin:0;background:#ffffff"><div style="background:rgba(0,0,255,.5)">
        <div style="background:rgba(255,0,0,.5);padding:20px"><p id="p" style="color:rgba(0,0,0,.5)">Words here</p>""")
    style = page.one("#p").style
    assert style is not None
    assert alike(style.background, page.colour_at(5, 5))
    assert alike(style.color, "#602040")
    assert style.contrast == pytest.approx(2.37, abs=0.05)


def test_group_opacity_fades_text_and_ground_alike(read: Read) -> None:
    page = read("""<body style="margin:0"><button id="b" style="background:#0000ff;color:#ffffff;border:0;opacity:.65;
        width:200px;height:60px">Go on</button>""")
    style = page.one("#b").style
    assert style is not None
    assert style.color == "#ffffff"
    assert alike(style.background, page.colour_at(4, 4))
    assert alike(style.background, "#5959ff")


@pytest.mark.parametrize(
    ("colour", "contrast"), [("#777777", 4.47), ("#767676", 4.54), ("#ffffff", 1.0), ("#000000", 21.0)]
)
def test_contrast_follows_wcag(read: Read, colour: str, contrast: float) -> None:
    style = read(f'<p id="p" style="color:{colour};background:#fff">Some text</p>').one("#p").style
    assert style is not None
    assert style.contrast == contrast


def test_a_paragraph_has_the_colour_of_most_of_its_text(read: Read) -> None:
    page = read("""<p id="p" style="color:#222222"><a href="/" style="color:#bbbbbb">Install it</a>, then run the
        program once and look.</p><button id="b"><b style="color:#0000ff">Buy</b> now, pay later</button>""")
    colours = {name: style.color for name in ("p", "b") if (style := page.one(f"#{name}").style)}
    assert colours == {"p": "#222222", "b": "#0000ff"}


def test_modern_colours_are_converted(read: Read) -> None:
    style = (
        read('<p id="p" style="color:oklch(0.628 0.2577 29.23);background:color(srgb 1 1 1)">Red</p>').one("#p").style
    )
    assert style is not None
    assert style.color in {"#ff0000", "#fe0000"}
    assert style.background == "#ffffff"


HEROES = {
    "background": '<div style="background:url(/photo.svg) center/cover;padding:90px"><h1 id="h">Title</h1></div>',
    "pseudo": """<style>.hero{position:relative;padding:90px} .hero::before{content:"";position:absolute;inset:0;
        background:url(/photo.svg) center/cover;z-index:-1}</style><div class="hero"><h1 id="h">Title</h1></div>""",
    "sibling": """<div style="position:relative;height:400px"><img src="/photo.svg" style="position:absolute;inset:0;
        width:100%;height:100%;object-fit:cover" alt=""><h1 id="h" style="position:relative">Title</h1></div>""",
    "veiled": """<div style="position:relative;height:400px"><img src="/photo.svg" style="position:absolute;inset:0;
        width:100%;height:100%" alt=""><div style="position:absolute;inset:0;background:rgba(0,0,0,.4)"></div>
        <h1 id="h" style="position:relative">Title</h1></div>""",
}


@pytest.mark.parametrize("hero", HEROES)
def test_text_on_a_photo_has_no_known_contrast(read: Read, hero: str) -> None:
    page = read(f'<body style="margin:0">{HEROES[hero]}', files=PHOTO)
    style = page.one("#h").style
    assert style is not None
    assert style.background_is_image
    assert style.contrast is None
    assert page.facts.text_stats.characters_on_image == 5
    assert page.facts.text_stats.characters_failing_aa == 0


def test_an_opaque_card_on_a_photo_has_a_colour_again(read: Read) -> None:
    page = read(
        """<div style="background:url(/photo.svg) center/cover;padding:90px"><div style="background:#fff">
        <p id="p" style="color:#000">Words</p></div></div>""",
        files=PHOTO,
    )
    style = page.one("#p").style
    assert style is not None
    assert not style.background_is_image
    assert style.contrast == 21.0


def test_a_gradient_counts_as_an_image_of_estimated_colour(read: Read) -> None:
    style = (
        read('<p id="p" style="background:linear-gradient(#000000,#202020);color:#fff;padding:40px">Words</p>')
        .one("#p")
        .style
    )
    assert style is not None
    assert style.background_is_image
    assert style.background == "#101010"
    assert style.contrast is not None
    assert style.contrast > 18


def test_a_shaded_sheet_below_the_text_is_estimated_too(read: Read) -> None:
    page = read("""<div style="position:relative;height:400px"><div style="position:absolute;inset:0;
        background:linear-gradient(#000000,#202020)"></div>
        <h1 id="h" style="position:relative;color:#fff">Title</h1>""")
    style = page.one("#h").style
    assert style is not None
    assert style.background_is_image
    assert style.background == "#101010"
    assert style.contrast is not None


def test_a_see_through_bar_stands_on_what_lies_below(read: Read) -> None:
    page = read("""<body style="margin:0"><nav style="position:fixed;top:0;width:100%"><a id="a" href="/x"
        style="color:#fff">Prices</a></nav><div style="background:#222222;height:600px"></div>""")
    style = page.one("#a").style
    assert style is not None
    assert style.background == "#222222"
    assert style.contrast is not None
    assert style.contrast > 15


def test_small_background_images_are_icons(read: Read) -> None:
    style = (
        read(
            """<select id="s" style="background:#fff url(/photo.svg) no-repeat right/16px 12px;width:300px;height:40px">
        <option>One</option></select>""",
            files=PHOTO,
        )
        .one("#s")
        .style
    )
    assert style is not None
    assert not style.background_is_image


@pytest.mark.parametrize(
    ("css", "filled", "border"),
    [
        ("background:#0055ff;color:#fff", True, 0),
        ("background:#ffffff", False, 0),
        ("background:transparent;border:2px solid #0055ff", False, 2),
        ("background:linear-gradient(#05f,#03a)", True, 0),
    ],
)
def test_filled_means_a_ground_of_its_own(read: Read, css: str, border: float, filled: bool) -> None:  # noqa: FBT001  # a parameter of the case
    style = read(f'<a id="a" href="/x" style="display:inline-block;padding:10px 20px;{css}">Start</a>').one("#a").style
    assert style is not None
    assert style.filled is filled
    assert style.surround == "#ffffff"
    assert style.border_px == border
    assert style.border_color == ("#0055ff" if border else "")
    assert style.padding_px == 20


def test_a_button_inside_a_link_is_the_links_fill(read: Read) -> None:
    style = (
        read("""<a id="a" href="/x" style="display:inline-block"><span style="display:block;background:#0055ff;
        color:#fff;padding:10px 20px">Start</span></a>""")
        .one("#a")
        .style
    )
    assert style is not None
    assert style.filled
    assert (style.background, style.color) == ("#0055ff", "#ffffff")


def test_centred_text_in_a_fixed_width_counts_as_padding(read: Read) -> None:
    style = (
        read("""<a id="a" href="/x" style="display:flex;width:300px;height:50px;align-items:center;
        justify-content:center;background:#05f">Go</a>""")
        .one("#a")
        .style
    )
    assert style is not None
    assert style.padding_px > 100


def test_lines_are_counted_as_rendered(read: Read) -> None:
    page = read("""<p id="one" style="width:900px">Short <b>line</b> with <a href="/x">link</a>.</p>
        <p id="three" style="font:16px/24px monospace">first line<br>second<br>third</p>""")
    assert page.one("#one").lines == 1
    assert page.one("#three").lines == 3
    assert page.one("#three").style is not None
    assert page.one("#three").style.line_height_px == 24  # type: ignore[union-attr]  # asserted above


def test_boxes_are_where_the_pixels_are(read: Read) -> None:
    page = read("""<body style="margin:0"><div style="height:1300px"></div><button id="b" style="margin-left:37px;
        width:211px;height:53px;background:#123456;border:0"> </button><div style="height:900px"></div>""")
    box = page.one("#b").box
    assert (box.x, box.width, box.height) == (37, 211, 53)
    inside = [(box.x, box.y), (box.x + box.width - 1, box.y + box.height - 1)]
    outside = [(box.x - 1, box.y), (box.x, box.y - 1), (box.x + box.width, box.y), (box.x, box.y + box.height)]
    assert {page.colour_at(*point) for point in inside} == {"#123456"}
    assert {page.colour_at(*point) for point in outside} == {"#ffffff"}
