"""Markup that would cost its parser minutes or gigabytes, made harmless before it is parsed.

A parser that follows the standard is quadratic in two places: every block looks through all open elements, and every
paragraph opens all unclosed formatting anew. Measured with lexbor: 100,000 open `<div>` take 11 s, and 29 KB of open
`<b>` and `<p>` become 1.4 GB. Such a page, or one so large that it could be such a page, is written anew with every
element closed, few levels deep, and without formatting.
"""

import re
from collections import Counter
from typing import Final


def tags(names: str) -> frozenset[str]:
    """Return the names of a list that is separated by spaces."""
    return frozenset(names.split())


MAX_DEPTH: Final = 200
"""Chromium stops at 512 levels; what real pages use is below 100."""

_MANY_TAGS: Final = 20_000
"""That many open `<div>` take 0.4 s."""

_MANY_COPIES: Final = 2_000_000
"""Formatting elements times tags: the copies that can be made of them are at most a quarter of it, 360 bytes each."""

_FORMATTING: Final = tags("b big code em font i s small strike strong tt u nobr")
_FORMAT_START: Final = re.compile(rf"<(?:{'|'.join(sorted(_FORMATTING))})[\s/>]", re.IGNORECASE)
_TOKEN: Final = re.compile(
    r"<!--.*?(?:--!?>|\Z)|<(/?)([a-zA-Z][^\s/>]*)((?:=\s*(?:\"[^\"]*(?:\"|\Z)|'[^']*(?:'|\Z))|[^>])*+)(?:>|\Z)|<[!?/][^>]*>?",
    re.DOTALL,
)
_ATTRIBUTE: Final = re.compile(r"""([^\s"'<>/=]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'=<>`]+))?""")
_ATTRIBUTES: Final = tags(
    "alt charset class content href hreflang http-equiv id lang media name open property rel role sizes src start style"
    " title type value width aria-label datetime itemprop hidden dir srcset data-src"
)
_MAX_ATTRIBUTES: Final = 20_000
_VOID: Final = tags("area base br col embed hr img input link meta param source track wbr")
_RAW: Final = tags("script style textarea title iframe noembed noframes xmp svg")
_UNSAFE: Final = _FORMATTING | tags("plaintext math html body head frameset frame select")
"""Tags that change how all that follows is read; what is in them stays."""

_CELLS: Final = frozenset({"td", "th", "p"})
_ROWS: Final = _CELLS | {"tr"}
_GROUPS: Final = _ROWS | {"tbody", "thead", "tfoot"}
_CLOSES: Final[dict[str, frozenset[str]]] = {
    "p": frozenset({"p"}),
    "li": frozenset({"li", "p"}),
    "dt": frozenset({"dt", "dd", "p"}),
    "dd": frozenset({"dt", "dd", "p"}),
    "option": frozenset({"option"}),
    "td": _CELLS,
    "th": _CELLS,
    "tr": _ROWS,
    **dict.fromkeys(("tbody", "thead", "tfoot"), _GROUPS),
    **dict.fromkeys(("a", "span", "label", "button"), frozenset[str]()),
}
_PARAGRAPH: Final = frozenset({"p"})


def bounded(html: str) -> str:
    """Return markup that parses in linear time and memory: the same unless it may not."""
    tags = html.count("<")
    if tags <= _MANY_TAGS and len(_FORMAT_START.findall(html)) * tags <= _MANY_COPIES:
        return html
    return _Rewrite(html).done()


class _Rewrite:
    """The state of one page while it is written anew."""

    def __init__(self, html: str) -> None:
        self._html = html
        self._out: list[str] = []
        self._open: list[str] = []
        self._depth: Counter[str] = Counter()
        self._absent: set[str] = set()

    def done(self) -> str:
        html, here = self._html, 0
        while token := _TOKEN.search(html, here):
            self._text(html[here : token.start()])
            here = token.end()
            if not token[2]:
                continue
            name = token[2].lower()
            if token[1]:
                self._close(name)
            elif name in _RAW:
                here = self._raw(name, token[3], here)
            else:
                self._start(name, token[3])
        self._text(html[here:])
        self._out += [f"</{name}>" for name in reversed(self._open)]
        return "".join(self._out)

    def _text(self, text: str) -> None:
        if text:
            self._out.append(text.replace("<", "&lt;"))

    def _start(self, name: str, attributes: str) -> None:
        if name in _UNSAFE:
            if name == "html":
                self._out.append(_tag(name, attributes))
            return
        closed = _CLOSES.get(name, _PARAGRAPH)
        while self._open and self._open[-1] in closed:
            self._end()
        if name in _VOID:
            self._out.append(_tag(name, attributes))
        elif len(self._open) < MAX_DEPTH:
            self._open.append(name)
            self._depth[name] += 1
            self._out.append(_tag(name, attributes))

    def _close(self, name: str) -> None:
        if self._depth[name]:
            while self._end() != name:
                pass

    def _end(self) -> str:
        name = self._open.pop()
        self._depth[name] -= 1
        self._out.append(f"</{name}>")
        return name

    def _raw(self, name: str, attributes: str, here: int) -> int:
        """Skip what is not markup and is not shown; keep titles and JSON. Return where it ends."""
        end = None if name in self._absent else re.compile(rf"</{name}[\s/>]", re.IGNORECASE).search(self._html, here)
        if end is None:
            self._absent.add(name)
            return here if name == "svg" else len(self._html)
        inside = self._html[here : end.start()]
        if name == "title":
            self._out.append(f"<title>{inside.replace('<', '&lt;')}</title>")
        elif name == "script" and "ld+json" in attributes.lower():
            inside = inside.replace("<", "\\u003c")
            self._out.append(f'<script type="application/ld+json">{inside}</script>')
        return self._html.find(">", end.start()) + 1 or len(self._html)


def _tag(name: str, attributes: str) -> str:
    if not attributes:
        return f"<{name}>"
    kept: dict[str, str] = {}
    for found in _ATTRIBUTE.finditer(attributes[:_MAX_ATTRIBUTES]):
        key, value = found[1].lower(), found[2] or ""
        if key in _ATTRIBUTES:
            kept.setdefault(key, value[1:-1] if value[:1] in {'"', "'"} else value)
    written = "".join(f' {key}="{value.replace(chr(34), "&quot;")}"' for key, value in kept.items())
    return f"<{name}{written}>"


_TEMPLATE: Final = re.compile(r"<(/?)template\b([^>]*+)(?:>|\Z)", re.IGNORECASE)
SHADOW: Final = "shadow-content"
"""The element that stands for an open shadow root."""


def opened(html: str) -> str:
    """Return markup in which declared shadow roots are ordinary elements: a parser hides what is in a template."""
    if "shadowrootmode" not in html:
        return html
    names: list[str] = []

    def renamed(found: re.Match[str]) -> str:
        if found[1]:
            return f"</{names.pop() if names else 'template'}>"
        names.append(SHADOW if "shadowrootmode" in found[2] else "template")
        return f"<{SHADOW}>" if names[-1] == SHADOW else found[0]

    return _TEMPLATE.sub(renamed, html)
