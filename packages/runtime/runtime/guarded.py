"""HTTP requests of our own, judged like a page's: the transport's connections are opened by a `Dial`."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

import httpcore2
import httpx2

from contracts.errors import ErrorCode
from runtime.dialing import Dial, DialLimits, Line, PatientDial, PinnedDial
from runtime.errors import ServiceError
from runtime.netguard import AddressPolicy
from runtime.resolver import OwnResolver
from runtime.tunnels import JudgedElsewhere, ProxyAddress

_KEEP_S = 5
_SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class GuardedTransport(httpx2.AsyncHTTPTransport):
    """HTTP/1.1 over judged connections, kept for 5 s. Refusals and failed connections raise `ServiceError`."""

    def __init__(
        self,
        dial: Dial,
        *,
        job_id: str,
        connections: int,
        close: Callable[[], Awaitable[None]],
        trust: ssl.SSLContext | None = None,
        through: httpx2.Proxy | None = None,
    ) -> None:
        """Open connections with `dial` in the name of `job_id`; `close` is awaited at the end.

        Without `trust`, certificates are checked against the machine's own authorities. `through` names an HTTP proxy:
        then `dial` opens the connections to that proxy, which opens those to the sites.
        """
        super().__init__(trust_env=False)
        self._close = close
        # The transport cannot be told of a backend; its pool can.
        kind = partial(_proxied, through) if through else httpcore2.AsyncConnectionPool
        self._pool = kind(
            ssl_context=trust or httpx2.create_ssl_context(trust_env=False),
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=_KEEP_S,
            network_backend=_Backend(dial, job_id),
        )

    async def aclose(self) -> None:
        """Close every connection, and what the dial needs."""
        await super().aclose()
        await self._close()


def _proxied(through: httpx2.Proxy, **options: Any) -> httpcore2.AsyncConnectionPool:  # noqa: ANN401  # the pool's own
    url = through.url
    default = 443 if url.scheme == "https" else 80
    return httpcore2.AsyncHTTPProxy(
        httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port or default, target=b"/"),
        proxy_auth=through.raw_auth,
        proxy_ssl_context=through.ssl_context,
        **options,
    )


def guarded_transport(
    policy: AddressPolicy,
    waits: DialLimits,
    *,
    job_id: str,
    connections: int,
    service: ProxyAddress | None = None,
    trust: ssl.SSLContext | None = None,
) -> GuardedTransport:
    """Make a transport that judges by itself or, with a `service`, has that egress service judge and dial.

    Name it `shared-…` when its connections serve many jobs: the service then holds them to no budget of one.
    `trust` replaces the machine's certificate authorities.
    """
    own = OwnResolver()
    here = PinnedDial(policy, own, waits)
    dial = PatientDial(JudgedElsewhere(service, policy, waits) if service else here)
    return GuardedTransport(dial, job_id=job_id, connections=connections, close=own.aclose, trust=trust)


class _Backend(httpcore2.AsyncNetworkBackend):
    def __init__(self, dial: Dial, job_id: str) -> None:
        self._dial = dial
        self._job_id = job_id

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002  # the interface's
        socket_options: Iterable[_SocketOption] | None = None,  # noqa: ARG002  # the interface's
    ) -> httpcore2.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                return _Stream(await self._dial(host, port, self._job_id), host)
        except TimeoutError as exc:
            raise _silent(host) from exc


class _Stream(httpcore2.AsyncNetworkStream):
    """One connection, on asyncio's own streams: the library's wrappers cost a third of a request."""

    def __init__(self, line: Line, host: str) -> None:
        self._reader, self._writer = line
        self._host = host

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            async with asyncio.timeout(timeout):
                return await self._reader.read(max_bytes)
        except TimeoutError as exc:
            raise httpcore2.ReadTimeout from exc
        except OSError as exc:
            raise httpcore2.ReadError(str(exc)) from exc

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        try:
            self._writer.write(buffer)
            async with asyncio.timeout(timeout):
                await self._writer.drain()
        except TimeoutError as exc:
            raise httpcore2.WriteTimeout from exc
        except OSError as exc:
            raise httpcore2.WriteError(str(exc)) from exc

    async def aclose(self) -> None:
        self._writer.transport.abort()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        except TimeoutError as exc:
            raise _silent(self._host) from exc
        except ssl.SSLError as exc:
            detail = f"The certificate of {self._host} is not valid."
            raise ServiceError(ErrorCode.TARGET_TLS, detail, reason=str(exc)) from exc
        except OSError as exc:
            detail = f"{self._host} dropped the connection."
            raise ServiceError(ErrorCode.TARGET_REFUSED, detail, reason=repr(exc)) from exc
        return self

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  # the interface's
        if info == "is_readable":
            # While nobody has asked, only the end can have come.
            return self._reader.at_eof() or self._reader.exception() is not None or self._writer.is_closing()
        return self._writer.get_extra_info(info)


def _silent(host: str) -> ServiceError:
    return ServiceError(ErrorCode.TARGET_TIMEOUT, f"{host} did not answer in time.")
