"""Which elements ask the visitor to act, and which of them is the page's main action.

A candidate is a button, a submit input, or a link that looks like a button, visible and named, and no utility
(menu, search, login, consent, social, carousel) nor an entry of a list of links. The main action is the candidate with
the highest score of verb, filled style, area and position; on a tie the higher one on the page.
"""

import itertools
import re
from collections.abc import Iterable, Iterator

from analyzer import addresses, geometry, lexicon
from contracts.facts import Element, Overlay, OverlayKind, PageFacts

_PADDING_PX = 6
_UTILITY_LANDMARKS = frozenset({"consent", "search", "dialog"})
_CONTROL_ROLES = frozenset(
    {"tab", "switch", "checkbox", "radio", "menuitem", "option", "combobox", "slider", "spinbutton", "searchbox"}
)
_SUBMITS = frozenset({"submit", "button", "image"})
_SOCIAL = frozenset(
    [
        "facebook.com",
        "x.com",
        "twitter.com",
        "instagram.com",
        "linkedin.com",
        "youtube.com",
        "tiktok.com",
        "pinterest.com",
        "github.com",
        "t.me",
        "threads.net",
        "mastodon.social",
        "reddit.com",
        "dribbble.com",
        "behance.net",
        "xing.com",
        "vimeo.com",
        "wa.me",
        "snapchat.com",
        "discord.gg",
        "medium.com",
    ]
)
_SOCIAL_NAMES = frozenset(host.split(".")[0] for host in _SOCIAL if len(host.split(".")[0]) > 2) | {"linked in"}  # noqa: PLR2004  # "x" and "t" are words
_STORES = {
    "Get it on Google Play": re.compile(r"google[ _-]?play|play[ _-]?store"),
    "Download on the App Store": re.compile(r"app[ _-]?store"),
}
_PAGES = frozenset({"«", "»", "‹", "›", "…"})  # noqa: RUF001  # the signs that pagination uses
_BAR_PX = 110
_ICON_PX = 40
_LARGE_PX2 = 16_000
_LONGEST_LABEL = 60
_TOUCHING_PX, _LEAST_ROWS = 2, 3


def label(element: Element) -> str:
    """Return what the visitor reads on an element, or its accessible name when it shows no words."""
    return " ".join((element.text if lexicon.plain(element.text) else element.name or element.text).split())


def shaped(element: Element) -> bool:
    """Say whether an element looks or is built like a button."""
    if element.tag == "button" or element.role == "button":
        return True
    if element.tag == "input":
        return element.field is not None and element.field.type in _SUBMITS
    style = element.style
    if element.tag != "a" or style is None:
        return False
    return (style.filled or style.border_px >= 1) and style.padding_px >= _PADDING_PX


def social(element: Element) -> bool:
    """Say whether an element leads to a profile in a social network; a button that says “watch the film” does not."""
    host = addresses.host(element.link.href).removeprefix("www.") if element.link else ""
    if lexicon.plain(element.name or element.text) in _SOCIAL_NAMES:
        return True
    there = any(host == site or host.endswith("." + site) for site in _SOCIAL)
    return there and not (shaped(element) and lexicon.mentions("verbs", element.text))


def _opens_menu(element: Element, language: str) -> bool:
    """Say whether a plain word of the navigation is a button only because it opens a menu."""
    style = element.style
    bare = style is not None and not style.filled and style.border_px < 1
    return bare and element.landmark == "nav" and not lexicon.mentions("verbs", label(element), language)


def _utility(element: Element, language: str) -> bool:
    words = label(element)
    if element.landmark in _UTILITY_LANDMARKS or element.role in _CONTROL_ROLES or social(element):
        return True
    if words.isdigit() or words in _PAGES or words.endswith("?") or len(words) > _LONGEST_LABEL:
        return True  # pagination, accordion questions, clickable cards
    if not lexicon.plain(words) or _opens_menu(element, language):
        return True
    if lexicon.equals("utility", words, language) or lexicon.equals("turning", words, language):
        return True
    acts = lexicon.mentions("strong", words, language)
    if not acts and max(element.box.width, element.box.height) <= _ICON_PX:
        return not lexicon.mentions("verbs", words, language)  # swatches, arrows, closing crosses
    return not acts and lexicon.mentions("utility", words, language)


