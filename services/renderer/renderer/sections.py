"""A page cut into the sections that a reader would name.

The document says where, in the same answer as the facts; pixels, where there are any, keep the cuts beside drawings.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contracts.geometry import Box, Viewport
from contracts.outputs import MAX_CAPTURE_PX
from contracts.render import Section
from renderer import bands, blocks, raw
from renderer.bands import Band, Drawn, Solids
from renderer.blocks import Block
from renderer.raw import Object
from renderer.rows import Span

BUDGET: Final = 12
PHONE_BUDGET: Final = 6
_FIRST: Final = ("hero", "form", "pricing", "product", "testimonials", "logos")
"""Sections that decide whether a visitor acts; the others follow in the order of the page."""
_WORDS: Final = {
    "cart": r"\b(cart|basket|checkout|warenkorb|panier|carrito|carrello|winkelwagen|carrinho|koszyk)\b",
    "pricing": (
        r"\b(pric(e|es|ing)|plans?|preise?|tarife?|tarifs?|prix|precios?|planes|prezzi|prijzen|pre[cç]os|cennik)\b"
    ),
    "faq": r"\bfaqs?\b|frequently asked|häufige fragen|questions fréquentes|preguntas frecuentes|domande frequenti",
    "testimonials": (
        r"\b(testimonials?|reviews?|feedback|kundenstimmen|bewertungen|témoignages|avis|testimonios|opiniones"
        r"|recensioni|ervaringen|depoimentos|opinie)\b|what (our )?(people|customers|clients) (are )?say|stories"
    ),
    "logos": r"\b(logos?|clients?|brands?|partners?|trusted by|as seen|press|kunden|partenaires|socios)\b",
    "product": r"\b(products?|shop|store|produkte?|produits?|productos?|prodotti|producten|produtos?)\b",
    "features": (
        r"\b(features?|services?|benefits?|why|how it works|funktionen|leistungen|vorteile|fonctionnalités|avantages"
        r"|características|servicios|funzioni|servizi|functies|voordelen|recursos|funkcje)\b"
    ),
}
_LOGO_TEXT, _FORM_TEXT, _SMALL_PX, _PLANS = 300, 2_500, 500, 10


@dataclass(frozen=True)
class _Heading:
    level: int
    text: str
    middle: float


@dataclass(frozen=True)
class _Screen:
    viewport: Viewport
    width: float


def split(raw_facts: str, viewport: Viewport, plain: Sequence[Span] = ()) -> list[Section]:
    """Cut the page into sections, from top to bottom; no more than a model should be shown.

    `plain` are the heights, in CSS pixels, at which a picture of the whole page shows nothing (`rows.read`).

    Raises ServiceError(PAGE_UNSTABLE) where the script gave no answer at all.
    """
    page = raw.load(raw_facts)
    height = min(raw.number(page.get("document_height"), 0), MAX_CAPTURE_PX)
    headings = _headings(page)
    laid = [(band, _kind(band, viewport, _heading(band, headings))) for band in _bands(page, height, Drawn(plain))]
    names: set[str] = set()
    screen = _Screen(viewport, _width(page, viewport))
    found = [_section(band, kind, _heading(band, headings), screen, names) for band, kind in laid]
    return _within_budget(found, viewport)


def _bands(page: Object, height: float, drawn: Drawn) -> list[Band]:
    solids = Solids.of(page)
    parts = [part for part in blocks.parts(blocks.tree(page)) if part.top < height]
    laid = bands.merge(bands.cover(parts, solids, height, drawn))
    groups = bands.repeats(page)
    return [piece for band in laid for piece in bands.cut(band, solids, groups, drawn) if piece.height >= 1]


def _width(page: Object, viewport: Viewport) -> float:
    # A phone lays a page without a viewport tag out at 980 px and zooms out.
    wide = raw.number(raw.child(page.get("view")).get("layout"), viewport.width, viewport.width * 4)
    return wide if viewport.mobile else viewport.width


def _headings(page: Object) -> list[_Heading]:
    found = []
    for row in raw.rows(page.get("elements"), 2_000):
        box, level, text = (
            raw.box(row.get("box")),
            raw.count(row.get("heading_level"), 6),
            raw.text(row.get("text"), 200),
        )
        if level and box and text and row.get("visible") is True:
            found.append(_Heading(level, text, box.y + box.height / 2))
    return found


def _heading(band: Band, headings: Sequence[_Heading]) -> str:
    inside = [heading for heading in headings if band.top <= heading.middle < band.bottom]
    return min(inside, key=lambda heading: (max(heading.level, 1), heading.middle)).text if inside else ""


def _kind(band: Band, viewport: Viewport, heading: str) -> str:
    if band.top < 1 and band.part == 0:
        return "hero"
    main = band.main
    if main is None:
        return "other"
    # The names of wrappers say as much as the name of the block within them.
    words = re.sub(r"[-_#.>]", " ", f"{' '.join(block.words for block in band.blocks)} {main.path} {heading}").lower()
    if main.tag == "footer" or main.role == "contentinfo" or re.search(r"\bfooter\b", main.words):
        return "footer"
    if main.tag == "nav":
        return "nav"
    return _counted(band, words, viewport) or _worded(words) or "other"


def _counted(band: Band, words: str, viewport: Viewport) -> str:
    total = {name: sum(block.counts[name] for block in band.blocks) for name in blocks.COUNTS}
    characters = sum(block.characters for block in band.blocks)
    if total["fields"] and characters < _FORM_TEXT and not re.search(_WORDS["cart"], words):
        return "form"
    many = 3
    if total["questions"] >= many:
        return "faq"
    if total["quotes"]:
        return "testimonials"
    if total["prices"] >= many:
        # Plans are few; goods are many, and each has its picture.
        return "product" if total["prices"] > _PLANS or total["images"] >= total["prices"] else "pricing"
    small = band.height <= _SMALL_PX * (1 + viewport.mobile)
    return "logos" if total["images"] >= many and characters < _LOGO_TEXT and small and not total["heads"] else ""


def _worded(words: str) -> str:
    return next((kind for kind, pattern in _WORDS.items() if re.search(pattern, words)), "")


def _section(band: Band, kind: str, heading: str, screen: _Screen, names: set[str]) -> Section:
    main = band.main
    box = Box(x=0, y=round(band.top), width=screen.width, height=round(band.bottom) - round(band.top))
    return Section(
        id=_name(main, kind, heading, band.part, names),
        viewport=screen.viewport,
        box=box,
        heading=heading,
        tag=main.tag if main else "",
        kind=kind,
        sampled=band.sampled,
    )


def _name(main: Block | None, kind: str, heading: str, part: int, names: set[str]) -> str:
    path = main.path if main else ""
    # Counters, dates and prices in a heading change from day to day; the section stays the same one.
    words = re.sub(r"\d[\d.,:/]*\d", "0", heading.casefold())
    base = f"{kind}\n{words}\n{path}\n{part}"
    again = 0
    while True:
        name = "s" + hashlib.sha256(f"{base}\n{again}".encode()).hexdigest()[:8]
        if name not in names:
            names.add(name)
            return name
        again += 1


def _within_budget(found: list[Section], viewport: Viewport) -> list[Section]:
    budget = PHONE_BUDGET if viewport.mobile else BUDGET
    rank = {kind: place for place, kind in enumerate(_FIRST)}
    order = sorted(range(len(found)), key=lambda at: (rank.get(found[at].kind, len(_FIRST)), at))
    kept = set(order[:budget])
    return [section for at, section in enumerate(found) if at in kept]
