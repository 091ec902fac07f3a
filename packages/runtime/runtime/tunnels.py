"""Connections through another HTTP proxy: ours, which judges, or an operator's, which is told judged addresses only."""

import asyncio
import base64
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from contracts.errors import ErrorCode
from runtime.dialing import HEAD_LIMIT, DialLimits, Line
from runtime.errors import ServiceError
from runtime.netguard import AddressPolicy

_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})")
_REFUSED = re.compile(rb"(?i)\r\nx-egress-refused: *([a-z_]+)\r\n")
_ESTABLISHED = 200
_NEEDS_LOGIN = 407
# Beyond the other side's own wait, so that its verdict arrives before ours.
_GRACE_S = 2
_DETAIL_BYTES = 2_000


@dataclass(frozen=True)
class ProxyAddress:
    """Where an HTTP proxy listens, and who we are to it."""

    host: str
    port: int
    user: str = ""
    password: str = ""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `http://user:password@host:port`. Raises `ValueError` without repeating a password."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or not parts.port or parts.path not in {"", "/"}:
            raise ValueError("a proxy's address looks like http://user:password@host:port")
        return cls(parts.hostname, parts.port, unquote(parts.username or ""), unquote(parts.password or ""))

    def known_as(self, user: str) -> "ProxyAddress":
        """Return the same proxy for another user."""
        return ProxyAddress(self.host, self.port, user, self.password)


class TunnelRefusedError(Exception):
    """The proxy answered, and not with a tunnel. `code` is there when the proxy is ours."""

    def __init__(self, status: int, code: ErrorCode | None, detail: str) -> None:
        """Keep what the proxy said."""
        super().__init__(f"{status} {code or ''}")
        self.status = status
        self.code = code
        self.detail = detail


async def open_tunnel(proxy: ProxyAddress, host: str, port: int) -> Line:
    """Ask `proxy` for a connection. Raises `ServiceError` UNAVAILABLE when it is down, else `TunnelRefusedError`."""
    try:
        line = Line(*await asyncio.open_connection(proxy.host, proxy.port, limit=HEAD_LIMIT))
    except OSError as exc:
        raise _down(repr(exc)) from exc
    try:
        line.writer.write(_question(proxy, f"[{host}]:{port}" if ":" in host else f"{host}:{port}"))
        head = await line.reader.readuntil(b"\r\n\r\n")
        await _check(head, line.reader)
    except (OSError, EOFError, asyncio.LimitOverrunError) as exc:
        line.writer.transport.abort()
        raise _down(repr(exc)) from exc
    except BaseException:
        line.writer.transport.abort()
        raise
    return line


def _question(proxy: ProxyAddress, authority: str) -> bytes:
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.user or proxy.password:
        credentials = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {credentials}")
    return "\r\n".join([*lines, "", ""]).encode()


async def _check(head: bytes, reader: asyncio.StreamReader) -> None:
    found = _STATUS.match(head)
    if not found:
        raise _down("the proxy's answer is not HTTP")
    if (status := int(found[1])) == _ESTABLISHED:
        return
    refused = _REFUSED.search(head)
    code = _code(refused[1].decode()) if refused else None
    detail = (await reader.read(_DETAIL_BYTES)).decode(errors="replace").strip() if code else ""
    raise TunnelRefusedError(status, code, detail)


def _code(value: str) -> ErrorCode:
    return next((code for code in ErrorCode if code.value == value), ErrorCode.URL_FORBIDDEN)


def _down(reason: str) -> ServiceError:
    detail = "The way out to the internet is down. Try again later."
    return ServiceError(ErrorCode.UNAVAILABLE, detail, reason=reason, retry_after_s=1)


@dataclass(frozen=True)
class JudgedElsewhere:
    """A dial that leaves resolving and judging to our egress service, and never goes past it."""

    proxy: ProxyAddress
    policy: AddressPolicy
    limits: DialLimits

    async def __call__(self, host: str, port: int, job_id: str) -> Line:
        """Open a connection in the name of `job_id`. Raises `ServiceError` with the service's own code."""
        self.policy.check_host(host, port)
        try:
            async with asyncio.timeout(self.limits.connect_s + _GRACE_S):
                return await open_tunnel(self.proxy.known_as(job_id), host, port)
        except TimeoutError as exc:
            raise _down("the egress service did not answer in time") from exc
        except TunnelRefusedError as exc:
            if exc.code is None:
                raise _down(f"not our egress service: it answered {exc.status}") from exc
            raise ServiceError(exc.code, exc.detail or exc.code.headline, reason=f"egress: {exc.code}") from exc


@dataclass(frozen=True)
class Upstream:
    """Reaches judged addresses through an operator's proxy. It is told the address, so it has nothing to resolve."""

    proxy: ProxyAddress

    async def __call__(self, address: str, port: int) -> Line:
        """Open a connection. Raises `ServiceError` UNAVAILABLE, or `OSError` where the proxy does not get through."""
        try:
            return await open_tunnel(self.proxy, address, port)
        except TunnelRefusedError as exc:
            if exc.status == _NEEDS_LOGIN:
                raise _down("the upstream proxy does not accept its user and password") from exc
            raise ConnectionRefusedError(f"the upstream proxy answered {exc.status}") from exc
