"""What the static tier says of itself: the headers that the browser of the other tier would send."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from contracts.errors import ErrorCode, FieldError
from contracts.geometry import Viewport
from contracts.visit import Visit
from renderer.agents import agent
from runtime.errors import ServiceError
from runtime.netguard import Target

_ACCEPT = (
    b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    b"application/signed-exchange;v=b3;q=0.7"
)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,8000}")
_OURS = frozenset({b"host", b"connection", b"content-length", b"transfer-encoding", b"te", b"upgrade", b"cookie"})

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class Visitor:
    """The headers of one visit; `private` go to the page's own origin only."""

    plain: Headers
    secure: Headers
    private: Headers
    origin: tuple[str, str, int]

    def headers(self, target: Target) -> Headers:
        """Return what a request to `target` carries, in the order in which Chromium sends it."""
        sent = self.secure if target.scheme == "https" else self.plain
        if not self.private or _origin(target) != self.origin:
            return sent
        replaced = {name for name, _ in self.private}
        return (*(pair for pair in sent if pair[0] not in replaced), *self.private)


def visitor(visit: Visit, target: Target, version: str) -> Visitor:
    """Return who visits `target`, as Chromium of `version`. Raises `ServiceError` for headers that cannot be sent."""
    _check(visit)
    plain, secure = _common(visit.user_agent, visit.locale, version)
    return Visitor(plain, secure, tuple(_private(visit)), _origin(target))


@lru_cache(256)
def _common(user_agent: str, locale: str, version: str) -> tuple[Headers, Headers]:
    said = user_agent or str(agent(Viewport(), version)["userAgent"])
    major = version.partition(".")[0]
    brands = f'"Chromium";v="{major}", "Google Chrome";v="{major}", "Not A(Brand";v="24"'
    hints = ((b"sec-ch-ua", brands.encode()), (b"sec-ch-ua-mobile", b"?0"), (b"sec-ch-ua-platform", b'"Linux"'))
    rest = (
        (b"upgrade-insecure-requests", b"1"),
        (b"user-agent", said.encode("latin-1", "replace")),
        (b"accept", _ACCEPT),
        (b"sec-fetch-site", b"none"),
        (b"sec-fetch-mode", b"navigate"),
        (b"sec-fetch-user", b"?1"),
        (b"sec-fetch-dest", b"document"),
        (b"accept-encoding", b"gzip, deflate, br, zstd"),
        (b"accept-language", _languages(locale)),
    )
    # Client hints and fetch metadata go to trustworthy origins only, and hints never beside another's agent.
    plain = tuple(pair for pair in rest if not pair[0].startswith(b"sec-fetch"))
    return plain, rest if user_agent else (*hints, *rest)


def _languages(locale: str) -> bytes:
    wanted = locale or "en-US"
    base = wanted.partition("-")[0]
    listed = [wanted, *([f"{base};q=0.9"] if base != wanted else [])]
    if base != "en":
        listed.append("en;q=0.8")
    return ",".join(listed).encode()


def _private(visit: Visit) -> Iterator[tuple[bytes, bytes]]:
    for name, value in visit.headers.items():
        yield name.lower().encode(), value.encode("latin-1")
    if visit.auth:
        pair = f"{visit.auth.username}:{visit.auth.password.get_secret_value()}"
        yield b"authorization", b"Basic " + base64.b64encode(pair.encode())


def _check(visit: Visit) -> None:
    for name, value in visit.headers.items():
        good = _NAME.fullmatch(name) and _VALUE.fullmatch(value)
        if not good or name.lower().encode() in _OURS:
            raise _unusable(f"visit.headers.{name[:100]}", "This header cannot be sent.")
    if not _VALUE.fullmatch(visit.user_agent):
        raise _unusable("visit.user_agent", "It holds a character that no header can hold.")


def _unusable(name: str, message: str) -> ServiceError:
    return ServiceError(
        ErrorCode.INVALID_REQUEST, f"{name}: {message}", errors=[FieldError(field=name, message=message)]
    )


def _origin(target: Target) -> tuple[str, str, int]:
    return target.scheme, target.host, target.port
