"""The element table: names, roles, links, fields, pictures, landmarks, selectors."""

import pytest

from contracts.facts import LabelSource, LinkKind
from tests.fixtures.reading import HOME, Read

SVG = "<svg xmlns='http://www.w3.org/2000/svg' width='400' height='300'><rect width='9' height='9'/></svg>"

NAMED = {
    "text": '<button id="x">Buy <b>now</b></button>',
    "aria-label": '<button id="x" aria-label="Buy now">+</button>',
    "aria-labelledby": '<span id="a">Buy</span><span id="b">now</span><button id="x" aria-labelledby="a b">+</button>',
    "alt": '<a id="x" href="/"><img src="/x.svg" alt="Buy now"></a>',
    "svg": '<a id="x" href="/"><svg width="20" height="20"><title>Buy now</title></svg></a>',
    "inner label": '<a id="x" href="/"><i aria-label="Buy now"></i></a>',
    "hidden text": """<a id="x" href="/"><span style="position:absolute;width:1px;height:1px;overflow:hidden">Buy now
        </span><svg width="20" height="20"></svg></a>""",
    "title": '<a id="x" href="/" title="Buy now"><svg width="20" height="20"></svg></a>',
    "value": '<input id="x" type="submit" value="Buy now">',
    "label for": '<label for="x">Buy now</label><input id="x">',
    "label around": '<label>Buy now <select id="x"><option>Never this</option></select></label>',
    "placeholder": '<input id="x" placeholder="Buy now">',
    "not the icon": '<button id="x"><span aria-hidden="true">→</span>Buy now</button>',
}


@pytest.mark.parametrize("case", NAMED)
def test_names(read: Read, case: str) -> None:
    assert read(NAMED[case], files={HOME + "x.svg": ("image/svg+xml", SVG)}).one("#x").name == "Buy now"


def test_an_icon_without_name_has_none(read: Read) -> None:
    link = read('<a id="x" href="/"><svg width="20" height="20"></svg></a>').one("#x")
    assert (link.name, link.role, link.clickable) == ("", "link", True)


@pytest.mark.parametrize(
    ("html", "role", "level"),
    [
        ('<h2 id="x">A</h2>', "heading", 2),
        ('<div id="x" role="heading" aria-level="3">A</div>', "heading", 3),
        ('<div id="x" role="button">A</div>', "button", 0),
        ('<input id="x" type="search">', "searchbox", 0),
        ('<input id="x" type="nonsense">', "textbox", 0),
        ('<nav id="x"><a href="/">A</a></nav>', "navigation", 0),
        ('<article><header id="x">A</header></article>', "", 0),
        ('<footer id="x">A</footer>', "contentinfo", 0),
        ('<p id="x">A word</p>', "paragraph", 0),
    ],
)
def test_roles(read: Read, html: str, role: str, level: int) -> None:
    found = read(html).one("#x")
    assert (found.role, found.heading_level) == (role, level)


@pytest.mark.parametrize(
    ("attributes", "kind", "exists", "handled"),
    [
        ('href="/buy"', LinkKind.INTERNAL, True, False),
        ('href="http://www.page.test/buy"', LinkKind.INTERNAL, True, False),
        ('href="http://other.test/"', LinkKind.EXTERNAL, True, False),
        ('href="#there"', LinkKind.ANCHOR, True, False),
        ('href="#missing"', LinkKind.ANCHOR, False, False),
        ('href="#"', LinkKind.ANCHOR, True, False),
        ('href="#" onclick="go()"', LinkKind.ANCHOR, True, True),
        ('href="#!" data-bs-toggle="modal"', LinkKind.ANCHOR, False, True),
        ('href=""', LinkKind.EMPTY, True, False),
        ('class="btn" style="cursor:pointer"', LinkKind.EMPTY, True, False),
        ('style="background:#05f"', LinkKind.EMPTY, True, False),
        ('href="javascript:void(0)"', LinkKind.SCRIPT, True, False),
        ('href="javascript:buy()"', LinkKind.SCRIPT, True, True),
        ('href="tel:+491234"', LinkKind.TEL, True, False),
        ('href="mailto:a@b.test"', LinkKind.MAILTO, True, False),
    ],
)
def test_links(read: Read, attributes: str, kind: LinkKind, *, exists: bool, handled: bool) -> None:
    link = read(f'<a id="x" {attributes}>Go</a><p id="there">Here</p>').one("#x").link
    assert link is not None
    assert (link.kind, link.target_exists, link.has_handler) == (kind, exists, handled)


def test_an_anchor_without_address_is_a_place(read: Read) -> None:
    page = read('<p><a id="x" name="x">Chapter</a> one</p>')
    assert [element.text for element in page.facts.elements] == ["Chapter one"]


