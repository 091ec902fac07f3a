"""Opening connections: the name is resolved once, every answer is judged, and a judged address is what is dialled."""

import asyncio
import ipaddress
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from contracts.errors import ErrorCode
from runtime.addresses import IPAddress
from runtime.errors import ServiceError
from runtime.netguard import AddressPolicy
from runtime.resolver import Resolver

HEAD_LIMIT = 65_536


class Line(NamedTuple):
    """Both ends of an open connection."""

    reader: StreamReader
    writer: StreamWriter


class Dial(Protocol):
    """Anything that opens a connection to a host that it has judged."""

    async def __call__(self, host: str, port: int, job_id: str) -> Line:
        """Open a connection for that job. Raises `ServiceError`: URL_FORBIDDEN, or TARGET_… when there is none."""


@dataclass(frozen=True)
class DialLimits:
    """Waits in seconds: for the whole of a dial, and for each address that is tried."""

    connect_s: float = 10
    attempt_s: float = 4


@dataclass(frozen=True)
class PinnedDial:
    """Judges and dials by itself. `own_ports` are our own listeners, live: nothing may connect to them."""

    policy: AddressPolicy
    resolver: Resolver
    limits: DialLimits = DialLimits()
    own_ports: Collection[int] = ()

    async def __call__(self, host: str, port: int, job_id: str) -> Line:  # noqa: ARG002  # only other dials tell it on
        """Resolve once, judge every answer, dial a judged one. Raises `ServiceError`."""
        try:
            async with asyncio.timeout(self.limits.connect_s):
                return await self._dial(host, port, await self.judged(host, port))
        except TimeoutError as exc:
            raise _silent(host) from exc

    async def judged(self, host: str, port: int) -> list[IPAddress]:
        """Return the addresses of `host` that may be dialled. Raises `ServiceError`."""
        self.policy.check_host(host, port)
        answers = _literal(host) or await self.resolver.resolve(host)
        pinned = self.policy.check_answers(host, port, answers)
        if port in self.own_ports and any(_is_this_machine(address) for address in pinned):
            raise ServiceError(ErrorCode.URL_FORBIDDEN, f"{host} may not be opened.", reason="the proxy itself")
        # IPv4 first: where IPv6 is configured but leads nowhere, trying it first costs a whole attempt.
        return sorted(pinned, key=lambda address: address.version)

    async def _dial(self, host: str, port: int, pinned: Sequence[IPAddress]) -> Line:
        failure: OSError | None = None
        for address in pinned:
            try:
                async with asyncio.timeout(self.limits.attempt_s):
                    return Line(*await asyncio.open_connection(str(address), port, limit=HEAD_LIMIT))
            except OSError as exc:  # a timed-out attempt is one too
                failure = exc
        if isinstance(failure, TimeoutError):
            raise failure
        detail = f"{host} refused the connection."
        raise ServiceError(ErrorCode.TARGET_REFUSED, detail, reason=f"{host}:{port}: {failure!r}") from failure


class PatientDial:
    """Asks another dial, but not again for a while where nobody answered: a dead third party costs a page one wait."""

    def __init__(
        self, dial: Dial, *, keep_s: float = 15, size: int = 1_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Remember for `keep_s` seconds at most `size` hosts that were silent."""
        self._dial = dial
        self._keep_s = keep_s
        self._size = size
        self._clock = clock
        self._silent: dict[tuple[str, int], float] = {}

    async def __call__(self, host: str, port: int, job_id: str) -> Line:
        """Open a connection. Raises `ServiceError`; TARGET_TIMEOUT at once for a host that was silent lately."""
        if self._silent.get((host, port), 0) > self._clock():
            raise _silent(host)
        try:
            line = await self._dial(host, port, job_id)
        except ServiceError as exc:
            if exc.code is ErrorCode.TARGET_TIMEOUT:
                self._remember(host, port)
            raise
        self._silent.pop((host, port), None)
        return line

    def _remember(self, host: str, port: int) -> None:
        self._silent.pop((host, port), None)
        while len(self._silent) >= self._size:
            del self._silent[next(iter(self._silent))]
        self._silent[host, port] = self._clock() + self._keep_s


def _silent(host: str) -> ServiceError:
    return ServiceError(ErrorCode.TARGET_TIMEOUT, f"{host} did not answer in time.")


def _literal(host: str) -> list[IPAddress]:
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        return []


def _is_this_machine(address: IPAddress) -> bool:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    plain = mapped or address
    return plain.is_loopback or plain.is_unspecified
