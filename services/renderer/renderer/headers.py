"""Response headers of the main document, as they are shown to the caller."""

import re
from collections.abc import Mapping
from typing import Final

MAX_HEADERS, MAX_NAME, MAX_VALUE = 100, 100, 2_000
"""Entries, and characters of each: what a page sends is not worth more room in every result."""

_SECRET: Final = re.compile(r"cookie|auth(?!or)|token|secret|session|passw|credential|api-?key|csrf|xsrf|signature")
_OURS: Final = ("x-egress-", "proxy-", ":")
_NOT_TEXT: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")


def reported(headers: Mapping[str, object]) -> dict[str, str]:
    """Return names in lower case and values; without what lets somebody in, and without what our own way out adds."""
    shown: dict[str, str] = {}
    for name, value in list(headers.items())[:MAX_HEADERS]:
        key = name.lower()
        if len(key) <= MAX_NAME and not key.startswith(_OURS) and not _SECRET.search(key):
            # Chromium joins the values of a repeated header with a line break; HTTP's own way is a comma.
            shown[key] = _NOT_TEXT.sub(" ", str(value).replace("\n", ", "))[:MAX_VALUE]
    return shown
