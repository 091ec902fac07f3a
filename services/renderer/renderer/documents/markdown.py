"""A page as Markdown (CommonMark, with the tables and strikethrough of GitHub's)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from selectolax.lexbor import LexborNode

from renderer.documents.addresses import Base
from renderer.documents.tables import MAX_NESTING, Table
from renderer.documents.tree import INLINE, Step, clean, spaced, walk
from renderer.documents.writing import BREAK, Writer, fenced

_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_MARKS: Final = {
    **dict.fromkeys(("b", "strong"), "**"),
    **dict.fromkeys(("i", "em", "cite", "dfn", "var"), "*"),
    **dict.fromkeys(("code", "kbd", "samp", "tt"), "`"),
    **dict.fromkeys(("del", "s", "strike"), "~~"),
    "dt": "**",
}
_LANGUAGE: Final = re.compile(r"(?:^|\s)(?:lang(?:uage)?|highlight-source)-([\w+#.-]{1,30})")
_BUTTONS: Final = frozenset({"submit", "button", "reset"})
_PIXEL: Final = frozenset({"0", "1", "0px", "1px"})
_TALLEST_NUMBER: Final = 999_999_999


@dataclass
class _List:
    owner: int
    number: int
    """Of the next item; 0 for a list without numbers."""
    begun: bool = False


class _Page:
    """The state of one page while it is written."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._to = Writer()
        self._lists: list[_List] = []
        self._tables: list[Table] = []
        self._pre: list[str] = []
        self._pre_owner = 0

    def written(self, top: LexborNode | None, left_out: frozenset[int]) -> str:
        for step, tag, node in walk(top, left_out):
            if step is Step.TEXT:
                self._text(node)
            elif step is Step.ENTER:
                self._enter(tag, node)
            else:
                self._leave(tag, node)
        self._to.flush()
        return "\n".join(self._to.lines) + "\n" if self._to.lines else ""

    def _text(self, node: LexborNode) -> None:
        text = node.text_content or ""
        if self._pre_owner:
            self._pre.append(clean(text))
        elif text := spaced(text):
            self._to.text(text)

    def _enter(self, tag: str, node: LexborNode) -> None:
        if self._pre_owner:
            if tag == "br":
                self._pre.append("\n")
            return
        if tag not in INLINE and tag != "br":
            self._to.flush()
        if begin := _BEGIN.get(tag):
            begin(self, node)
        if mark := _MARKS.get(tag):
            self._to.open(node.mem_id, mark, mark)
        self._to.heading = _HEADINGS.get(tag, self._to.heading)

    def _leave(self, tag: str, node: LexborNode) -> None:
        here = node.mem_id
        if self._pre_owner:
            if self._pre_owner == here:
                self._end_pre(node)
            return
        if tag in INLINE:
            self._to.shut(here)
            return
        if tag == "br":
            return
        self._to.flush()
        self._to.shut(here)
        self._to.pop(here)
        if tag in _HEADINGS:
            self._to.heading = 0
        elif tag in {"ul", "ol", "menu"}:
            self._end_list(here)
        elif self._tables:
            self._end_cell(here)

    # --- what begins with an element

    def link(self, node: LexborNode) -> None:
        href = node.attributes.get("href")
        if href and (url := self._base.resolve(href)):
            self._to.open(node.mem_id, "[", f"]({_target(url)})")

    def image(self, node: LexborNode) -> None:
        given = node.attributes
        alt, source = given.get("alt"), given.get("src") or ""
        if source.startswith("data:") or not source:
            source = given.get("data-src") or ""
        url = self._base.resolve(source) if source else ""
        pixel = given.get("width") in _PIXEL or given.get("height") in _PIXEL
        # An empty alternative text is how a page says that a picture is decoration.
        if self._to.code or pixel or alt == "" or not url:
            return
        text = spaced(alt or "").strip().replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
        self._to.raw(f"![{text}]({_target(url)})")

    def line_break(self, _node: LexborNode) -> None:
        self._to.raw(BREAK)

    def rule(self, _node: LexborNode) -> None:
        self._to.rich = True
        self._to.block(["---"])

    def quote(self, node: LexborNode) -> None:
        self._to.rich = True
        self._to.push(node.mem_id, "> ", "> ")

    def button(self, node: LexborNode) -> None:
        given = node.attributes
        if (given.get("type") or "").lower() in _BUTTONS:
            self._to.text(spaced(given.get("value") or ""))

    def listing(self, node: LexborNode) -> None:
        number = 0
        if node.tag == "ol":
            start = (node.attributes.get("start") or "1").strip()
            number = min(int(start), _TALLEST_NUMBER) if start.isdecimal() and len(start) < 10 else 1  # noqa: PLR2004  # CommonMark's limit
        self._to.gap = not self._lists
        self._lists.append(_List(node.mem_id, number))
        self._to.rich = True

    def item(self, node: LexborNode) -> None:
        bullet = "- "
        if self._lists and self._lists[-1].number:
            bullet = f"{self._lists[-1].number}. "
            self._lists[-1].number += 1
        if self._lists:
            self._to.gap &= not self._lists[-1].begun
            self._lists[-1].begun = True
        self._to.push(node.mem_id, bullet, " " * len(bullet))

    def preformatted(self, node: LexborNode) -> None:
        self._pre_owner = node.mem_id

    def table(self, node: LexborNode) -> None:
        if len(self._tables) < MAX_NESTING:
            self._tables.append(Table(node.mem_id, self._to))

    def row(self, _node: LexborNode) -> None:
        if self._tables and not self._tables[-1].cell:
            self._tables[-1].rows.append([])

    def cell(self, node: LexborNode) -> None:
        if self._tables and not self._tables[-1].cell:
            self._to = self._tables[-1].begin(node.mem_id)

    # --- and what ends with one

    def _end_cell(self, here: int) -> None:
        table = self._tables[-1]
        if here == table.cell:
            table.cell, self._to = 0, table.outer
        elif here == table.owner:
            self._to = self._tables.pop().outer
            table.finish()

    def _end_list(self, here: int) -> None:
        if self._lists and self._lists[-1].owner == here:
            self._lists.pop()
            self._to.gap = not self._lists

    def _end_pre(self, node: LexborNode) -> None:
        text = "".join(self._pre).strip("\n").rstrip()
        self._pre_owner, self._pre = 0, []
        if text:
            self._to.rich = True
            self._to.block(fenced(text, _language(node)))


_BEGIN: Final[dict[str, Callable[[_Page, LexborNode], None]]] = {
    "a": _Page.link,
    "img": _Page.image,
    "br": _Page.line_break,
    "hr": _Page.rule,
    "blockquote": _Page.quote,
    "input": _Page.button,
    **dict.fromkeys(("ul", "ol", "menu"), _Page.listing),
    "li": _Page.item,
    **dict.fromkeys(("pre", "listing", "xmp"), _Page.preformatted),
    "table": _Page.table,
    "tr": _Page.row,
    **dict.fromkeys(("td", "th"), _Page.cell),
}


def markdown(top: LexborNode | None, base: Base, left_out: frozenset[int]) -> str:
    """Return what is below `top` as Markdown with absolute links; it ends with a line break, or is empty."""
    return _Page(base).written(top, left_out)


def _language(node: LexborNode) -> str:
    inner = node.css_first("code")
    for one in (node, inner):
        if one is not None and (found := _LANGUAGE.search(one.attributes.get("class") or "")):
            return found[1]
    return ""


def _target(url: str) -> str:
    return url.replace("(", "%28").replace(")", "%29")
