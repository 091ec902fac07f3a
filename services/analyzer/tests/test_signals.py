"""Main action, page type, section labels, language, colours, money, readability."""

import pytest

from analyzer import colours, labels, lexicon, money, page_type, primary, readability, view
from analyzer.rules.forms import suggested_token
from analyzer.view import View
from contracts.facts import LinkKind, PageFacts
from contracts.geometry import DESKTOP, Box, ViewportName
from contracts.render import Section
from contracts.result import PageType
from tests.fixtures.page_facts import (
    Row,
    button,
    button_link,
    element,
    field,
    form,
    heading,
    image,
    link,
    overlay,
    page,
    paragraph,
)


def main_action(*rows: Row, language: str = "en") -> str:
    chosen = built(page(*rows, language=language)).main
    return primary.label(chosen) if chosen else ""


def built(facts: PageFacts) -> View:
    return view.build({ViewportName.DESKTOP: facts})[ViewportName.DESKTOP]


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        ([button("Get started", filled=False), button("Start free trial")], "Start free trial"),
        ([button("Sign up", y=20, landmark="nav"), button("Start free trial", y=500)], "Start free trial"),
        ([button_link("Learn more", "/more"), button("Book a demo", y=460)], "Book a demo"),
        ([button("Menu"), button("Toggle navigation"), button("Search"), button("Log in")], ""),
        ([button("What does it cost?"), button("1"), button("›")], ""),  # noqa: RUF001  # pagination
        ([button("Products", filled=False, y=20, landmark="nav"), button("Pricing", y=20, landmark="nav")], "Pricing"),
        ([button("Products", filled=False, y=20, landmark="nav")], ""),
        ([button("Get started", filled=False, y=20, landmark="nav")], "Get started"),
        ([button("...")], ""),
        ([button_link(f"Part {n}", f"/{n}", y=100 + 50 * n, height=50) for n in range(3)], ""),
        ([button_link(f"Buy {n}", f"/{n}", y=100 + 60 * n, height=50) for n in range(3)], "Buy 0"),
        ([button_link(f"Buy {n}", f"/{n}", y=100 + 50 * n, height=50) for n in range(2)], "Buy 0"),
        ([button_link("Older Posts →", "/2"), button_link("Next page", "/3")], ""),
        ([button_link("Facebook", "https://www.facebook.com/shop", LinkKind.EXTERNAL)], ""),
        ([button_link("Our page", "https://www.facebook.com/shop", LinkKind.EXTERNAL)], ""),
        ([link("Watch video", "https://www.youtube.com/watch?v=1", LinkKind.EXTERNAL)], ""),
        (
            [
                button_link("Watch video", "https://www.youtube.com/watch?v=1", LinkKind.EXTERNAL),
                button("Send message", y=2700),
            ],
            "Watch video",
        ),
        ([button("Accept all", landmark="consent"), button("Subscribe", landmark="dialog")], ""),
        ([link("Buy now", "/buy")], ""),
        ([button("Buy", visible=False)], ""),
        ([button("Same"), button("Same", y=300)], "Same"),
        (
            [link("", "https://play.google.com/x", name="..."), image("/google-play-badge.svg", y=0)],
            "Get it on Google Play",
        ),
    ],
)
def test_main_action(rows: list[Row], chosen: str) -> None:
    assert main_action(*rows) == chosen


def test_verbs_are_known_in_many_languages() -> None:
    weak, strong = {}, {}
    for language, verb in {
        "de": "Jetzt kaufen",
        "fr": "Acheter",
        "es": "Comprar",
        "it": "Acquista",
        "pl": "Kup teraz",
    }.items():
        weak[language] = main_action(button("Xyz abc"), button(verb, y=500), language=language)
        strong[language] = verb
    assert weak == strong


