"""Every rule on both sides of each threshold, and where it does not apply."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from analyzer import findings, view
from analyzer.rules import engine
from analyzer.rules.policy import load
from analyzer.rules.registry import BY_ID, RULES
from contracts.facts import LinkKind, Network, PageFacts, Performance, Resource
from contracts.geometry import ViewportName
from contracts.result import Outcome, PageType, Severity
from tests.fixtures import page_facts as facts
from tests.fixtures.page_facts import (
    button,
    button_link,
    element,
    form,
    heading,
    image,
    link,
    overlay,
    page,
    paragraph,
    style,
)
from tests.fixtures.page_facts import field as entry

FAIL, WARN, PASS, SKIP = Outcome.FAIL, Outcome.WARN, Outcome.PASS, Outcome.NOT_APPLICABLE

EASY = "We do the work for you and you get the cash. It is fast and it is safe. You can stop at any time you like. " * 6
HARD = (
    "Organisational interoperability considerations necessitate the comprehensive harmonisation of heterogeneous "
    "infrastructural configurations, and the administrative responsibilities that are associated with this. " * 6
)
GERMAN_HARD = (
    "Die Berücksichtigung organisatorischer Verantwortlichkeiten und die Vereinheitlichung unterschiedlichster "
    "Infrastrukturkonfigurationen ist für die Leistungsfähigkeit der Unternehmenskommunikation unverzichtbar. " * 7
)
LATIN = "Lorem ipsum dolor sit amet consectetur adipiscing elit sed eiusmod tempor incididunt labore dolore magna. " * 8


def words(number: int) -> str:
    return " ".join(["word"] * number)


@dataclass(frozen=True)
class Case:
    rule: str
    expected: Outcome
    facts: PageFacts
    value: object = None
    variant: str = ""
    kind: PageType | None = None
    name: str = field(default="")


def case(rule: str, expected: Outcome, given: PageFacts, **more: Any) -> Any:  # noqa: ANN401  # pytest's own type is private
    made = Case(rule, expected, given, **more)
    return pytest.param(made, id=f"{rule}-{made.name or made.variant or expected}-{given.viewport.width}")


CTA = [
    case("cta.above_fold", PASS, page(button("Buy now", first_screen=0.5))),
    case("cta.above_fold", FAIL, page(button("Buy now", first_screen=0.49)), value=0.49),
    case("cta.above_fold", FAIL, page(heading("Only words")), variant="missing"),
    case("cta.above_fold", PASS, page(button("Buy now", y=300), phone=True)),
    case("cta.above_fold", PASS, page(button("Find out more"), button("Download now", y=2500)), name="hero_first"),
    case("cta.above_fold", SKIP, page(button("Pay", y=2000), forms=[form("checkout")]), kind=PageType.CHECKOUT),
    case("cta.text_contrast", PASS, page(button("Buy", contrast=4.5))),
    case("cta.text_contrast", FAIL, page(button("Buy", contrast=4.49)), value=4.49),
    case("cta.text_contrast", PASS, page(button("Buy", contrast=3.0, font_px=24)), name="large"),
    case("cta.text_contrast", FAIL, page(button("Buy", contrast=2.99, font_px=24)), name="large"),
    case("cta.text_contrast", PASS, page(button("Buy", contrast=3.0, font_px=18.66, font_weight=700)), name="bold"),
    case("cta.text_contrast", FAIL, page(button("Buy", contrast=3.0, font_px=18.66, font_weight=400)), name="thin"),
    case("cta.text_contrast", SKIP, page(button("Buy", contrast=1.2, disabled=True)), name="disabled"),
    case("cta.text_contrast", SKIP, page(button("Buy", contrast=1.2, background_is_image=True)), name="picture"),
    case("cta.text_contrast", SKIP, page(heading("No action")), name="no_action"),
    case("cta.shape_contrast", WARN, page(button("Buy", background="#eeeeee", surround="#ffffff"))),
    case("cta.shape_contrast", PASS, page(button("Buy", background="#1a56db"))),
    case("cta.shape_contrast", PASS, page(button("Buy", background="#eeeeee", border_px=1, border_color="#333333"))),
    case("cta.shape_contrast", SKIP, page(button("Buy", filled=False)), name="no_shape"),
    case(
        "cta.shape_contrast",
        SKIP,
        page(image(y=0, width=1440, height=900), button("Buy", background="#eeeeee")),
        name="on_photo",
    ),
    case("cta.generic_label", WARN, page(button("Learn more"))),
    case("cta.generic_label", WARN, page(button("Absenden"), language="de"), name="german"),
    case("cta.generic_label", WARN, page(button("En savoir plus"), language="fr-FR"), name="french"),
    case("cta.generic_label", WARN, page(button("Saiba mais"), language="pt-BR"), name="portuguese"),
    case("cta.generic_label", WARN, page(button("Dowiedz się więcej"), language="pl"), name="polish"),
    case("cta.generic_label", PASS, page(button("Start my free trial"))),
    case("cta.generic_label", FAIL, page(button("Buy"), button("", name="")), variant="nameless"),
    case("cta.generic_label", PASS, page(button("Buy"), button("", name="Toggle navigation")), name="toggler"),
    case("cta.generic_label", SKIP, page(heading("No action"))),
    case("cta.competing", PASS, page(button("Buy"), button("Try"))),
    case("cta.competing", WARN, page(button("Buy"), button("Try"), button("Book")), value=3),
    case("cta.competing", WARN, page(*(button(text) for text in ("Buy", "Try", "Book", "Call")))),
    case("cta.competing", FAIL, page(*(button(text) for text in ("Buy", "Try", "Book", "Call", "Join")))),
    case("cta.competing", PASS, page(button("Buy"), button("Buy"), button("Buy")), name="same_label"),
    case(
        "cta.competing",
        PASS,
        page(*(button(f"Choose {plan}", x=100 + 400 * n) for n, plan in enumerate(("Free", "Team", "Pro")))),
        name="card_row",
    ),
    case(
        "cta.competing",
        PASS,
        page(
            *(button(f"Choose {plan}", y=100 + 200 * n) for n, plan in enumerate(("Free", "Team", "Pro"))), phone=True
        ),
        name="card_column",
    ),
    case("cta.competing", SKIP, page(meta={"json_ld_types": ["Product"]}), kind=PageType.PRODUCT),
    case("cta.target_size", PASS, page(button("Buy", width=44, height=44), phone=True)),
    case("cta.target_size", WARN, page(button("Buy", height=43), phone=True), value=43),
    case(
        "cta.target_size",
        FAIL,
        page(
            button("Buy"),
            button("", name="Heart", x=10, y=700, width=20, height=20),
            button("Share it", x=31, y=700),
            phone=True,
        ),
        variant="crowded",
    ),
    case(
        "cta.target_size",
        PASS,
        page(
            button("Buy"),
            button("", name="Heart", x=10, y=700, width=20, height=20),
            button("Far", x=200, y=700),
            phone=True,
        ),
        name="spaced",
    ),
    case(
        "cta.target_size",
        PASS,
        page(button("Buy"), *(link(t, "/x", x=10, y=700 + 18 * n, height=18) for n, t in enumerate("abc")), phone=True),
        name="text_links",
    ),
    case("cta.target_size", SKIP, page(heading("Nothing to tap"), phone=True)),
    case("cta.dead_target", PASS, page(button_link("Buy", "/buy"))),
    case("cta.dead_target", FAIL, page(button_link("Buy", "#", LinkKind.ANCHOR)), variant="main"),
    case("cta.dead_target", FAIL, page(button_link("Buy", "#!", LinkKind.ANCHOR)), variant="main", name="demo"),
    case("cta.dead_target", FAIL, page(button_link("Buy", "", LinkKind.EMPTY)), variant="main", name="empty"),
    case("cta.dead_target", FAIL, page(button_link("Buy", "javascript:void(0)", LinkKind.SCRIPT)), name="script"),
    case("cta.dead_target", FAIL, page(button_link("Buy", "#gone", LinkKind.ANCHOR, target_exists=False)), name="gone"),
    case("cta.dead_target", PASS, page(button_link("Buy", "#", LinkKind.ANCHOR, has_handler=True)), name="handler"),
    case(
        "cta.dead_target", PASS, page(button_link("Buy", "#/buy", LinkKind.ANCHOR, target_exists=False)), name="route"
    ),
    case("cta.dead_target", PASS, page(button_link("Buy", "#buy", LinkKind.ANCHOR)), name="anchor"),
    case("cta.dead_target", WARN, page(button_link("Buy", "/buy"), button_link("Demo", "#", LinkKind.ANCHOR, y=2000))),
    case("cta.dead_target", SKIP, page(button("Buy"))),
]

HEADLINE = [
    case("headline.present", PASS, page(heading("Get paid")), value=1),
    case("headline.present", FAIL, page(paragraph("text", y=10)), variant="missing"),
    case(
        "headline.present", FAIL, page(element("div", "Big words", style=style(font_px=24), y=10)), variant="untagged"
    ),
    case("headline.present", FAIL, page(heading("Small", font_px=23.9)), variant="small"),
    case("headline.present", PASS, page(heading("Big", font_px=24)), name="24px"),
    case("headline.present", WARN, page(heading("One"), heading("Two")), value=2),
    case("headline.present", PASS, page(heading("One"), heading("Hidden", visible=False)), name="hidden"),
    case("headline.length", PASS, page(heading(words(12)))),
    case("headline.length", WARN, page(heading(words(13)))),
    case("headline.length", WARN, page(heading(words(20))), name="20_words"),
    case("headline.length", FAIL, page(heading(words(21)))),
    case("headline.length", WARN, page(heading("Hello")), variant="single"),
    case("headline.length", PASS, page(heading("a " * 10 + "b" * 50)), name="70_characters"),
    case("headline.length", WARN, page(heading("a " * 10 + "b" * 51)), variant="characters"),
    case("headline.length", SKIP, page(paragraph("x"))),
    case("headline.length", SKIP, page(heading("请款从未如此简单"), language="zh-CN"), name="chinese"),
    case("hero.density", PASS, page(stats={"words_first_screen": 120})),
    case("hero.density", WARN, page(stats={"words_first_screen": 121}), value=121),
    case("hero.density", WARN, page(stats={"words_first_screen": 200}), name="200"),
    case("hero.density", FAIL, page(stats={"words_first_screen": 201})),
    case("hero.density", SKIP, page(stats={"words_first_screen": 900}, language="ja")),
]

COPY = [
    case("copy.readability", PASS, page(*(paragraph(EASY[:390]) for _ in range(2)))),
    case("copy.readability", FAIL, page(*(paragraph(HARD[:380]) for _ in range(6)))),
    case(
        "copy.readability", FAIL, page(*(paragraph(GERMAN_HARD[:380]) for _ in range(7)), language="de"), variant="ease"
    ),
    case("copy.readability", SKIP, page(paragraph(EASY[:200])), name="short"),
    case("copy.readability", SKIP, page(*(paragraph(EASY) for _ in range(4)), language="sv"), name="no_formula"),
    case("copy.readability", SKIP, page(*(paragraph(LATIN) for _ in range(4))), name="latin"),
    case("copy.readability", SKIP, page(paragraph(HARD), url="https://shop.test/blog/x"), kind=PageType.OTHER),
    case("copy.small_text", PASS, page(stats={"characters_below_12px": 400})),
    case("copy.small_text", FAIL, page(stats={"characters_below_12px": 401}), value=0.401),
    case("copy.small_text", WARN, page(stats={"body_font_px_median": 15.9}, phone=True), variant="mobile_body"),
    case("copy.small_text", PASS, page(stats={"body_font_px_median": 16}, phone=True)),
    case("copy.small_text", PASS, page(stats={"body_font_px_median": 13}), name="desktop_body"),
    case("copy.small_text", SKIP, page(stats={"characters": 99})),
    case("copy.text_contrast", PASS, page(stats={"characters_failing_aa": 50})),
    case("copy.text_contrast", WARN, page(stats={"characters_failing_aa": 51}), value=0.051),
    case("copy.text_contrast", WARN, page(stats={"characters_failing_aa": 150}), name="150"),
    case("copy.text_contrast", FAIL, page(stats={"characters_failing_aa": 151})),
    case(
        "copy.text_contrast",
        PASS,
        page(stats={"characters_failing_aa": 300, "characters_on_image": 300}),
        name="picture",
    ),
    case(
        "copy.text_contrast",
        FAIL,
        page(paragraph("x" * 200, contrast=2.1), stats={"characters_failing_aa": 200, "characters_on_image": 300}),
        name="known_beside_picture",
    ),
    case(
        "copy.text_contrast",
        FAIL,
        page(paragraph("x" * 200, contrast=4.4), stats={"characters_failing_aa": 200}),
        variant="near",
    ),
    case("copy.text_contrast", SKIP, page(stats={"characters": 10})),
    case("copy.line_length", PASS, page(paragraph("x" * 270, lines=3))),
    case("copy.line_length", WARN, page(paragraph("x" * 273, lines=3)), value=91),
    case("copy.line_length", WARN, page(paragraph("x" * 400, lines=5, characters=500, width=900)), name="whole_length"),
    case("copy.line_length", SKIP, page(paragraph("x" * 300, lines=2))),
    case("copy.line_length", SKIP, page(paragraph("x" * 300, lines=3), language="ja"), name="japanese"),
]


def lead(number: int, **more: Any) -> PageFacts:  # noqa: ANN401  # passed on
    return page(*(entry(label=f"Question {n}") for n in range(number)), forms=[form(**more)])


FORMS = [
    case("form.field_count", PASS, lead(5)),
    case("form.field_count", WARN, lead(6), value=6),
    case("form.field_count", WARN, lead(9), name="9"),
    case("form.field_count", FAIL, lead(10)),
    case("form.field_count", PASS, lead(8, purpose="checkout")),
    case("form.field_count", WARN, lead(9, purpose="checkout"), variant="checkout"),
    case("form.field_count", FAIL, lead(13, purpose="checkout"), variant="checkout"),
    case(
        "form.field_count",
        PASS,
        page(*(entry("radio", f"Size {n}", control="size") for n in range(12)), forms=[form()]),
        value=1,
        name="radio_group",
    ),
    case("form.field_count", SKIP, lead(12, purpose="search"), name="search"),
    case("form.field_count", SKIP, page(heading("No form"))),
    case("form.labels", PASS, page(entry())),
    case("form.labels", FAIL, page(entry(label_source="none")), value=1),
    case("form.labels", WARN, page(entry(label_source="placeholder")), variant="placeholder"),
    case("form.labels", PASS, page(entry(label_source="aria")), name="aria"),
    case("form.labels", SKIP, page(entry("submit", label_source="none")), name="submit_only"),
    case("form.labels", SKIP, page(entry("search", label_source="none")), name="search_only"),
    case("form.autofill", WARN, page(entry(label="Your name")), value=1),
    case("form.autofill", PASS, page(entry(label="Your name", autocomplete="name"))),
    case("form.autofill", PASS, page(entry("email", "E-mail")), name="typed"),
    case("form.autofill", WARN, page(entry(label="E-Mail-Adresse"), language="de"), name="german"),
    case("form.autofill", PASS, page(entry(label="Phone", inputmode="tel")), name="inputmode"),
    case("form.autofill", WARN, page(entry(label="Card number", autocomplete="off")), name="card"),
    case("form.autofill", SKIP, page(entry(label="Your question"))),
    case(
        "form.optional_marking",
        WARN,
        page(
            entry(label="A", required=True), entry(label="B", required=True), entry(label="C"), forms=[form("checkout")]
        ),
        value=1,
    ),
    case(
        "form.optional_marking",
        PASS,
        page(
            entry(label="A *", required=True),
            entry(label="B", required=True),
            entry(label="C"),
            forms=[form("checkout")],
        ),
    ),
    case("form.optional_marking", SKIP, page(*(entry(required=True) for _ in range(4)), forms=[form("checkout")])),
    case("form.mobile_zoom", PASS, page(entry(font_px=16), phone=True)),
    case("form.mobile_zoom", WARN, page(entry(font_px=15.9), phone=True), value=15.9),
    case("form.mobile_zoom", SKIP, page(entry("checkbox", font_px=13), phone=True)),
]

INSECURE = Resource(url="http://cdn.test/a.js", type="script")
TRUST = [
    case("trust.https", PASS, page()),
    case("trust.https", FAIL, page(url="http://shop.test/")),
    case("trust.https", SKIP, page(url="http://127.0.0.1:8000/"), name="loopback"),
    case("trust.https", SKIP, page(url="http://[::1]/"), name="loopback6"),
    case("trust.https", FAIL, page(network=Network(insecure=[INSECURE])), variant="mixed"),
    case("trust.https", PASS, page(network=Network(insecure=[Resource(url="http://x.test/a.png", type="image")]))),
    case("trust.https", FAIL, page(forms=[form(action="http://shop.test/send")]), variant="form"),
    case("trust.privacy", FAIL, page(entry("email", "E-mail")), value=0),
    case("trust.privacy", PASS, page(entry("email", "E-mail"), link("Privacy policy", "/legal"))),
    case(
        "trust.privacy", PASS, page(entry("email", "E-mail"), link("Datenschutz", "/ds", visible=False)), name="hidden"
    ),
    case("trust.privacy", PASS, page(entry("tel", "Phone"), link("Legal", "/privacy-policy")), name="address"),
    case("trust.privacy", SKIP, page(entry(label="Your question"))),
    case("trust.privacy", SKIP, page(entry("email", "E-mail"), truncated=["elements"]), name="cut"),
    case("trust.contact", WARN, page(heading("Hello"))),
    case("trust.contact", PASS, page(link("+49 30 1234567", "tel:+49301234567", LinkKind.TEL))),
    case("trust.contact", PASS, page(link("Kontakt", "/kontakt"), language="de"), name="german"),
    case("trust.contact", PASS, page(text="Write to hello@shop.test"), name="mail_text"),
    case("trust.contact", PASS, page(forms=[form("lead")]), name="form"),
    case("trust.contact", SKIP, page(truncated=["elements"])),
    case("trust.social_proof", WARN, page(text="We are the best. Plans for 3 users.")),
    case("trust.social_proof", PASS, page(text="Trusted by 4,000 companies"), name="count"),
    case("trust.social_proof", PASS, page(text="4.8 out of 5"), name="stars"),
    case("trust.social_proof", PASS, page(element("blockquote", "It works")), name="quotation"),
    case("trust.social_proof", PASS, page(*(image(x=200 * n, width=120, height=40) for n in range(3))), name="logos"),
    case("trust.social_proof", WARN, page(*(image(x=200 * n, width=120, height=40) for n in range(2))), name="2_logos"),
    case("trust.social_proof", PASS, page(meta={"json_ld_types": ["AggregateRating"]}), name="data"),
    case("trust.social_proof", PASS, page(text="Das sagen unsere Kunden", language="de"), name="german"),
    case("trust.social_proof", SKIP, page(text="אנחנו הטובים ביותר", language="he", direction="rtl"), name="hebrew"),
    case("trust.returns", WARN, page(meta={"json_ld_types": ["Product"]}), kind=PageType.PRODUCT),
    case("trust.returns", PASS, page(text="Free returns within 30 days", meta={"json_ld_types": ["Product"]})),
    case("trust.returns", SKIP, page(), name="landing"),
    case("price.visible", PASS, page(paragraph("€ 49.00", y=300), meta={"json_ld_types": ["Product"]})),
    case("price.visible", WARN, page(paragraph("49,00 €", y=1300), meta={"json_ld_types": ["Product"]}), value=1),
    case("price.visible", WARN, page(heading("Lamp"), meta={"json_ld_types": ["Product"]}), variant="none"),
    case("price.visible", SKIP, page(text="Now $49", meta={"json_ld_types": ["Product"]}), name="place_unknown"),
    case("price.visible", FAIL, page(url="https://shop.test/pricing"), variant="none", kind=PageType.PRICING),
    case("price.visible", PASS, page(text="$9 a month", url="https://shop.test/pricing")),
    case("price.visible", SKIP, page(), name="landing"),
]

OVERLAYS = [
    case("overlay.blocking", PASS, page()),
    case("overlay.blocking", PASS, page(overlays=[overlay(coverage=0.149)]), name="15"),
    case("overlay.blocking", WARN, page(overlays=[overlay(coverage=0.15)])),
    case("overlay.blocking", WARN, page(overlays=[overlay(coverage=0.299)]), name="30"),
    case("overlay.blocking", FAIL, page(overlays=[overlay(coverage=0.30)])),
    case(
        "overlay.blocking",
        FAIL,
        page(button("Buy", y=20, covered=True), overlays=[overlay(coverage=0.1)]),
        name="covers_action",
    ),
    case("overlay.blocking", PASS, page(overlays=[overlay("consent", 0.9)]), name="consent"),
    case("overlay.blocking", PASS, page(overlays=[overlay("bar", 0.4)]), name="bar"),
    case("overlay.consent", SKIP, page()),
    case("overlay.consent", PASS, page(overlays=[overlay("consent", 0.3, has_reject=True)], phone=True)),
    case("overlay.consent", WARN, page(overlays=[overlay("consent", 0.31, has_reject=True)], phone=True)),
    case("overlay.consent", PASS, page(overlays=[overlay("consent", 0.9, has_reject=True)]), name="desktop"),
    case("overlay.consent", WARN, page(overlays=[overlay("consent", 0.1)]), variant="no_reject"),
    case(
        "overlay.consent",
        WARN,
        page(button("Buy", y=20, covered=True), overlays=[overlay("consent", 0.2, has_reject=True)]),
        name="covers_action",
    ),
]

BROKEN = Network(failed=[Resource(url="https://shop.test/a.jpg", type="image", status=404)])
MEDIA = [
    case("media.broken", PASS, page(image())),
    case("media.broken", FAIL, page(image(natural_width=0)), value=1),
    case("media.broken", FAIL, page(image(complete=False), network=BROKEN), name="404"),
    case("media.broken", PASS, page(image("https://shop.test/b.jpg"), network=BROKEN), name="404_elsewhere"),
    case("media.broken", PASS, page(image("https://shop.test/a.svg", natural_width=0)), name="vector"),
    case("media.broken", PASS, page(image(natural_width=0, lazy=True)), name="lazy"),
    case("media.broken", PASS, page(image(natural_width=0, complete=False)), name="loading"),
    case("media.broken", SKIP, page()),
    case("media.alt", PASS, page(image())),
    case("media.alt", WARN, page(image(alt=None), *(image() for _ in range(4))), value=0.2),
    case("media.alt", FAIL, page(image(alt=None), *(image() for _ in range(3))), value=0.25),
    case("media.alt", SKIP, page(image(alt="")), name="decorative"),
    case("media.alt", SKIP, page(image(alt=None, role="presentation")), name="presentation"),
    case("media.alt", PASS, page(image(alt=None, name="Team")), name="aria"),
    case("media.oversized", SKIP, page(image())),
    case("media.oversized", PASS, page(image(natural_width=800, natural_height=600, transferred_bytes=400_000))),
    case("media.oversized", WARN, page(image(natural_width=801, natural_height=600, transferred_bytes=101_000))),
    case(
        "media.oversized",
        PASS,
        page(image(natural_width=801, natural_height=600, transferred_bytes=100_000)),
        name="100kB",
    ),
    case("media.oversized", WARN, page(image(transferred_bytes=501_000)), name="500kB"),
    case("media.oversized", FAIL, page(image(natural_width=4000, natural_height=3000, transferred_bytes=1_020_000))),
    case(
        "media.oversized",
        PASS,
        page(image(natural_width=1600, natural_height=1200, transferred_bytes=200_000), phone=True),
        name="density",
    ),
]


def lab(**figures: float) -> PageFacts:
    return page(performance=Performance(**figures))


PERFORMANCE = [
    case("perf.lcp", PASS, lab(largest_contentful_paint_ms=2500)),
    case("perf.lcp", WARN, lab(largest_contentful_paint_ms=2501)),
    case("perf.lcp", FAIL, lab(largest_contentful_paint_ms=4001)),
    case("perf.lcp", SKIP, page()),
    case("perf.cls", PASS, lab(cumulative_layout_shift=0.1)),
    case("perf.cls", WARN, lab(cumulative_layout_shift=0.11)),
    case("perf.cls", FAIL, lab(cumulative_layout_shift=0.26)),
    case("perf.cls", SKIP, page()),
    case("perf.tbt", PASS, lab(total_blocking_ms=200)),
    case("perf.tbt", WARN, lab(total_blocking_ms=201)),
    case("perf.tbt", FAIL, lab(total_blocking_ms=601)),
    case("perf.tbt", SKIP, page()),
    case("perf.page_weight", PASS, page(network=Network(transferred_bytes=2_600_000))),
    case("perf.page_weight", WARN, page(network=Network(transferred_bytes=2_600_001))),
    case("perf.page_weight", FAIL, page(network=Network(transferred_bytes=5_000_001))),
    case("perf.page_weight", SKIP, page(network=Network())),
]

HEAD = [
    case("meta.title_description", PASS, page(meta={"title": "t" * 60, "description": "d" * 160})),
    case("meta.title_description", FAIL, page(meta={"title": " "}), variant="no_title"),
    case("meta.title_description", WARN, page(meta={"title": "t" * 61}), variant="long_title"),
    case("meta.title_description", WARN, page(meta={"description": None}), variant="no_description"),
    case("meta.title_description", WARN, page(meta={"description": "d" * 161}), variant="long_description"),
    case("meta.social_preview", PASS, page()),
    case("meta.social_preview", PASS, page(meta={"og": {"title": "t", "image": "i", "description": "d"}}), name="bare"),
    case(
        "meta.social_preview",
        WARN,
        page(meta={"og": {"og:title": "t", "og:image": ""}}),
        value="og:image, og:description",
    ),
    case("layout.viewport", PASS, page()),
    case("layout.viewport", FAIL, page(meta={"viewport": None}), variant="missing"),
    case("layout.viewport", FAIL, page(meta={"viewport": "width=device-width, user-scalable=no"}), variant="zoom_off"),
    case("layout.viewport", FAIL, page(meta={"viewport": "width=device-width, maximum-scale=1.9"}), variant="zoom_off"),
    case("layout.viewport", PASS, page(meta={"viewport": "width=device-width, maximum-scale=2"}), name="scale_2"),
    case("layout.h_scroll", PASS, page(scroll_width=391, phone=True)),
    case("layout.h_scroll", FAIL, page(scroll_width=392, phone=True), value=2),
    case("layout.h_scroll", SKIP, page(scroll_width=980, meta={"viewport": None}, phone=True)),
    case("nav.link_density", PASS, page(*(link(f"Page {n}", f"/{n}", landmark="nav") for n in range(7)))),
    case("nav.link_density", WARN, page(*(link(f"Page {n}", f"/{n}", landmark="nav") for n in range(8))), value=8),
    case("nav.link_density", PASS, page(*(link("Same", "/x", landmark="nav") for _ in range(9))), name="repeated"),
    case("nav.link_density", PASS, page(stats={"words": 100, "words_in_links": 50})),
    case("nav.link_density", WARN, page(stats={"words": 100, "words_in_links": 51}), variant="share"),
    case("nav.link_density", SKIP, page(stats={"words": 10})),
    case("nav.link_density", SKIP, page(url="https://shop.test/blog/x"), kind=PageType.OTHER, name="article"),
]

CASES = [*CTA, *HEADLINE, *COPY, *FORMS, *TRUST, *OVERLAYS, *MEDIA, *PERFORMANCE, *HEAD]


def say(rule_id: str, given: PageFacts) -> engine.Said:
    name = ViewportName.MOBILE if given.viewport.mobile else ViewportName.DESKTOP
    (said,) = engine.run([BY_ID[rule_id]], view.build({name: given}), load())
    return said


@pytest.mark.parametrize("one", CASES)
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


@pytest.mark.parametrize("one", [p for p in CASES if p.values[0].expected in {FAIL, WARN}])
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
        lesser = BY_ID[one.rule].indicative or "no_reject" in made[0].title or "refuse" in finding.title
        assert lesser or finding.severity is not Severity.INFO or one.variant == "long_description"


def test_every_rule_is_tested_failing_and_not_applying_or_passing() -> None:
    seen: dict[str, set[Outcome]] = {}
    for param in CASES:
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
