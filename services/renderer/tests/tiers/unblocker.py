"""A provider's proxy that leads every request to one site of the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .conftest import Told


class FakeProvider:
    """Takes absolute addresses and CONNECT, notes the first of each connection, and answers from `site`."""

    def __init__(self, site: Told) -> None:
        self.site = site
        self.port = 0
        self.asked: list[str] = []
        self.credentials: list[str] = []
        self.refusing = False

    @property
    def url(self) -> str:
        return f"http://me:p%40ss@127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, _ = head.split("\r\n")[0].split(" ")
            self.asked.append(target if method == "GET" else f"{method} {target}")
            self._note(head)
            if self.refusing:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
                return
            await self._lead(method, target, head, (reader, writer))
        except (EOFError, ConnectionError, asyncio.CancelledError):
            pass  # the client left, or the test is over
        finally:
            writer.close()

    def _note(self, head: str) -> None:
        lines = [line.partition(": ") for line in head.split("\r\n")]
        self.credentials += [value for name, _, value in lines if name.lower() == "proxy-authorization"]

    async def _lead(
        self, method: str, target: str, head: str, client: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> None:
        reader, writer = client
        there, here = await asyncio.open_connection("127.0.0.1", self.site.port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            path = "/" + target.split("/", 3)[3]
            kept = [line for line in head.split("\r\n")[1:] if not line.lower().startswith("proxy-")]
            here.write("\r\n".join([f"GET {path} HTTP/1.1", *kept]).encode("latin-1"))
        await asyncio.wait(
            [asyncio.create_task(_copy(there, writer)), asyncio.create_task(_copy(reader, here))],
            return_when=asyncio.FIRST_COMPLETED,
        )


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            sink.write(data)
    except (ConnectionError, asyncio.CancelledError):
        pass
    sink.close()


@asynccontextmanager
async def serving(site: Told) -> AsyncIterator[FakeProvider]:
    """Serve a provider in front of `site`."""
    provider = FakeProvider(site)
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    provider.port = server.sockets[0].getsockname()[1]
    try:
        yield provider
    finally:
        server.close()
