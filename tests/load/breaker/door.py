"""What stands before several processes of one kind, as a cluster's service does: whole connections to who is ready."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterable
from contextlib import suppress

from tests.fixtures.balancer import Backend, Balancer

_PIECE = 65_536
_FORGIVEN = 3
_ASK_S = 0.5


class Door(Balancer):
    """Passes bytes on and reads none of them, so that streams and long answers get through."""

    def __init__(self, ports: Iterable[int]) -> None:
        """Lead to whoever listens there."""
        super().__init__()
        for port in ports:
            self.add(port)
        self._misses: dict[int, int] = {}

    async def watch(self) -> None:
        """Ask everybody whether he takes requests; who is slow is asked three times before he is left out."""
        async with asyncio.TaskGroup() as group:
            for backend in self.backends:
                group.create_task(self._watch(backend))

    async def _watch(self, backend: Backend) -> None:
        while True:
            well = await self._asked(backend)
            self._misses[backend.port] = 0 if well else self._misses.get(backend.port, 0) + 1
            backend.ready = self._misses[backend.port] < _FORGIVEN
            await asyncio.sleep(_ASK_S)

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Connect somebody with a backend that is ready; hang up where there is none."""
        backend = await self._dialled()
        if backend is None:
            writer.transport.abort()
            return
        ways = [asyncio.create_task(_pour(reader, backend[1])), asyncio.create_task(_pour(backend[0], writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for side in (writer, backend[1]):
                side.close()

    async def _dialled(self) -> tuple[StreamReader, StreamWriter] | None:
        """Try who is ready, each in his turn, and then the others: a slow answer is better than none."""
        self._turn += 1
        turned = [self.backends[(self._turn + place) % len(self.backends)] for place in range(len(self.backends))]
        for backend in sorted(turned, key=lambda one: not one.ready):
            with suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", backend.port)
            # Until it answers again: nobody else shall be sent to who has just refused.
            self._misses[backend.port] = _FORGIVEN
            backend.ready = False
        return None


async def _pour(source: StreamReader, target: StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(_PIECE):
            target.write(piece)
            await target.drain()
