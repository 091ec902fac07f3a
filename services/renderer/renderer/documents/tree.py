"""A parsed page, walked without recursion: what is shown, in its order, with the end of each element."""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from renderer.documents.nesting import SHADOW, bounded, opened, tags

TEXT: Final = "-text"
_NOISE: Final = tags(
    "head script style template noscript svg iframe object embed canvas audio video map select datalist textarea"
    " progress meter frame frameset rp -comment"
)
INLINE: Final = tags(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark math nobr output q rb rt ruby"
    " s samp slot small span strike strong sub sup time tt u var wbr button input"
)
_HIDDEN: Final = (
    '[hidden]:not([hidden="until-found"]), dialog:not([open]), [style*="display:none" i], [style*="display: none" i],'
    ' [style*="visibility:hidden" i], [style*="visibility: hidden" i]'
)
_INVISIBLE: Final = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\xad\u200b\u2060\ufeff\ufffe\uffff]")
_SPACE: Final = re.compile("[ \t\n\f\r\xa0]+")


class Step(Enum):
    """What a walk comes by."""

    ENTER = "enter"
    LEAVE = "leave"
    TEXT = "text"


def parse(html: str) -> LexborHTMLParser:
    """Parse any text; shadow roots become elements, and what a slot would show in place of them is left out."""
    flat = opened(html)
    tree = LexborHTMLParser(bounded(flat))
    if flat is not html:
        for slot in tree.css(f"{SHADOW} slot"):
            if _has_light(slot):
                slot.decompose()
    return tree


def hidden(tree: LexborHTMLParser) -> frozenset[int]:
    """Return the ids of elements whose markup alone says that they are not shown."""
    return frozenset(node.mem_id for node in tree.css(_HIDDEN))


def top(tree: LexborHTMLParser) -> LexborNode | None:
    """Return what holds the content."""
    return tree.body or tree.root


def walk(top: LexborNode | None, left_out: frozenset[int]) -> Iterator[tuple[Step, str, LexborNode]]:
    """Go through what is below `top`, without noise and without the elements that `left_out` names."""
    node, above = (top.child if top else None), list[tuple[LexborNode, str]]()
    while node is not None:
        tag = node.tag or ""
        inside = None
        if tag == TEXT:
            yield Step.TEXT, tag, node
        elif tag not in _NOISE and node.mem_id not in left_out:
            yield Step.ENTER, tag, node
            inside = node.child
            if inside is None:
                yield Step.LEAVE, tag, node
        if inside is not None:
            above.append((node, tag))
            node = inside
            continue
        while (following := node.next) is None and above:
            node, tag = above.pop()
            yield Step.LEAVE, tag, node
        node = following


def clean(text: str) -> str:
    """Return text without characters that neither show nor separate."""
    return _INVISIBLE.sub("", text)


def spaced(text: str) -> str:
    """Return text with every run of white space as one space, as a browser shows it."""
    return _SPACE.sub(" ", clean(text))


def line(top: LexborNode, cap: int) -> str:
    """Return the text below `top` as one line of at most `cap` characters."""
    parts: list[str] = []
    size = 0
    for step, tag, node in walk(top, frozenset()):
        if step is Step.TEXT:
            parts.append(node.text_content or "")
            size += len(parts[-1])
        elif tag == "img":
            parts.append(f" {node.attributes.get('alt') or ''} ")
        elif tag not in INLINE:
            parts.append(" ")
        if size > cap * 4:
            break
    return spaced("".join(parts)).strip()[:cap]


def _has_light(slot: LexborNode) -> bool:
    node: LexborNode | None = slot
    while node is not None and node.tag != SHADOW:
        node = node.parent
    beside = node.next if node else None
    while beside is not None:
        if beside.tag != TEXT or (beside.text_content or "").strip():
            return True
        beside = beside.next
    return False
