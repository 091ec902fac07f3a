"""Web addresses from hostile pages, taken apart without ever raising."""

from urllib.parse import SplitResult, urlsplit

_NOTHING = SplitResult("", "", "", "", "")


def split(url: str) -> SplitResult:
    """Return an address's parts; all empty when it cannot be read."""
    try:
        return urlsplit(url)
    except ValueError:
        return _NOTHING


def host(url: str) -> str:
    """Return the host, or "" when there is none."""
    return split(url).hostname or ""


def path(url: str) -> str:
    """Return the path in lower case."""
    return split(url).path.casefold()


def drawing(src: str) -> bool:
    """Say whether a picture's address is that of an SVG: it may have no pixels of its own."""
    lowered = src.casefold()
    return lowered.startswith("data:image/svg") or lowered.partition("?")[0].endswith(".svg")