def test_fields(read: Read) -> None:
    page = read("""<form id="f" action="/send" method="post"><label for="mail">E-mail *</label>
        <input id="mail" type="email" name="mail" required autocomplete="email" value="secret@x.test">
        <input id="phone" type="tel" inputmode="tel" placeholder="Phone" value="0123456">
        <textarea id="note" title="Note">secret note</textarea><input id="bare"><input type="hidden" name="token">
        <select id="pick" aria-label="Pick"><option>secret option</option></select></form><input id="outside">""")
    fields = {name: page.one(f"#{name}").field for name in ("mail", "phone", "note", "bare", "pick", "outside")}
    mail, phone, note, bare, pick, outside = fields.values()
    assert mail is not None
    assert (mail.type, mail.name, mail.label, mail.required) == ("email", "mail", "E-mail *", True)
    assert mail.autocomplete == "email"
    assert phone is not None
    assert (phone.type, phone.inputmode, phone.placeholder) == ("tel", "tel", "Phone")
    sources = [field.label_source for field in fields.values() if field]
    expected = [LabelSource.LABEL, LabelSource.PLACEHOLDER, LabelSource.TITLE, LabelSource.NONE, LabelSource.ARIA]
    assert sources == [*expected, LabelSource.NONE]
    assert note is not None
    assert bare is not None
    assert pick is not None
    assert outside is not None
    assert (note.type, pick.type, bare.form, outside.form) == ("textarea", "select", 0, -1)
    assert "secret" not in page.raw
    assert "0123456" not in page.raw
    assert "token" not in page.raw
    assert page.facts.forms[0].method == "post"
    assert page.facts.forms[0].action == "http://page.test/send"
    assert page.facts.forms[0].element_id == page.one("#f").id


def test_buttons_made_of_inputs_are_controls_with_a_type(read: Read) -> None:
    page = read('<form><input id="x" type="submit" value="Send it"><input type="email"></form>')
    button = page.one("#x")
    assert button.clickable
    assert button.field is not None
    assert (button.field.type, button.field.form, button.name) == ("submit", 0, "Send it")
    assert page.facts.forms[0].purpose == "newsletter"


@pytest.mark.parametrize(
    ("purpose", "fields"),
    [
        ("search", '<input name="q">'),
        ("search", '<input type="search" name="anything">'),
        ("login", '<input type="email"><input type="password">'),
        ("newsletter", '<input type="email"><button>Join</button>'),
        ("newsletter", '<input name="email"><input type="checkbox">'),
        ("checkout", '<input autocomplete="cc-number"><input autocomplete="cc-exp">'),
        ("checkout", '<input autocomplete="street-address"><input name="city"><input type="email">'),
        ("lead", '<input name="name"><input type="email"><textarea></textarea>'),
        ("", "<button>Only this</button>"),
    ],
)
def test_form_purposes(read: Read, purpose: str, fields: str) -> None:
    assert [form.purpose for form in read(f"<form>{fields}</form>").facts.forms] == [purpose]


def test_pictures(read: Read) -> None:
    svg = ("image/svg+xml", SVG)
    page = read(
        """<img id="good" src="/a.svg" alt="A thing" width="200" height="150" loading="lazy"><img id="broken"
        src="/none.png" width="50" height="50"><img id="deco" src="/a.svg" alt=""><img id="aria" src="/a.svg"
        aria-label="Named"><img id="empty" width="50" height="50"><div id="hero"
        style="background:url(/a.svg) center/cover;height:300px"></div>""",
        files={HOME + "a.svg": svg},
    )
    good, broken, deco = (page.one(f"#{name}").picture for name in ("good", "broken", "deco"))
    assert good is not None
    assert (good.src, good.natural_width, good.natural_height) == (HOME + "a.svg", 400, 300)
    assert (good.alt, good.complete, good.lazy) == ("A thing", True, True)
    assert good.transferred_bytes is not None
    assert good.transferred_bytes >= len(SVG)
    assert broken is not None
    assert (broken.complete, broken.natural_width, broken.alt) == (True, 0, None)
    assert deco is not None
    assert deco.alt == ""
    aria, empty, hero = (page.one(f"#{name}") for name in ("aria", "empty", "hero"))
    assert aria.picture is not None
    assert aria.picture.alt == "Named"
    assert empty.picture is not None
    assert not empty.picture.complete
    assert hero.picture is not None
    assert (hero.picture.src, hero.picture.alt) == (HOME + "a.svg", "")
    assert hero.style is not None
    assert hero.style.background_is_image


def test_landmarks(read: Read) -> None:
    page = read("""<header><a id="logo" href="/">Logo</a><nav><a id="menu" href="/m">Menu</a></nav></header><main>
        <a id="act" href="/go">Go</a><form role="search"><input id="seek" name="q"></form><form><input id="mail"></form>
        <div role="dialog"><button id="close">Close</button></div></main>
        <div id="site-footer"><a id="terms" href="/t">Terms</a></div>""")
    found = {name: page.one(f"#{name}").landmark for name in ("logo", "menu", "act", "seek", "mail", "close", "terms")}
    assert list(found.values()) == ["header", "nav", "main", "search", "form", "dialog", "footer"]


def test_a_tall_header_is_the_first_screen_and_not_a_bar(read: Read) -> None:
    page = read('<header style="height:700px"><h1>Title</h1><a id="act" href="/go">Go</a></header>')
    assert page.one("#act").landmark == ""


