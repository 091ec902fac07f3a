"""The gate: one place that judges a destination and opens the connection to the very address it judged."""

import asyncio
import ipaddress
from asyncio import StreamReader, StreamWriter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from contracts.errors import ErrorCode
from renderer.egress.budget import EgressLimits, Traffic
from renderer.egress.message import Request
from renderer.egress.resolver import Resolver
from runtime.addresses import IPAddress
from runtime.errors import ServiceError
from runtime.netguard import AddressPolicy

HEAD_LIMIT = 65_536

# What Chromium itself calls while it idles; refused apart so that no job is charged or blamed for it.
BACKGROUND_HOSTS = frozenset(
    {
        "android.clients.google.com",
        "clients2.google.com",
        "clients2.googleusercontent.com",
        "clientservices.googleapis.com",
        "content-autofill.googleapis.com",
        "edgedl.me.gvt1.com",
        "mtalk.google.com",
        "optimizationguide-pa.googleapis.com",
        "passwordsleakcheck-pa.googleapis.com",
        "redirector.gvt1.com",
        "safebrowsing.googleapis.com",
        "safebrowsingohttpgateway.googleapis.com",
        "update.googleapis.com",
    }
)


class BackgroundCallError(Exception):
    """The browser called its maker; `refusal` is the answer it gets."""

    refusal = ServiceError(ErrorCode.URL_FORBIDDEN, "The browser's own calls are not carried.")


@dataclass(frozen=True)
class Upstream:
    """An open connection to a site."""

    host: str
    port: int
    reader: StreamReader
    writer: StreamWriter

    def serves(self, request: Request) -> bool:
        """Whether `request` is for the judged destination of this connection, which is still open."""
        same = (self.host, self.port) == (request.host, request.port)
        return same and not self.writer.is_closing() and not self.reader.at_eof()


@dataclass(frozen=True)
class Gate:
    """Judges and dials. `own_ports` are the proxy's listeners, live: nothing may connect to them."""

    policy: AddressPolicy
    limits: EgressLimits
    resolver: Resolver
    own_ports: Collection[int]

    def admit(self, request: Request, traffic: Traffic) -> None:
        """Charge `request` to its job. Raises `BackgroundCallError`, or `ServiceError` TARGET_TOO_LARGE."""
        if request.host.removesuffix(".") in BACKGROUND_HOSTS:
            raise BackgroundCallError
        traffic.admit()

    async def open(self, request: Request, traffic: Traffic) -> Upstream:
        """Resolve once, judge every answer, dial a judged one. Raises `ServiceError`."""
        host, port = request.host, request.port
        try:
            async with asyncio.timeout(self.limits.connect_s):
                pinned = await self._judged(host, port)
                if self.policy.names(host, port):
                    traffic.note_private(host, port)
                reader, writer = await self._dial(host, port, pinned)
        except TimeoutError as exc:
            raise ServiceError(ErrorCode.TARGET_TIMEOUT, f"{host} did not answer in time.") from exc
        return Upstream(host, port, reader, writer)

    async def _judged(self, host: str, port: int) -> list[IPAddress]:
        self.policy.check_host(host, port)
        answers = _literal(host) or await self.resolver.resolve(host)
        pinned = self.policy.check_answers(host, port, answers)
        if port in self.own_ports and any(_is_this_machine(address) for address in pinned):
            raise ServiceError(ErrorCode.URL_FORBIDDEN, f"{host} may not be opened.", reason="the proxy itself")
        # IPv4 first: where IPv6 is configured but leads nowhere, trying it first costs a whole attempt.
        return sorted(pinned, key=lambda address: address.version)

    async def _dial(self, host: str, port: int, pinned: Sequence[IPAddress]) -> tuple[StreamReader, StreamWriter]:
        failure: OSError | None = None
        for address in pinned:
            try:
                async with asyncio.timeout(self.limits.attempt_s):
                    return await asyncio.open_connection(str(address), port, limit=HEAD_LIMIT)
            except OSError as exc:  # a timed-out attempt is one too
                failure = exc
        if isinstance(failure, TimeoutError):
            raise failure
        detail = f"{host} refused the connection."
        raise ServiceError(ErrorCode.TARGET_REFUSED, detail, reason=f"{host}:{port}: {failure!r}") from failure


def _literal(host: str) -> list[IPAddress]:
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        return []


def _is_this_machine(address: IPAddress) -> bool:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    plain = mapped or address
    return plain.is_loopback or plain.is_unspecified
