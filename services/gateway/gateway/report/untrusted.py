"""What becomes of text that the page or the model wrote before anybody sees it."""

import re
from urllib.parse import urlsplit

# Controls, bidirectional overrides, invisible spaces, tag characters and halves of surrogate pairs: none of them is
# visible, each can make a text read differently from what it says. Joiners (U+200C, U+200D) stay: scripts need them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_SPACES = re.compile(r"\s+")
_NOT_IN_URL = re.compile(r"[\s<>\"\\^`{|}]")  # RFC 3986 allows none of them
_MAX_URL = 2_000


def plain(text: str) -> str:
    """Return the text without characters that cannot be seen."""
    return _INVISIBLE.sub("", text)


def short(text: str, limit: int) -> str:
    """Return one line of at most `limit` characters, with an ellipsis where something was cut."""
    line = _SPACES.sub(" ", plain(text)).strip()
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def web_address(text: str) -> str:
    """Return the address if it is plain http or https and safe to link, else nothing."""
    candidate = text.strip()
    if len(candidate) > _MAX_URL or plain(candidate) != candidate or _NOT_IN_URL.search(candidate):
        return ""
    try:
        parts = urlsplit(candidate)
    except ValueError:
        return ""
    return candidate if parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc else ""


def host(url: str) -> str:
    """Return the host of an address, or the whole text where there is none."""
    try:
        return urlsplit(url).hostname or url
    except ValueError:
        return url
