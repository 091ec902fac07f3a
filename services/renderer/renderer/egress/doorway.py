"""A listening socket of the proxy and the connections that came through it."""

import asyncio
import functools
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable

import structlog

from renderer.egress.budget import ACTIVE, CONNECTIONS
from renderer.egress.connection import Client, Connection, Identify
from renderer.egress.dial import Gate
from runtime.dialing import HEAD_LIMIT

log = structlog.get_logger(__name__)

CONNECTION_FAILED = "egress_connection_failed"

_BACKLOG = 1_024
# Chromium opens 32 connections to a proxy, and 255 more for WebSockets.
_PER_BROWSER = 300

Welcome = Callable[[str], bool]


class Doorway:
    """Takes connections, serves each in a task, and ends them."""

    def __init__(self, gate: Gate, identify: Identify, welcome: Welcome, *, room: int = _PER_BROWSER) -> None:
        """Serve up to `room` clients at once whose address is `welcome`; close others unanswered."""
        self._gate = gate
        self._identify = identify
        self._welcome = welcome
        self._room = room
        self._server: asyncio.Server | None = None
        # Not a TaskGroup: connections come and go between calls, and one that fails must not end the others.
        self._open: dict[asyncio.Task[None], Connection] = {}
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, host, port, backlog=_BACKLOG)
        self.port = self._server.sockets[0].getsockname()[1]

    def drop(self) -> None:
        """End every connection that is open."""
        for task in self._open:
            task.cancel()

    async def drain(self, seconds: float) -> None:
        """Stop listening and give exchanges in progress that long to end; idle connections end at once."""
        if self._server:
            self._server.close()
        for connection in self._open.values():
            connection.finish()
        if self._open:
            await asyncio.wait(self._open, timeout=seconds)

    async def aclose(self) -> None:
        """Stop listening and end every connection."""
        if self._server:
            self._server.close()
        self.drop()
        await asyncio.gather(*self._open, return_exceptions=True)
        if self._server:
            await self._server.wait_closed()
            self._server = None

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        client = Client()
        reader = StreamReader(limit=HEAD_LIMIT)
        return _Protocol(client, reader, functools.partial(self._accept, client))

    def _accept(self, client: Client, reader: StreamReader, writer: StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        if peer is None or len(self._open) >= self._room or not self._welcome(peer[0]):
            writer.transport.abort()
            return
        CONNECTIONS.inc()
        client.connect(reader, writer)
        connection = Connection(self._gate, self._identify, client)
        task = asyncio.create_task(_serve(connection))
        connection.task = task
        self._open[task] = connection
        ACTIVE.inc()
        task.add_done_callback(functools.partial(self._ended, writer))

    def _ended(self, writer: StreamWriter, task: asyncio.Task[None]) -> None:
        # A task that was cancelled before its first step has closed nothing.
        writer.transport.abort()
        del self._open[task]
        ACTIVE.dec()


class _Protocol(asyncio.StreamReaderProtocol):
    """Tells of a client's leaving at once: a stream tells only those who read, and a proxy waits for the site."""

    def __init__(
        self, client: Client, reader: StreamReader, accept: Callable[[StreamReader, StreamWriter], None]
    ) -> None:
        super().__init__(reader, accept)
        self._client = client

    def eof_received(self) -> bool:
        stay = super().eof_received()
        self._client.leave()
        return bool(stay)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._client.leave()


async def _serve(connection: Connection) -> None:
    try:
        await connection.serve()
    except Exception:  # the outermost loop of a connection: it ends closed, the proxy goes on
        log.exception(CONNECTION_FAILED)
