"""What one plain HTTP fetch brings home."""

import html
from dataclasses import dataclass
from enum import StrEnum

import httpx2

from contracts.errors import ErrorCode
from renderer.tiers.charset import UTF8
from runtime.errors import ServiceError


class Kind(StrEnum):
    """What sort of document the server sent."""

    HTML = "html"
    XML = "xml"
    TEXT = "text"


_HTML = frozenset({"text/html", "application/xhtml+xml"})
_XML = frozenset({"text/xml", "application/xml"})
_TEXT = frozenset({"application/json", "application/javascript", "application/ld+json", "application/x-ndjson"})
_PACKED = frozenset({"application/gzip", "application/x-gzip", "application/octet-stream", "binary/octet-stream", ""})
_SNIFFED = 512


@dataclass(frozen=True)
class Page:
    """A document as the server sent it. `wire_bytes` is its packed size, all redirects' heads aside."""

    url: str
    status: int
    headers: httpx2.Headers
    kind: Kind
    body: bytes
    text: str
    charset: str
    redirects: int
    wire_bytes: int

    @property
    def markup(self) -> str:
        """The page as HTML: text and JSON are shown as a browser shows them."""
        if self.kind is not Kind.TEXT:
            return self.text
        return f"<!doctype html><html><body><pre>{html.escape(self.text, quote=False)}</pre></body></html>"

    @property
    def markup_bytes(self) -> bytes:
        """`markup` in UTF-8; most pages are so already, and are not encoded again."""
        if self.kind is not Kind.TEXT and self.charset == UTF8 and "\ufffd" not in self.text:
            return self.body
        return self.markup.encode("utf-8", "replace")


def kind_of(headers: httpx2.Headers) -> Kind | None:
    """Return what the headers say; None when they say nothing. Raises `ServiceError` TARGET_IS_DOWNLOAD."""
    disposition = headers.get("content-disposition", "").strip().lower()
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if disposition.startswith("attachment"):
        raise _download(f"content-disposition {disposition[:100]!r}")
    if media in _HTML:
        return Kind.HTML
    if media in _XML or (media.endswith("+xml") and media != "image/svg+xml"):
        return Kind.XML
    if media.startswith("text/") or media in _TEXT or media.endswith("+json"):
        return Kind.TEXT
    if media in {"", "application/unknown", "unknown/unknown", "*/*"}:
        return None
    raise _download(f"content-type {media[:100]!r}")


def is_packed_sitemap(url: str, headers: httpx2.Headers) -> bool:
    """Whether this is XML in a gzip file, as sites keep their lists of pages: a browser would only store it."""
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    return url.partition("?")[0].lower().endswith(".xml.gz") and media in _PACKED


def sniffed(body: bytes) -> Kind:
    """Return what an undeclared body looks like. Raises `ServiceError` TARGET_IS_DOWNLOAD for what is no text."""
    start = body[:_SNIFFED]
    if any(byte < 9 or 13 < byte < 27 for byte in start) and not start.startswith((b"\xff\xfe", b"\xfe\xff")):  # noqa: PLR2004  # ASCII's control characters
        raise _download("no content-type, and binary")
    return Kind.HTML if start.lstrip().startswith(b"<") else Kind.TEXT


def _download(reason: str) -> ServiceError:
    return ServiceError(ErrorCode.TARGET_IS_DOWNLOAD, "The address is a download, not a page.", reason=reason)
