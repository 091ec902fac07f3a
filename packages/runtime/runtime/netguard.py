"""Which URLs may be opened: one canonical parse, and the policy that the gateway asks and the egress proxy enforces."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

import ada_url

from contracts.errors import ErrorCode
from runtime import addresses
from runtime.addresses import IPAddress, IPNetwork, judge
from runtime.errors import ServiceError

__all__ = ["MAX_URL_LENGTH", "WEB_PORTS", "AddressPolicy", "Target", "judge", "parse"]

MAX_URL_LENGTH = 4096
WEB_PORTS = frozenset({80, 443})

_MAX_HOST_LENGTH = 253  # RFC 1035, section 2.3.4, less the length octets
_DEFAULT_PORT = {"http": 80, "https": 443}
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff]")
_WEB = re.compile(r"(?i)https?://([^/?#]+)")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_BARE_PORT = re.compile(r"(?:[^/?#:]*\.[^/?#:]*|localhost):\d+(?:[/?#]|$)")
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
_ENTRY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/?#@\s]+)(?::([0-9]{1,5}))?")

# Names that never belong to a public site; a resolver with search domains may still answer for them.
_PRIVATE_NAMES = frozenset({"kubernetes.default", "localhost", "metadata.goog"})
_PRIVATE_SUFFIXES = (
    ".localhost",
    ".local",
    ".localdomain",
    ".internal",
    ".intranet",
    ".private",
    ".corp",
    ".home",
    ".home.arpa",
    ".lan",
    ".svc",
)


@dataclass(frozen=True)
class Target:
    """A web address in canonical form. `host` has no brackets; `port` is always there."""

    url: str
    scheme: str
    host: str
    port: int


def _invalid(detail: str) -> ServiceError:
    return ServiceError(ErrorCode.URL_INVALID, detail)


def _not_web(text: str) -> ServiceError:
    shown = text[:100]
    scheme = _SCHEME.match(text)
    if not text:
        return _invalid("The URL is empty. Write a full web address such as https://example.com/.")
    if scheme and scheme[1].lower() in _DEFAULT_PORT:
        return _invalid(f"“{shown}” names no host. Write a full web address such as https://example.com/.")
    if scheme and not _BARE_PORT.match(text):
        detail = f"The scheme “{scheme[1].lower()[:30]}:” may not be opened. Use an address with https:// or http://."
        return ServiceError(ErrorCode.URL_FORBIDDEN, detail)
    remedy = "https://" + shown.lstrip("/")
    return _invalid(f"“{shown}” is not a full web address: the scheme is missing. Write {remedy}")


def _authority(text: str) -> str:
    """Return the part between `//` and the path, or refuse `text` for its shape."""
    if len(text) > MAX_URL_LENGTH:
        raise _invalid(f"The URL is longer than {MAX_URL_LENGTH:,} characters. Use a shorter one.")
    if _UNSAFE.search(text):
        raise _invalid("The URL holds a backslash or a control character. Remove it, or percent-encode it.")
    web = _WEB.match(text)
    if not web:
        raise _not_web(text)
    if "@" in web[1]:
        detail = "The URL holds a user name or password. Remove everything up to the “@” in front of the host."
        raise ServiceError(ErrorCode.URL_FORBIDDEN, detail)
    if any(character.isspace() for character in web[1]):
        raise _invalid("The host of the URL holds a space. Remove it.")
    return web[1]


def parse(url: str) -> Target:
    """Read `url` as a browser does (WHATWG) and return its canonical form; blanks around it are dropped.

    Raises `ServiceError`: URL_INVALID for what is no web address, URL_FORBIDDEN for other schemes and user names.
    """
    text = url.strip(" \t\r\n")
    authority = _authority(text)
    try:
        parsed = ada_url.URL(text)
    except ValueError as exc:
        raise _invalid(f"The host or port “{authority[:100]}” is not valid. Check its spelling.") from exc
    if len(parsed.href) > MAX_URL_LENGTH:
        raise _invalid(f"The URL is longer than {MAX_URL_LENGTH:,} characters once encoded. Use a shorter one.")
    scheme, host = parsed.protocol.removesuffix(":"), parsed.hostname
    if host.startswith("["):
        host = host[1:-1]
    elif len(host) > _MAX_HOST_LENGTH or not _NAME.fullmatch(host):
        raise _invalid(f"The host “{authority[:100]}” is not a valid name. Check its spelling.")
    return Target(parsed.href, scheme, host, int(parsed.port) if parsed.port else _DEFAULT_PORT[scheme])


def _literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _entry(text: str) -> tuple[str, int | None]:
    remedy = f"“{text}” is not a host or host:port such as 127.0.0.1:8000, shop.test or [::1]:8000"
    found = _ENTRY.fullmatch(text)
    if not found:
        raise ValueError(remedy)
    try:
        # Through the URL parser, so that an entry matches however the host is spelled in a URL.
        target = parse(f"http://{text}/")
    except ServiceError as exc:
        raise ValueError(remedy) from exc
    return target.host.removesuffix("."), target.port if found[2] else None


def _network(text: str) -> IPNetwork:
    try:
        return ipaddress.ip_network(text)
    except ValueError as exc:
        raise ValueError(f"“{text}” is not a network such as 10.20.0.0/16") from exc


def _items(setting: str) -> Iterable[str]:
    return filter(None, (item.strip() for item in setting.split(",")))


@dataclass(frozen=True)
class AddressPolicy:
    """What may be opened. `private` names exceptions as (host, port); port None means the usual web ports."""

    private: frozenset[tuple[str, int | None]] = frozenset()
    extra_ports: frozenset[int] = frozenset()
    own_ranges: tuple[IPNetwork, ...] = ()
    judge: Callable[[IPAddress], str | None] = field(default=addresses.judge)

    @classmethod
    def from_setting(cls, allow_private: str, *, extra_ports: Iterable[int] = (), own_ranges: str = "") -> Self:
        """Read comma-separated settings: hosts (`127.0.0.1:8000,shop.test,[::1]`) and our own public networks.

        Raises `ValueError` naming the entry that cannot be read.
        """
        return cls(
            private=frozenset(_entry(item) for item in _items(allow_private)),
            extra_ports=frozenset(extra_ports),
            own_ranges=tuple(_network(item) for item in _items(own_ranges)),
        )

    def names(self, host: str, port: int) -> bool:
        """Whether the operator named this private host; each use has to be logged by who opens the connection."""
        plain = host.removesuffix(".")
        return (plain, port) in self.private or ((plain, None) in self.private and self._is_web(port))

    def check_target(self, target: Target) -> None:
        """Refuse what needs no lookup to refuse: a courtesy to callers, as the proxy judges again. URL_FORBIDDEN."""
        self.check_host(target.host, target.port)

    def check_host(self, host: str, port: int) -> None:
        """Refuse a forbidden port, a private name or a literal address that is not public. Raises URL_FORBIDDEN."""
        if self.names(host, port):
            return
        if address := _literal(host):
            self.check_answers(host, port, [address])
        elif _is_private_name(host):
            raise self._refusal(host, port, "private name")
        if not self._is_web(port):
            raise self._port_refusal(host, port)

    def check_answers(self, host: str, port: int, answers: Sequence[IPAddress]) -> list[IPAddress]:
        """Return the addresses that may be dialled: all of them, or none when a single one is not public.

        Raises `ServiceError`: URL_FORBIDDEN, or TARGET_DNS when there is no answer.
        """
        if not answers:
            raise ServiceError(ErrorCode.TARGET_DNS, f"The host name {host} has no address. Check its spelling.")
        if self.names(host, port):
            return list(answers)
        for address in answers:
            if reason := self._why_not(address):
                raise self._refusal(host, port, f"{address}: {reason}")
        return list(answers)

    def _why_not(self, address: IPAddress) -> str | None:
        ours = any(address in network for network in self.own_ranges)
        return "own range" if ours else self.judge(address)

    def _is_web(self, port: int) -> bool:
        return port in WEB_PORTS or port in self.extra_ports

    def _refusal(self, host: str, port: int, reason: str) -> ServiceError:
        detail = (
            f"{host} may not be opened: it is not an address on the public internet. "
            f"For local work, name it in EGRESS_ALLOW_PRIVATE={_shown(host, port)}."
        )
        return ServiceError(ErrorCode.URL_FORBIDDEN, detail, reason=f"{host}:{port} refused: {reason}")

    def _port_refusal(self, host: str, port: int) -> ServiceError:
        ports = ", ".join(str(number) for number in sorted(WEB_PORTS | self.extra_ports))
        detail = (
            f"Port {port} may not be opened. Use one of {ports}; "
            f"for local work, name it in EGRESS_ALLOW_PRIVATE={_shown(host, port)}."
        )
        return ServiceError(ErrorCode.URL_FORBIDDEN, detail, reason=f"{host}:{port} refused: port")


def _shown(host: str, port: int) -> str:
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port in WEB_PORTS else f"{bracketed}:{port}"


def _is_private_name(host: str) -> bool:
    name = host.removesuffix(".")
    return "." not in name or name in _PRIVATE_NAMES or name.endswith(_PRIVATE_SUFFIXES)
