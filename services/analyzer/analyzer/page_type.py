"""What a page is for, by signals: address, structured data, forms, words, amounts."""

import re

from analyzer import addresses, lexicon, money, primary
from contracts.facts import PageFacts
from contracts.result import PageType

_CHECKOUT_PATH = re.compile(r"/(checkout|kasse|payment|commande|cassa|afrekenen|finalizar-compra)(/|$|\.)")
_PRICING_PATH = re.compile(r"/(pricing|prices|plans|preise|tarife|tarifs|precios|prezzi|prijzen|precos|cennik)(/|$|\.)")
_ARTICLE_PATH = re.compile(r"/(blog|news|article|articles|docs|wiki|magazin|actualites)(/|$|\.)")
_SERVICE_PATH = re.compile(
    r"/(contact|contact[-_]us|kontakt|contacto|contatti|contato|about|about[-_]us|ueber[-_]uns|a[-_]propos|faqs?|help|"
    r"support|log[-_]?in|sign[-_]?(?:in|up)|register|password|imprint|impressum|privacy|datenschutz|terms|legal)(/|$|\.)"
)
"""Pages that answer a question or take a customer on: they are no offer, so nothing has to sell on them."""

_PRODUCT = frozenset({"Product", "ProductGroup", "Vehicle"})
_LISTS = frozenset({"ItemList", "CollectionPage", "SearchResultsPage"})
_ARTICLES = frozenset({"Article", "BlogPosting", "NewsArticle", "TechArticle", "FAQPage", "QAPage"})
_AMOUNTS_OF_PLANS = 3
_LONG_READ = 2_500
_DEEP_PATH = 2


def _headings(facts: PageFacts) -> str:
    return " | ".join(e.text or e.name for e in facts.elements if e.visible and e.heading_level == 1)


def _is_checkout(facts: PageFacts) -> bool:
    cards = any(e.field is not None and e.field.autocomplete.startswith("cc-") for e in facts.elements)
    purpose = any(form.purpose == "checkout" for form in facts.forms)
    return purpose or cards or (bool(_CHECKOUT_PATH.search(addresses.path(facts.url))) and bool(facts.forms))


def _is_product(facts: PageFacts, language: str) -> bool:
    kinds = set(facts.meta.json_ld_types)
    if kinds & _LISTS:
        return False
    if kinds & _PRODUCT or facts.meta.og.get("type", "").startswith("product"):
        return True
    shown = (e for e in primary.candidates(facts, language) if e.first_screen)
    buys = [e for e in shown if lexicon.mentions("buy", primary.label(e), language)]
    return len(buys) == 1 and bool(money.amounts(facts.text))


def _is_pricing(facts: PageFacts, language: str) -> bool:
    if _PRICING_PATH.search(addresses.path(facts.url)):
        return True
    titled = lexicon.mentions("pricing", f"{facts.meta.title} | {_headings(facts)}", language)
    return titled and len(money.amounts(facts.text)) >= _AMOUNTS_OF_PLANS


def _is_article(facts: PageFacts) -> bool:
    kinds = set(facts.meta.json_ld_types)
    declared = bool(kinds & _ARTICLES) or facts.meta.og.get("type", "") == "article"
    return declared or _ARTICLE_PATH.search(addresses.path(facts.url)) is not None


def _is_list(facts: PageFacts, language: str) -> bool:
    links = (e for e in facts.elements if e.visible and e.link is not None)
    return any(lexicon.equals("turning", primary.label(link), language) for link in links)


def _is_landing(facts: PageFacts, language: str) -> bool:
    if _is_list(facts, language) or _SERVICE_PATH.search(addresses.path(facts.url)):
        return False
    depth = len([part for part in addresses.path(facts.url).split("/") if part])
    if _is_article(facts) or facts.text_stats.words > _LONG_READ:
        return False
    return depth < _DEEP_PATH or any(not primary.in_bar(action) for action in primary.candidates(facts, language))


def detect(facts: PageFacts, language: str) -> PageType:
    """Return the page's type; the first that fits of checkout, product, pricing, landing."""
    if _is_checkout(facts):
        return PageType.CHECKOUT
    if _is_product(facts, language):
        return PageType.PRODUCT
    if _is_pricing(facts, language):
        return PageType.PRICING
    return PageType.LANDING if _is_landing(facts, language) else PageType.OTHER