def test_clickable_inline_and_disabled(read: Read) -> None:
    page = read("""<p>Read our <a id="in" href="/t">terms of use</a> before you sign.</p><ul><li><a id="item" href="/a">
        Item</a></li></ul><button id="off" disabled>Send</button><div id="div" style="cursor:pointer">Open</div>
        <label>Name <input id="field"></label>""")
    assert [page.one(f"#{name}").inline for name in ("in", "item", "off")] == [True, False, False]
    assert [page.one(f"#{name}").disabled for name in ("in", "off")] == [False, True]
    assert [page.one(f"#{name}").clickable for name in ("div", "off", "field")] == [True, True, False]


def test_long_texts_are_cut_but_counted(read: Read) -> None:
    words = "word " * 200
    found = read(f'<p id="p">{words}</p>').one("#p")
    assert len(found.text) in {399, 400}
    assert found.characters == len(words.strip())


def test_text_blocks_are_leaves(read: Read) -> None:
    page = read("""<div><div><p>First <em>one</em></p></div><ul><li>Second</li></ul><div>Third</div>
        <a href="/"><span>Fourth</span></a></div>""")
    rows = [(element.tag, element.text) for element in page.facts.elements if element.text]
    assert rows == [("p", "First one"), ("li", "Second"), ("div", "Third"), ("a", "Fourth")]


def test_selectors_are_short_and_find_one_element(read: Read) -> None:
    page = read("""<main id="top"><a data-testid="cta" href="/1">1</a><input name="email"><a class="btn hero-link"
        href="/2">2</a><div class="css-1x2y3z"><button class="sc-bdVaJa x8f3k2">3</button><button>4</button></div>
        <div id="a91f8c3d2e"><p>five</p></div><p class="mt-4 text-center">six</p></main>""")
    found = {element.name or element.text: element.selector for element in page.facts.elements}
    assert found["1"] == '[data-testid="cta"]'
    assert found["2"] == "a.btn"
    assert found["3"] == "#top button:nth-of-type(1)"
    assert "a91f8c3d2e" not in page.raw.replace("page.test", "")
    assert any(element.selector == 'input[name="email"]' for element in page.facts.elements)
    assert len({element.selector for element in page.facts.elements}) == len(page.facts.elements)


def test_duplicate_ids_are_not_trusted(read: Read) -> None:
    page = read('<div><p id="p">one</p></div><div><p id="p">two</p></div><p id="p" style="display:none">three</p>')
    selectors = [element.selector for element in page.facts.elements]
    assert len(set(selectors)) == 2
    assert "#p" not in selectors


def test_open_shadow_roots_are_walked(read: Read) -> None:
    page = read(
        '<my-card id="card"><b slot="title">Slotted</b><i>Dropped</i></my-card>',
        before="""() => { const root = document.querySelector('my-card').attachShadow({mode: 'open'});
            root.innerHTML = '<h2 id="t"><slot name="title"></slot></h2><button id="b">Shadow buy</button>'; }""",
    )
    assert page.one("#card >>> #b").name == "Shadow buy"
    assert page.facts.text == "Slotted\nShadow buy"
    assert page.one("#card >>> #t").text == "Slotted"


def test_frames_of_the_same_origin_lend_their_fields(read: Read) -> None:
    inner = (
        '<body style="margin:0"><h1>Inner</h1><form><input id="card" name="card"></form><button id="pay">Pay</button>'
    )
    page = read(
        """<body style="margin:0"><div style="height:100px"></div><iframe id="f" src="/inner" style="margin-left:50px;
        border:10px solid;width:400px;height:300px"></iframe><iframe id="far" src="http://far.test/"></iframe>""",
        files={HOME + "inner": ("text/html", inner), "http://far.test/": ("text/html", "<button>Far</button>")},
    )
    pay = page.one("#f >>> #pay")
    assert page.one("#f >>> #card").box.x == 60
    assert pay.box.y > 110
    assert page.colour_at(55, 105) == "#000000"
    assert page.one("#far").tag == "iframe"
    assert "Far" not in page.raw
    assert not any(element.heading_level for element in page.facts.elements)


@pytest.mark.parametrize(
    ("inside", "beside"),
    [
        ("<label>E-mail</label><div><input id=x placeholder=me@shop.test></div>", "E-mail"),
        ("<label>E-mail</label><input id=x>", "E-mail"),
        ("<label>E-mail</label><input id=x aria-label=Mail>", ""),
        ("<label for=x>E-mail</label><input id=x>", ""),
        ("<label hidden>E-mail</label><input id=x>", ""),
        ("<label>Name</label><input><br><input id=x>", ""),
        ("<input id=x placeholder=Mail><label>Later</label>", ""),
    ],
)
def test_a_label_that_is_not_tied_to_its_field(read: Read, inside: str, beside: str) -> None:
    field = read(f"<form><div>{inside}</div></form>").one("#x").field
    assert field is not None
    assert field.beside == beside
