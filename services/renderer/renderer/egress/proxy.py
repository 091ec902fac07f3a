"""The proxy's lifetime: one loopback listener per browser slot, one job at a time on each."""

import asyncio
import functools
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable

import structlog

from renderer.egress.budget import ACTIVE, CONNECTIONS, EgressLimits, Traffic
from renderer.egress.connection import Connection
from renderer.egress.dial import Gate
from runtime.dialing import HEAD_LIMIT, DialLimits, PatientDial, PinnedDial
from runtime.netguard import AddressPolicy
from runtime.resolver import OwnResolver, Resolver

log = structlog.get_logger(__name__)

CONNECTION_FAILED = "egress_connection_failed"

_LOOPBACK = "127.0.0.1"
_DEFAULT_LIMITS = EgressLimits()


class Listener:
    """A proxy address for one browser. Until `begin` names a job, every connection is closed unanswered."""

    def __init__(self, gate: Gate, forget: Callable[["Listener"], None]) -> None:
        """Use `EgressProxy.listener`."""
        self._gate = gate
        self._forget = forget
        self._server: asyncio.Server | None = None
        self._traffic: Traffic | None = None
        # Not a TaskGroup: connections come and go between calls, and one that fails must not end the others.
        self._open: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def url(self) -> str:
        """What Chromium's `--proxy-server` takes."""
        return f"http://{_LOOPBACK}:{self.port}"

    def begin(self, job_id: str) -> Traffic:
        """Start a job with fresh budgets; the connections of the one before are dropped."""
        for task in self._open:
            task.cancel()
        self._traffic = Traffic(job_id, self._gate.limits)
        return self._traffic

    async def start(self) -> None:
        """Listen on a free loopback port."""
        self._server = await asyncio.start_server(self._accept, _LOOPBACK, 0, limit=HEAD_LIMIT)
        self.port = self._server.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        """Stop listening and drop every connection."""
        self._forget(self)
        if self._server:
            self._server.close()
        open_now = list(self._open)
        for task in open_now:
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)
        if self._server:
            await self._server.wait_closed()
            self._server = None

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        if self._traffic is None:
            writer.transport.abort()
            return
        CONNECTIONS.inc()
        task = asyncio.create_task(self._serve(Connection(self._gate, self._traffic, reader, writer)))
        self._open.add(task)
        ACTIVE.inc()
        task.add_done_callback(functools.partial(self._ended, writer))

    def _ended(self, writer: StreamWriter, task: asyncio.Task[None]) -> None:
        # A task that was cancelled before its first step has closed nothing.
        writer.transport.abort()
        self._open.discard(task)
        ACTIVE.dec()

    async def _serve(self, connection: Connection) -> None:
        try:
            await connection.serve()
        except Exception:  # the outermost loop of a connection: it ends closed, the proxy goes on
            log.exception(CONNECTION_FAILED)


class EgressProxy:
    """All listeners of one renderer, and what they share: policy, limits and resolver."""

    def __init__(
        self, policy: AddressPolicy, limits: EgressLimits = _DEFAULT_LIMITS, resolver: Resolver | None = None
    ) -> None:
        """Enforce `policy`; without a `resolver` ask the system's, with a cache."""
        self._policy = policy
        self._limits = limits
        self._own = OwnResolver()
        self._resolver = resolver or self._own
        self._gate: Gate | None = None
        self._listeners: set[Listener] = set()
        self._ports: set[int] = set()

    async def start(self) -> None:
        """Make the shared parts; listeners can be made from now on."""
        waits = DialLimits(self._limits.connect_s, self._limits.attempt_s)
        dial = PinnedDial(self._policy, self._resolver, waits, self._ports)
        self._gate = Gate(self._policy, self._limits, PatientDial(dial))

    async def listener(self) -> Listener:
        """Open a proxy address for one more browser."""
        if self._gate is None:
            raise RuntimeError("start the proxy before asking for listeners")
        listener = Listener(self._gate, self._remove)
        await listener.start()
        self._listeners.add(listener)
        self._ports.add(listener.port)
        return listener

    async def aclose(self) -> None:
        """Close every listener and stop resolving."""
        for listener in list(self._listeners):
            await listener.aclose()
        await self._own.aclose()

    def _remove(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        self._ports.discard(listener.port)