def _in_overlay(element: Element, overlays: Iterable[Overlay]) -> bool:
    return not element.covered and any(
        overlay.kind is not OverlayKind.BAR and geometry.contains(overlay.box, element.box) for overlay in overlays
    )


def _store_badge(element: Element, pictures: list[Element]) -> Element | None:
    """Return a link that shows an app store's badge, named after the store; None for any other element."""
    if element.tag != "a" or element.text.strip():
        return None
    shown = [p for p in pictures if geometry.overlap(p.box, element.box) > 0]
    hints = " ".join([element.name, *(p.picture.src.rpartition("/")[2] for p in shown if p.picture)]).casefold()
    store = next((name for name, pattern in _STORES.items() if pattern.search(hints)), None)
    if store is None or not shown:
        return None
    return element.model_copy(
        update={"name": element.name if lexicon.plain(element.name) else store, "box": shown[0].box}
    )


def _shaped(facts: PageFacts) -> Iterator[Element]:
    seen = [element for element in facts.elements if element.visible]
    pictures = [element for element in seen if element.tag == "img" and element.picture is not None]
    for element in seen:
        if shaped(element):
            yield element
        elif (badge := _store_badge(element, pictures)) is not None:
            yield badge


def _rows(shaped_: list[Element]) -> set[str]:
    """Return the ids of links that touch each other in a column of equal width: a menu's entries, not buttons."""
    columns: dict[tuple[float, float], list[Element]] = {}
    for element in shaped_:
        if element.tag == "a":
            columns.setdefault((round(element.box.x), round(element.box.width)), []).append(element)
    rows: set[str] = set()
    for column in columns.values():
        column.sort(key=lambda e: e.box.y)
        touching = [b for a, b in itertools.pairwise(column) if abs(a.box.y + a.box.height - b.box.y) <= _TOUCHING_PX]
        if len(touching) + 1 >= _LEAST_ROWS:
            rows |= {e.id for a, b in itertools.pairwise(column) if b in touching for e in (a, b)}
    return rows


def candidates(facts: PageFacts, language: str) -> tuple[Element, ...]:
    """Return the actions of a page in document order."""
    shaped_ = list(_shaped(facts))
    rows = _rows(shaped_)
    return tuple(
        element
        for element in shaped_
        if element.id not in rows
        and label(element)
        and not _utility(element, language)
        and not _in_overlay(element, facts.overlays)
    )


def in_bar(element: Element) -> bool:
    """Say whether an element belongs to the site's navigation rather than to the page's content."""
    if element.landmark == "nav":
        return True
    docked = element.style is not None and element.style.position in {"fixed", "sticky"}
    return element.box.y < _BAR_PX and (docked or element.landmark == "header")


def score(element: Element, language: str) -> float:
    """Rate how likely an element is the page's main action: verb, filled style, area, place."""
    words = label(element)
    filled = (element.style is not None and element.style.filled) or not shaped(element)
    points = 3.0 if lexicon.mentions("strong", words, language) else 0.0
    points += 2.0 if lexicon.mentions("verbs", words, language) else 0.0
    points -= 1.0 if lexicon.equals("generic", words, language) else 0.0
    points += 3.0 if filled else 0.0
    points += 2.0 * min(geometry.area(element.box) / _LARGE_PX2, 1)
    if element.first_screen >= 0.5:  # noqa: PLR2004  # half of it: rule cta.above_fold
        points += 1.0 if in_bar(element) else 6.0
    points -= 3.0 if element.landmark in {"footer", "aside"} else 0.0
    return points


def choose(actions: Iterable[Element], language: str) -> Element | None:
    """Return the main action, or None when there is no candidate."""
    ranked = sorted(actions, key=lambda element: (-score(element, language), element.box.y, element.box.x))
    return ranked[0] if ranked else None
