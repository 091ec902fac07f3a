"""Addresses in a page, made absolute as a browser would make them."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

MAX_CHARACTERS: Final = 4_096
"""Longer addresses are data in disguise; `RenderRequest.url` ends here too."""

_EDGES: Final = "".join(map(chr, range(0x21)))
_REMOVED: Final = re.compile(r"[\t\r\n]")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_RESERVED: Final = ":/?#[]@!$&'()*+,;=%-._~|"
_PLAIN: Final = re.compile(r"[A-Za-z0-9:/?#\[\]@!$&'()*+,;=%._~|-]*")
_WEB: Final = re.compile(r"https?://[^/?#]", re.IGNORECASE)


@dataclass(frozen=True)
class Base:
    """What relative addresses of one page hang on."""

    url: str

    @cached_property
    def origin(self) -> str:
        """Return scheme, host and port; nothing where the page is not from the web."""
        if not _WEB.match(self.url):
            return ""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme.lower()}://{re.split('[/?#]', rest, maxsplit=1)[0]}"

    @cached_property
    def host(self) -> str:
        """Return the host that counts as the same site: without `www.`."""
        return host(self.url)

    def resolve(self, reference: str) -> str:
        """Return the absolute http, https, mailto or tel address; nothing for all else, and for what has no meaning."""
        wanted = _REMOVED.sub("", reference.strip(_EDGES))
        if len(wanted) > MAX_CHARACTERS:
            return ""
        scheme = found[1].lower() if (found := _SCHEME.match(wanted)) else ""
        if scheme in {"mailto", "tel"}:
            return _quoted(wanted)
        if scheme not in {"", "http", "https"}:
            return ""
        return self._web(wanted)

    def _web(self, wanted: str) -> str:
        if wanted.startswith("/") and wanted[1:2] not in {"/", "\\"} and self.origin and _simple(wanted):
            return self.origin + wanted
        path, mark, rest = wanted.partition("#")
        try:
            url = urljoin(self.url, path.replace("\\", "/") + mark + rest)
            return _quoted(_ascii_host(url)) if _WEB.match(url) and urlsplit(url).hostname else ""
        except ValueError:  # brackets that are no IPv6 address
            return ""


def host(url: str) -> str:
    """Return the host of an address in lower case, without `www.`; nothing where it has none."""
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def _simple(wanted: str) -> bool:
    return _PLAIN.fullmatch(wanted) is not None and "/." not in wanted


def _quoted(url: str) -> str:
    return url if _PLAIN.fullmatch(url) else quote(url, safe=_RESERVED, errors="replace")


def _ascii_host(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc.isascii():
        return url
    return parts._replace(netloc=parts.netloc.encode("idna").decode("ascii")).geturl()