def test_an_action_inside_a_popup_is_not_the_pages() -> None:
    facts = page(button("Subscribe", y=100), button("Buy now", y=700), overlays=[overlay(coverage=0.4)])
    chosen = built(facts).main
    assert chosen is not None
    assert chosen.text == "Buy now"


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        (page(button("Start")), PageType.LANDING),
        (page(url="https://shop.test/a/b/c"), PageType.OTHER),
        (page(button("Start"), url="https://shop.test/a/b/c"), PageType.LANDING),
        (page(button("Buy", y=20, landmark="nav"), url="https://shop.test/a/b/c"), PageType.OTHER),
        (
            page(button("Sign up", y=20, landmark="nav"), button("Submit"), url="https://shop.test/a/b/c"),
            PageType.LANDING,
        ),
        (page(url="https://shop.test/blog/why"), PageType.OTHER),
        (page(url="https://shop.test/blog"), PageType.OTHER),
        (page(button("Start"), url="https://shop.test/contact-us.html"), PageType.OTHER),
        (page(button("Start"), url="https://shop.test/en/about/"), PageType.OTHER),
        (page(button("Start"), url="https://shop.test/contacts-app"), PageType.LANDING),
        (page(button("Create account"), url="https://shop.test/register.html"), PageType.OTHER),
        (page(button("Create account"), url="https://shop.test/sign-up"), PageType.OTHER),
        (page(button("Start"), link("Older Posts →", "/2")), PageType.OTHER),
        (page(meta={"json_ld_types": ["Article"]}), PageType.OTHER),
        (page(meta={"json_ld_types": ["Product"]}), PageType.PRODUCT),
        (page(meta={"json_ld_types": ["Product", "ItemList"]}), PageType.LANDING),
        (page(meta={"og": {"type": "product.item"}}), PageType.PRODUCT),
        (page(button("Add to cart"), text="Now € 20"), PageType.PRODUCT),
        (page(button("Add to cart"), button("Add to cart"), text="Now € 20"), PageType.LANDING),
        (page(url="https://shop.test/pricing/"), PageType.PRICING),
        (page(heading("Plans and pricing"), text="$9 $19 $29"), PageType.PRICING),
        (page(forms=[form("checkout")]), PageType.CHECKOUT),
        (page(field(label="Card", autocomplete="cc-number")), PageType.CHECKOUT),
    ],
)
def test_page_type(facts: PageFacts, kind: PageType) -> None:
    assert page_type.detect(facts, "en") is kind


def section(y: float, height: float = 400, **values: str) -> Section:
    return Section(id="s", viewport=DESKTOP, box=Box(x=0, y=y, width=1440, height=height), **values)


@pytest.mark.parametrize(
    ("part", "rows", "kind"),
    [
        (section(0, 80, tag="nav"), [link("Home", "/")], "nav"),
        (section(0, 900), [heading("Get paid")], "hero"),
        (section(1000, tag="footer"), [], "footer"),
        (section(1000, heading="Plans"), [paragraph("$9 a month"), paragraph("$19 a month")], "pricing"),
        (section(1000, heading="What our customers say"), [], "testimonials"),
        (section(1000, heading="FAQ"), [paragraph("Why?"), paragraph("How?"), paragraph("Who?")], "faq"),
        (section(1000), [field(y=1100), field(y=1200)], "form"),
        (section(1000), [image(y=1100, x=200 * n, width=120, height=40) for n in range(4)], "logos"),
        (section(1000), [heading(f"Part {n}", 3, y=1100) for n in range(3)], "features"),
        (section(1000), [button("Add to cart", y=1200), paragraph("$9")], "product"),
        (section(1000), [paragraph("Just text")], "other"),
        (section(1000, kind="faq"), [paragraph("Just text")], "faq"),
    ],
)
def test_section_label(part: Section, rows: list[Row], kind: str) -> None:
    assert labels.label([part], built(page(*rows))) == [kind]


