"""What kind of section a part of the page is, by its tag, its heading and what lies in it."""

from collections.abc import Sequence

from analyzer import geometry, lexicon, money, primary
from analyzer.view import View
from contracts.facts import Element
from contracts.render import Section
from contracts.result import PageType

_AMOUNTS = 2
_FEATURES, _LOGOS, _QUESTIONS, _FIELDS = 3, 4, 3, 2
_LOGO_HEIGHT_PX = 120
_LOGO_WORDS = 25
_TALL_BAR_PX = 160
_TOP_PX = 5


def _inside(section: Section, view: View) -> list[Element]:
    return [element for element in view.seen if geometry.centre_in(section.box, element.box)]


def _headings(elements: Sequence[Element], section: Section) -> str:
    return " | ".join([section.heading, *(e.text for e in elements if 0 < e.heading_level <= 3)])  # noqa: PLR2004  # h1 to h3 name a section


def _is_form(elements: Sequence[Element], view: View) -> bool:
    inside = {element.id for element in elements}
    return sum(control.element.id in inside for control in view.fields) >= _FIELDS


def _is_logos(elements: Sequence[Element]) -> bool:
    logos = [e for e in elements if e.picture is not None and e.box.height <= _LOGO_HEIGHT_PX]
    words = sum(len(e.text.split()) for e in elements if not e.clickable)
    return len(logos) >= _LOGOS and words <= _LOGO_WORDS


def _is_quote(elements: Sequence[Element]) -> bool:
    return any(e.tag in {"blockquote", "q"} for e in elements)


def _by_words(heading: str, elements: Sequence[Element], language: str) -> str:
    text = " | ".join(e.text for e in elements)
    amounts = len(money.amounts(text))
    if lexicon.mentions("faq", heading, language) and sum("?" in e.text for e in elements) >= _QUESTIONS:
        return "faq"
    if amounts >= _AMOUNTS and lexicon.mentions("pricing", f"{heading} | {text[:2000]}", language):
        return "pricing"
    if lexicon.mentions("cart", heading, language):
        return "cart"
    if _is_quote(elements) or lexicon.mentions("praise", heading, language):
        return "testimonials"
    return ""


def _is_product(elements: Sequence[Element], language: str) -> bool:
    buys = any(primary.shaped(e) and lexicon.mentions("buy", primary.label(e), language) for e in elements)
    return buys and any(money.amounts(e.text) for e in elements)


def _is_features(heading: str, elements: Sequence[Element], language: str) -> bool:
    minor = [e for e in elements if e.heading_level >= 3]  # noqa: PLR2004  # beneath the section's own heading
    return len(minor) >= _FEATURES or lexicon.mentions("features", heading, language)


def _is_nav(section: Section) -> bool:
    return section.tag == "nav" or (section.tag == "header" and section.box.height <= _TALL_BAR_PX)


def _is_hero(section: Section, elements: Sequence[Element], view: View) -> bool:
    screen = view.facts.viewport.height
    titled = any(e.heading_level == 1 for e in elements)
    return section.box.y < screen / 2 and (titled or section.box.y <= _TOP_PX or section.box.height > screen / 2)


def _by_content(heading: str, elements: Sequence[Element], view: View) -> str:
    if known := _by_words(heading, elements, view.language):
        return known
    signs = {
        "form": _is_form(elements, view),
        "logos": _is_logos(elements),
        "product": _is_product(elements, view.language),
        "features": _is_features(heading, elements, view.language),
    }
    return next((name for name, seen in signs.items() if seen), "other")


def label(section: Section, view: View) -> str:
    """Return hero, nav, features, pricing, testimonials, logos, faq, form, product, cart, footer or other."""
    elements = _inside(section, view)
    if section.tag == "footer":
        return "footer"
    if _is_nav(section) and not any(e.heading_level == 1 for e in elements):
        return "nav"
    if view.type is PageType.PRODUCT and _is_product(elements, view.language):
        return "product"
    if _is_hero(section, elements, view):
        return "hero"
    return _by_content(_headings(elements, section), elements, view)
