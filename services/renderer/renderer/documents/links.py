"""Where a page leads."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from renderer.documents.addresses import Base, host
from renderer.documents.tree import line

MAX_LINKS: Final = 20_000
_TEXT_CAP: Final = 300


class Kind(StrEnum):
    """Where a link leads: another page of this site, another site, a mailbox, a telephone, a place in this page."""

    INTERNAL = "internal"
    EXTERNAL = "external"
    MAILTO = "mailto"
    TEL = "tel"
    ANCHOR = "anchor"


@dataclass(frozen=True)
class Link:
    """One link, in the order of the page. Without text of its own, it has that of its label or title."""

    url: str
    text: str
    rel: list[str]
    kind: Kind
    nofollow: bool


def links(tree: LexborHTMLParser, base: Base, page: Base) -> list[Link]:
    """Return the links; `base` is what relative ones hang on, `page` where the page itself is."""
    found = (_link(node, base, page) for node in tree.css("a[href], area[href]")[:MAX_LINKS])
    return [link for link in found if link]


def _link(node: LexborNode, base: Base, page: Base) -> Link | None:
    given = node.attributes
    url = base.resolve(given.get("href") or "")
    if not url:
        return None
    label = given.get("aria-label") or given.get("title") or given.get("alt") or ""
    rel = (given.get("rel") or "").lower().split()[:10]
    text = line(node, _TEXT_CAP) or " ".join(label.split())[:_TEXT_CAP]
    return Link(url=url, text=text, rel=rel, kind=_kind(url, page), nofollow="nofollow" in rel)


def _kind(url: str, page: Base) -> Kind:
    scheme = url.partition(":")[0].lower()
    if scheme in {"mailto", "tel"}:
        return Kind(scheme)
    address, mark, _ = url.partition("#")
    if mark and address == page.url.partition("#")[0]:
        return Kind.ANCHOR
    return Kind.INTERNAL if host(url) == page.host else Kind.EXTERNAL