@pytest.mark.parametrize(
    ("declared", "text", "language"),
    [
        ("de-AT", "", "de"),
        ("EN_us", "", "en"),
        ("", "Wir sind für Sie da, und das ist nicht alles: die Preise und der Versand.", "de"),
        ("", "Nous sommes avec vous et pour vous dans la ville, une équipe est là.", "fr"),
        ("", "xyz", ""),
    ],
)
def test_language(declared: str, text: str, language: str) -> None:
    assert lexicon.language_of(declared, text) == language


def test_phrases_match_whole_words_only() -> None:
    assert lexicon.mentions("contact", "Contact us!", "en")
    assert not lexicon.mentions("contact", "contactless", "en")
    assert lexicon.mentions("privacy", "Datenschutzerklärung")
    assert not lexicon.mentions("verbs", "Jetzt kaufen", "fr")
    assert lexicon.equals("generic", "  LEARN more → ", "en")


@pytest.mark.parametrize(
    ("colour", "against", "ratio", "nearest"),
    [
        ("#999999", "#ffffff", 4.5, "#767676"),
        ("#ffffff", "#ffffff", 4.5, "#767676"),
        ("#000000", "#ffffff", 4.5, "#000000"),
        ("#808080", "#808080", 7, None),
        ("red", "#ffffff", 4.5, None),
    ],
)
def test_nearest_colour(colour: str, against: str, ratio: float, nearest: str | None) -> None:
    assert colours.nearest(colour, against, ratio) == nearest
    if nearest is not None:
        reached = colours.contrast(nearest, against)
        assert reached is not None
        assert reached >= ratio


def test_contrast_is_wcags() -> None:
    assert colours.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert colours.contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)
    assert colours.contrast("#777", "#ffffff") is None


@pytest.mark.parametrize(
    "text", ["$9", "€ 1.299,00", "49,99 €", "USD 20", "CHF 5.-", "1 299 kr", "£12.50", "R$ 10", "99 zł", "5 EUR"]
)
def test_amounts(text: str) -> None:
    assert money.amounts(f"Now {text} only") != []


@pytest.mark.parametrize("text", ["10 people", "2024", "5 stars", "version 3.5", "20 %", "AUSDRUCK 5"])
def test_no_amounts(text: str) -> None:
    assert money.amounts(text) == []


def test_readability_tells_easy_from_hard() -> None:
    easy = readability.measure(["We get the cash to you. It is fast. You can stop."], "en")
    hard = readability.measure(["Organisational interoperability necessitates comprehensive harmonisation."], "en")
    assert easy is not None
    assert hard is not None
    assert easy.grade < 5
    assert hard.grade > 12
    assert readability.measure(["123 456"], "en") is None


def test_syllables_are_counted_by_language() -> None:
    assert readability.syllables("information", "en") == 4
    assert readability.syllables("Geschwindigkeit", "de") == 4


def test_token_suggestions() -> None:
    facts = page(field(label="Vorname"), field(label="PLZ"), field(label="Card number"), language="de")
    assert [suggested_token(control) for control in built(facts).fields] == ["given-name", "postal-code", "cc-number"]


def test_blockquote_section_is_testimonials() -> None:
    facts = page(element("blockquote", "It paid for itself", y=1100))
    assert labels.label([section(1000)], built(facts)) == ["testimonials"]


def test_a_page_has_one_hero() -> None:
    facts = page(heading("Get paid", y=10), heading("Twice", y=250))
    assert labels.label([section(0, 200), section(200, 200)], built(facts))[0] == "hero"
    assert "hero" not in labels.label([section(0, 200), section(200, 200)], built(facts))[1:]


def test_icons_are_no_actions() -> None:
    swatch = button("Weiß", width=28, height=28)
    burger = button("☰", name="Menü")
    assert main_action(swatch, burger, button("In den Warenkorb", y=600), language="de") == "In den Warenkorb"
    assert len(built(page(swatch, burger, language="de")).actions) == 0
