"""Where the main links lead, and whether the preview picture loads: asked with HEAD requests, as anybody may."""

import re
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from contracts.facts import Element, Link, LinkKind, PageFacts
from renderer import raw
from renderer.page import Page
from renderer.probing import script

LONGEST: Final = timedelta(seconds=2.5)
_LIMIT_MS: Final = 2_000
_MOST: Final = 6
_ACTS: Final = re.compile(r"log-?out|sign-?out|delete|remove|unsubscribe|add[-_]?to|/cart/|/warenkorb/", re.IGNORECASE)
"""Addresses that may do something: never asked, although HEAD should be safe."""

_RUN: Final = script.read("probing/targets.js")


def wanted(facts: PageFacts) -> list[str]:
    """Return the addresses of links that look like buttons, the first screen's first: same origin, at most 6."""
    here = urlsplit(facts.url)
    own = (here.scheme, here.netloc)
    shown = [
        e for e in facts.elements if e.visible and e.link and e.style and (e.style.filled or e.style.border_px >= 1)
    ]
    shown.sort(key=lambda e: (-e.first_screen, e.box.y))
    hrefs = []
    for element in shown:
        link = element.link
        if link is None or link.kind is not LinkKind.INTERNAL or _ACTS.search(link.href):
            continue
        parts = urlsplit(link.href)
        if (parts.scheme, parts.netloc) == own and parts._replace(fragment="") != here._replace(fragment=""):
            hrefs.append(link.href)
    return list(dict.fromkeys(hrefs))[:_MOST]


async def run(page: Page, facts: PageFacts, longest: timedelta = LONGEST) -> PageFacts:
    """Return the facts with what the targets answered. What gives no answer in time stays unknown."""
    links, image = wanted(facts), facts.meta.og.get("og:image", "") or facts.meta.og.get("og:image:url", "")
    image = image if image.startswith(("http://", "https://")) else ""
    if not links and not image:
        return facts
    source = script.with_values(_RUN, LINKS=links, IMAGE=image, LIMIT_MS=_LIMIT_MS)
    answer = await script.run(page, source, longest)
    if answer is None:
        return facts
    statuses = dict(zip(links, (raw.count(one, 599) for one in raw.items(answer.get("statuses"), _MOST)), strict=False))
    loads = answer.get("image")
    meta = facts.meta.model_copy(update={"og_image_loads": loads if isinstance(loads, bool) else None})
    elements = [_asked(element, statuses) for element in facts.elements]
    return facts.model_copy(update={"meta": meta, "elements": elements})


def _asked(element: Element, statuses: dict[str, int]) -> Element:
    link: Link | None = element.link
    status = statuses.get(link.href, 0) if link else 0
    if link is None or not status:
        return element
    return element.model_copy(update={"link": link.model_copy(update={"status": status})})
