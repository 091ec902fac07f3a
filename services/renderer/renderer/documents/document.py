"""One page that was parsed at most once, in every form it can be had in."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from selectolax.lexbor import LexborHTMLParser

from renderer.documents import links, markdown, metadata, text, tree
from renderer.documents.addresses import Base

MAX_CHARACTERS: Final = 10_000_000
"""What is longer is cut: no page that people read comes near it."""

_NAVIGATION: Final = 'nav, [role="navigation" i], [role="menubar" i], [role="menu" i]'
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Document:
    """A page. Nothing is parsed before a form of it is asked for; no form raises, whatever the page."""

    html: str
    base_url: str
    truncated: bool = False

    @cached_property
    def parsed(self) -> LexborHTMLParser:
        """Return the parsed page: for reading, never for changing."""
        return tree.parse(self.html)

    @cached_property
    def base(self) -> Base:
        """Return what relative addresses hang on."""
        page = Base(self.base_url)
        for node in self.parsed.css("base[href]")[:1]:
            if (url := page.resolve(node.attributes.get("href") or "")).startswith("http"):
                return Base(url)
        return page

    def markdown(self) -> str:
        """Return it as Markdown, without navigation unless there is nothing else."""
        navigation = frozenset(node.mem_id for node in self.parsed.css(_NAVIGATION))
        whole = tree.top(self.parsed)
        short = markdown.markdown(whole, self.base, self._hidden | navigation)
        return short or markdown.markdown(whole, self.base, self._hidden)

    def text(self) -> str:
        """Return the visible text, a line for each block."""
        return text.text(tree.top(self.parsed), self._hidden)

    def links(self) -> list[links.Link]:
        """Return its links, absolute, in the order of the page."""
        return links.links(self.parsed, self.base, Base(self.base_url))

    def metadata(self) -> metadata.Metadata:
        """Return what it says of itself."""
        return metadata.metadata(self.parsed, self.base, self.text())

    @cached_property
    def _hidden(self) -> frozenset[int]:
        return tree.hidden(self.parsed)


def read(html: str, base_url: str) -> Document:
    """Take a page from anywhere: `base_url` is where it came from, after redirects. Never raises."""
    kept = _LONE_SURROGATE.sub("\ufffd", html[:MAX_CHARACTERS])
    return Document(kept, _LONE_SURROGATE.sub("\ufffd", base_url), truncated=len(html) > MAX_CHARACTERS)
