"""Where no key is asked for: telling the machine's own people from the web pages that their browsers happen to show.

A page of anybody's can send requests to a server on loopback, and read the answers too once its own name resolves to
loopback (DNS rebinding). Both show in the headers that a browser writes by itself.
"""

import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from contracts.errors import ErrorCode
from runtime.errors import ServiceError

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HOME = frozenset({"", "same-origin", "none"})
# Names that nobody can register: RFC 6761, RFC 8375, and those that ICANN keeps out of the root.
_OURS = re.compile(
    r"[^.]*|.*\.(?:localhost|local|localdomain|internal|intranet|private|corp|home|home\.arpa|lan|svc|test|example)"
)


def check(method: str, headers: Mapping[str, str], public_url: str) -> None:
    """Raise `ServiceError` (forbidden) for a request that a web page of somebody else sends.

    Header names in lower case. `public_url`: our own address, where the operator has given it a public name.
    """
    host = headers.get("host", "")
    if not _is_ours(host, public_url):
        detail = (
            "Without API keys this server answers under private names only. Name its own in PUBLIC_URL, or use keys."
        )
        raise ServiceError(ErrorCode.FORBIDDEN, detail, reason=f"host {host[:200]!r}")
    origin = headers.get("origin", "")
    known = not origin or urlsplit(origin).netloc in {host, urlsplit(public_url).netloc or host}
    if method not in _SAFE and not (known and headers.get("sec-fetch-site", "") in _HOME):
        detail = "Without API keys this server takes nothing from pages of other sites."
        raise ServiceError(ErrorCode.FORBIDDEN, detail, reason=f"origin {origin[:200]!r}")


@lru_cache
def _is_ours(host: str, public_url: str) -> bool:
    try:
        name = (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return False
    return bool(_OURS.fullmatch(name)) or _is_address(name) or name == urlsplit(public_url).hostname


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
