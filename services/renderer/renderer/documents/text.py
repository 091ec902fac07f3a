"""A page's visible text, with a line for each block: close to what `innerText` would say."""

from typing import Final

from selectolax.lexbor import LexborNode

from renderer.documents.nesting import tags
from renderer.documents.tree import INLINE, Step, clean, spaced, walk

_APART: Final = tags("p h1 h2 h3 h4 h5 h6 table pre blockquote figure hr section article")
_CELLS: Final = frozenset({"td", "th"})
_BUTTONS: Final = frozenset({"submit", "button", "reset"})


class _Lines:
    """Text while it is collected."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._parts: list[str] = []
        self._apart = False

    def add(self, text: str) -> None:
        """Add to the present line; a space after a space is none, wherever the element ends between them."""
        spaced_already = self._parts and self._parts[-1].endswith(" ")
        if kept := text.removeprefix(" ") if spaced_already else text:
            self._parts.append(kept)

    def add_verbatim(self, text: str) -> None:
        self._parts.append(text)

    def end(self, *, apart: bool) -> None:
        """End the present line; what follows stands apart by an empty one if `apart`."""
        line = "".join(self._parts).strip(" \t")
        self._parts.clear()
        if line:
            if self._apart and self.lines:
                self.lines.append("")
            self._apart = False
            self.lines += [part.strip(" ") for part in line.split("\n")]
        self._apart |= apart


def text(top: LexborNode | None, left_out: frozenset[int]) -> str:
    """Return the visible text below `top`; it ends with a line break, or is empty."""
    out, verbatim = _Lines(), 0
    for step, tag, node in walk(top, left_out):
        if step is Step.TEXT:
            content = node.text_content or ""
            if verbatim:
                out.add_verbatim(clean(content))
            else:
                out.add(spaced(content))
        elif tag == "br":
            out.add("\n" if step is Step.ENTER else "")
        elif tag in _CELLS:
            out.add("\t" if step is Step.LEAVE else "")
        elif tag == "input" and step is Step.ENTER:
            out.add(_button(node))
        elif tag not in INLINE:
            out.end(apart=tag in _APART)
            verbatim += tag == "pre" and (1 if step is Step.ENTER else -1)
    out.end(apart=False)
    return "\n".join(out.lines) + "\n" if out.lines else ""


def _button(node: LexborNode) -> str:
    given = node.attributes
    return spaced(given.get("value") or "") if (given.get("type") or "").lower() in _BUTTONS else ""
