"""What a page says of itself to machines."""

import json
import re
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from selectolax.lexbor import LexborHTMLParser, LexborNode

from renderer.documents.addresses import Base
from renderer.documents.tree import line

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

MAX_JSON_LD: Final = 200_000
"""Characters of structured data in all; what is over is left out."""

_MAX_ENTRIES, _MAX_HEADINGS, _MAX_DEPTH = 100, 500, 50
_SHORT, _TEXT = 200, 4_000
_WORD: Final = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u0e00-\u0e7f]|[^\W_]+(?:['\u2019-][^\W_]+)*")
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_FEEDS: Final = frozenset({"application/rss+xml", "application/atom+xml", "application/feed+json"})
_PUBLISHED: Final = ("article:published_time", "datepublished", "date", "dc.date", "pubdate", "publish_date")
_MODIFIED: Final = ("article:modified_time", "og:updated_time", "datemodified", "last-modified")


@dataclass(frozen=True)
class Icon:
    """A picture that stands for the page."""

    url: str
    rel: str
    sizes: str = ""
    type: str = ""


@dataclass(frozen=True)
class Feed:
    """A feed that goes with the page."""

    url: str
    title: str
    type: str


@dataclass(frozen=True)
class Alternate:
    """The same page in another language."""

    url: str
    language: str


@dataclass(frozen=True)
class Heading:
    """A line of the outline; `level` is 1 to 6."""

    level: int
    text: str


@dataclass(frozen=True)
class Metadata:
    """What the head says, and what follows from the body. Missing texts are empty; times are as the page wrote them."""

    title: str = ""
    description: str = ""
    canonical: str = ""
    language: str = ""
    charset: str = ""
    robots: str = ""
    viewport: str = ""
    open_graph: dict[str, str] = field(default_factory=dict)
    twitter: dict[str, str] = field(default_factory=dict)
    json_ld: list[Json] = field(default_factory=list)
    json_ld_invalid: int = 0
    icons: list[Icon] = field(default_factory=list)
    feeds: list[Feed] = field(default_factory=list)
    alternates: list[Alternate] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)
    word_count: int = 0
    published_time: str = ""
    modified_time: str = ""


def metadata(tree: LexborHTMLParser, base: Base, text: str) -> Metadata:
    """Read it; the words of `text`, what is visible, are counted (in Chinese, Japanese and Thai: characters)."""
    named = _named(tree)
    json_ld, invalid = _json_ld(tree)
    title, html = tree.css_first("title"), tree.css_first("html")
    return Metadata(
        title=line(title, _TEXT) if title is not None else "",
        description=named.get("description", ""),
        canonical=next((url for node in tree.css('link[rel~="canonical" i]') if (url := _address(node, base))), ""),
        language=_attribute(html, "lang") or named.get("content-language", ""),
        charset=_charset(tree),
        robots=named.get("robots", ""),
        viewport=named.get("viewport", ""),
        open_graph={name: value for name, value in named.items() if name.startswith("og:")},
        twitter={name: value for name, value in named.items() if name.startswith("twitter:")},
        json_ld=json_ld,
        json_ld_invalid=invalid,
        icons=_icons(tree, base),
        feeds=_feeds(tree, base),
        alternates=_alternates(tree, base),
        headings=_headings(tree),
        word_count=sum(1 for _ in _WORD.finditer(text)),
        published_time=_time(named, _PUBLISHED, json_ld, "datePublished"),
        modified_time=_time(named, _MODIFIED, json_ld, "dateModified"),
    )


def _named(tree: LexborHTMLParser) -> dict[str, str]:
    """Return the contents of meta elements by their name in lower case; the first of a name counts."""
    found: dict[str, str] = {}
    for node in tree.css("meta[content]")[: _MAX_ENTRIES * 5]:
        given = node.attributes
        name = given.get("property") or given.get("name") or given.get("http-equiv") or given.get("itemprop") or ""
        content = " ".join((given.get("content") or "").split())[:_TEXT]
        if name and content and len(name) <= _SHORT:
            found.setdefault(name.strip().lower(), content)
    return found


def _json_ld(tree: LexborHTMLParser) -> tuple[list[Json], int]:
    found: list[Json] = []
    invalid, left = 0, MAX_JSON_LD
    for node in tree.css('script[type*="ld+json" i]')[:_MAX_ENTRIES]:
        raw = (node.text(deep=True) or "").strip()
        left -= len(raw)
        if left < 0:
            break
        try:
            value: Json = json.loads(raw, parse_constant=lambda _name: None)
        except (ValueError, RecursionError):
            invalid += 1
            continue
        if _shallow(value):
            found.append(value)
        else:
            invalid += 1
    return found, invalid


def _shallow(value: Json) -> bool:
    level: list[Json] = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return True
    return False


def _charset(tree: LexborHTMLParser) -> str:
    declared = tree.css_first("meta[charset]")
    if declared is not None:
        return _attribute(declared, "charset").lower()
    kind = tree.css_first('meta[http-equiv="content-type" i]')
    found = _CHARSET.search(_attribute(kind, "content"))
    return found[1].lower() if found else ""


def _icons(tree: LexborHTMLParser, base: Base) -> list[Icon]:
    nodes = tree.css('link[rel~="icon" i], link[rel^="apple-touch-icon" i], link[rel~="mask-icon" i]')[:_MAX_ENTRIES]
    return [
        Icon(url, _attribute(node, "rel").lower(), _attribute(node, "sizes"), _attribute(node, "type"))
        for node in nodes
        if (url := _address(node, base))
    ]


def _feeds(tree: LexborHTMLParser, base: Base) -> list[Feed]:
    return [
        Feed(url, _attribute(node, "title"), kind)
        for node in tree.css('link[rel~="alternate" i][type]')[:_MAX_ENTRIES]
        if (kind := _attribute(node, "type").lower()) in _FEEDS and (url := _address(node, base))
    ]


def _alternates(tree: LexborHTMLParser, base: Base) -> list[Alternate]:
    return [
        Alternate(url, language)
        for node in tree.css('link[rel~="alternate" i][hreflang]')[:_MAX_ENTRIES]
        if (language := _attribute(node, "hreflang")) and (url := _address(node, base))
    ]


def _headings(tree: LexborHTMLParser) -> list[Heading]:
    nodes = tree.css("h1, h2, h3, h4, h5, h6")[:_MAX_HEADINGS]
    return [Heading(int((node.tag or "h1")[1]), text) for node in nodes if (text := line(node, _TEXT))]


def _time(named: dict[str, str], names: tuple[str, ...], json_ld: list[Json], key: str) -> str:
    if told := next((named[name] for name in names if name in named), ""):
        return told[:_SHORT]
    for value in json_ld:
        graph = value.get("@graph") if isinstance(value, dict) else value
        for one in [value, *(graph if isinstance(graph, list) else [])]:
            when = one.get(key) if isinstance(one, dict) else None
            if isinstance(when, str):
                return when.strip()[:_SHORT]
    return ""


def _address(node: LexborNode, base: Base) -> str:
    href = node.attributes.get("href") or ""
    return base.resolve(href) if href.strip() else ""


def _attribute(node: LexborNode | None, name: str) -> str:
    return " ".join((node.attributes.get(name) or "").split())[:_SHORT] if node is not None else ""
