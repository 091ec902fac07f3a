"""Rules about proof, price and risk: what backs the offer."""

import re

from analyzer import lexicon, money
from analyzer.rules.rule import OFFER, PRICED, PRODUCT, Limits, Proof, Rule, Scope, Verdict, passed, skip
from analyzer.view import View, blank
from contracts.facts import Element
from contracts.result import Grade, LiftFactor, Outcome, PageType

_REVIEWS = frozenset({"Review", "AggregateRating", "EmployerAggregateRating"})
_QUOTED = re.compile(r"[\"“„«»‟].{30}")
_STARS = re.compile(r"[★⭐]|\b[1-5](?:[.,]\d)?\s?(?:/|out of|von|sur|de|su|van|z)\s?5\b", re.IGNORECASE)
_COUNT = re.compile(r"\d[\d.,' \u00a0\u202f]*(?:k|m|mio|million)?\+?\s+(?:[\w-]+\s+){0,2}?([\w-]+)", re.IGNORECASE)
_CROWD_WORDS = 3
_LOGOS, _LOGO_HEIGHT_PX, _LOGO_WIDTH_PX, _SAME_ROW_PX = 3, 120, 320, 40
_HEADING_GAP_PX, _LINE_WORDS = 150, 12
_UNKNOWN_LANGUAGE = "The page's language is not in the lexicon"


def _crowd(view: View, nouns: frozenset[str]) -> bool:
    crowd, said = lexicon.words("crowd", view.language), lexicon.plain(view.facts.text).split()
    return any(
        nouns.intersection(said[at + 1 : at + 1 + _CROWD_WORDS]) for at, word in enumerate(said) if word in crowd
    )


def _counts(view: View) -> bool:
    nouns = lexicon.words("customers", view.language)
    if _crowd(view, nouns):
        return True
    hits = (match for match in _COUNT.finditer(view.facts.text.casefold()) if match.group(1) in nouns)
    return any(int(re.sub(r"\D", "", match.group(0)) or 0) >= 10 or "k" in match.group(0) for match in hits)  # noqa: PLR2004  # "3 users" is a plan's limit, not a proof


def _introduced(view: View, row: list[Element]) -> bool:
    """Say whether the pictures are called logos, or a heading or a short line stands above them."""
    if sum("logo" in f"{e.name} {e.picture.src if e.picture else ''}".casefold() for e in row) >= _LOGOS:
        return True
    top = min(e.box.y for e in row)
    return any(
        0 <= top - (e.box.y + e.box.height) <= _HEADING_GAP_PX and (e.heading_level or _short(e)) for e in view.seen
    )


def _short(element: Element) -> bool:
    return not element.clickable and 0 < len(element.text.split()) <= _LINE_WORDS


def _logo_row(view: View) -> bool:
    rows: dict[int, list[Element]] = {}
    for element in view.seen:
        box = element.box
        small = box.height <= _LOGO_HEIGHT_PX and box.width <= _LOGO_WIDTH_PX
        if (
            element.picture is not None
            and small
            and not blank(element.picture)
            and element.landmark not in {"nav", "footer", "header"}
        ):
            rows.setdefault(round((box.y + box.height / 2) / _SAME_ROW_PX), []).append(element)
    return any(len(row) >= _LOGOS and _introduced(view, row) for row in rows.values())


def _quotes(view: View) -> bool:
    return any(e.tag in {"blockquote", "q"} or _QUOTED.match(e.text.strip()) for e in view.seen)


def _social_proof(view: View, _limits: Limits) -> list[Verdict]:
    facts = view.facts
    if set(facts.meta.json_ld_types) & _REVIEWS:
        return passed("rating data")
    signs = {
        "stars": facts.star_rows > 0 or bool(_STARS.search(facts.text)),
        "quotation": _quotes(view),
        "customer words": lexicon.mentions("praise", facts.text, view.language),
        "customer count": _counts(view),
        "logo row": _logo_row(view),
    }
    found = next((name for name, seen in signs.items() if seen), "")
    if found:
        return passed(found)
    if view.language not in lexicon.languages():
        return skip(_UNKNOWN_LANGUAGE)
    return [Verdict(Outcome.WARN, "none", (Proof("social_proof", "none", "at least one kind"),))]


def _returns(view: View, _limits: Limits) -> list[Verdict]:
    links = " | ".join(f"{e.text} | {e.name}" for e in view.facts.elements if e.link is not None)
    if lexicon.mentions("returns", f"{view.facts.text} | {links}", view.language):
        return passed(1)
    if view.language not in lexicon.languages():
        return skip(_UNKNOWN_LANGUAGE)
    return [Verdict(Outcome.WARN, 0, (Proof("returns_or_delivery_text", "none", "named"),))]


def _priced(view: View) -> list[Element]:
    return [element for element in view.seen if money.amounts(element.text or element.name)]


def _price(view: View, _limits: Limits) -> list[Verdict]:
    total = len(money.amounts(view.facts.text))
    if view.type is PageType.PRICING:
        if total:
            return passed(total)
        return [Verdict(Outcome.FAIL, 0, (Proof("amounts", 0, 1, "amounts"),), "none")]
    priced = _priced(view)
    early = [element for element in priced if element.first_screen > 0]
    if early:
        return passed(early[0].text, Proof("price", early[0].text[:40], element=early[0]))
    if total and not priced:
        return skip("The price's place on the page is not known")
    proofs = tuple(
        Proof("price_top", round(element.box.y), view.facts.viewport.height, "px", element) for element in priced
    )
    return [Verdict(Outcome.WARN, total, proofs, "" if priced else "none")]


RULES = (
    Rule(
        id="trust.social_proof",
        definition="None of these on the page: rating data, stars, a quotation or words of customers, a row of three "
        "logos under a heading (or called logos), a customer count: warn.",
        factor=LiftFactor.ANXIETY,
        category="trust",
        grade=Grade.C,
        sources=("Cialdini, Influence: social proof",),
        check=_social_proof,
        types=OFFER,
        scope=Scope.PAGE,
        heuristics=("cialdini-social-proof",),
    ),
    Rule(
        id="trust.returns",
        definition="A product page without a word or link on returns, delivery or guarantee: warn.",
        factor=LiftFactor.ANXIETY,
        category="trust",
        grade=Grade.B,
        sources=("Baymard Institute: product pages, shipping and returns",),
        check=_returns,
        types=PRODUCT,
        scope=Scope.PAGE,
    ),
    Rule(
        id="price.visible",
        definition="Product page without an amount and its currency in the first screen: warn. Pricing page without "
        "any amount: fail.",
        factor=LiftFactor.CLARITY,
        category="price",
        grade=Grade.C,
        sources=("Convention: the price is among the first things a buyer looks for",),
        check=_price,
        unit="amounts",
        types=PRICED,
        heuristics=("nielsen-1",),
    ),
)
