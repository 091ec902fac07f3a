"""What the egress proxy costs: CPU of its process for each request, connection and megabyte that passes it."""

import asyncio
import multiprocessing
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import cast

import uvloop

from renderer.egress import EgressLimits, EgressProxy
from runtime.netguard import AddressPolicy

_HEADERS = (
    "Proxy-Connection: keep-alive\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/156.0.0.0 Safari/537.36\r\nAccept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8\r\n"
    "Referer: http://127.0.0.1/agency/index.html\r\nAccept-Encoding: gzip, deflate\r\nAccept-Language: en-US,en;q=0.9"
)
_UNLIMITED = EgressLimits(bytes=1 << 50, requests=1 << 40)


class _Site(asyncio.Protocol):
    """Answers every request with as many bytes as its path says."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by descent
        self._seen = b""

    def data_received(self, data: bytes) -> None:
        self._seen += data
        while b"\r\n\r\n" in self._seen:
            head, _, self._seen = self._seen.partition(b"\r\n\r\n")
            size = int(head.split(b" ", 2)[1].rpartition(b"/")[2])
            fields = b"Server: bench\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\nContent-Type: image/png\r\n"
            fields += b'Last-Modified: Sat, 21 Nov 2026 11:00:00 GMT\r\nETag: "a"\r\nContent-Length: %d' % size
            self._transport.write(b"HTTP/1.1 200 OK\r\n%s\r\n\r\n%s" % (fields, b"x" * size))


def _site(ready: Connection) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Site, "127.0.0.1", 0, backlog=1_000)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(serve())


@contextmanager
def _process(target: object, *arguments: object) -> Iterator[Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *arguments), daemon=True)  # type: ignore[arg-type]  # any function
    process.start()
    try:
        yield ours
    finally:
        process.kill()
        process.join()


async def _ask(reader: StreamReader, writer: StreamWriter, request: bytes, size: int) -> None:
    writer.write(request)
    await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(size)


async def _browse(proxy: int, site: int, size: int, requests: int, per_connection: int) -> None:
    request = f"GET http://127.0.0.1:{site}/{size} HTTP/1.1\r\nHost: 127.0.0.1:{site}\r\n{_HEADERS}\r\n\r\n".encode()
    for _ in range(requests // per_connection):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy, limit=1 << 20)
        for _ in range(per_connection):
            await _ask(reader, writer, request, size)
        writer.transport.abort()


async def _tunnel(proxy: int, site: int, size: int, requests: int, per_connection: int) -> None:
    request = f"GET /{size} HTTP/1.1\r\nHost: 127.0.0.1:{site}\r\n{_HEADERS}\r\n\r\n".encode()
    for _ in range(requests // per_connection):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy, limit=1 << 20)
        await _ask(reader, writer, f"CONNECT 127.0.0.1:{site} HTTP/1.1\r\nHost: a\r\n\r\n".encode(), 0)
        for _ in range(per_connection):
            await _ask(reader, writer, request, size)
        writer.transport.abort()


_VISITS = {"plain": _browse, "tunnel": _tunnel}
_CLIENTS = 6


def _clients(orders: Connection, proxy: int, site: int) -> None:
    async def visit() -> None:
        while True:
            kind, size, requests, per_connection = await asyncio.to_thread(orders.recv)
            work = (_VISITS[kind](proxy, site, size, requests // _CLIENTS, per_connection) for _ in range(_CLIENTS))
            await asyncio.gather(*work)
            orders.send("done")

    uvloop.run(visit())


async def _measure(orders: Connection, kind: str, size: int, requests: int, per_connection: int) -> float:
    begun = time.process_time()
    orders.send((kind, size, requests, per_connection))
    while not orders.poll():
        await asyncio.sleep(0.02)
    orders.recv()
    return (time.process_time() - begun) * 1e6 / requests


async def _report() -> list[str]:
    with _process(_site) as ready:
        port = ready.recv()
        egress = EgressProxy(AddressPolicy.from_setting(f"127.0.0.1:{port}"), _UNLIMITED)
        listener = await egress.listener()
        listener.begin("bench")
        lines = ["### The egress proxy: CPU of its process", "", "| what passes | µs |", "|---|---|"]
        with _process(_clients, listener.port, port) as orders:
            await _measure(orders, "plain", 100, 600, 50)
            for what, kind, size, requests, per_connection in _CASES:
                figures = [await _measure(orders, kind, size, requests, per_connection) for _ in range(3)]
                lines.append(f"| {what} | {min(figures):.0f} |")
        await egress.aclose()
    return [*lines, ""]


_CASES = (
    ("a request of 1 kB on a kept connection", "plain", 1_000, 6_000, 100),
    ("a request of 100 kB on a kept connection", "plain", 100_000, 1_800, 100),
    ("a request of 1 MB on a kept connection", "plain", 1_000_000, 300, 50),
    ("a connection with one request of 1 kB", "plain", 1_000, 1_800, 1),
    ("a tunnel with one exchange of 1 kB", "tunnel", 1_000, 1_800, 1),
    ("an exchange of 1 kB in an open tunnel", "tunnel", 1_000, 6_000, 100),
    ("an exchange of 1 MB in an open tunnel", "tunnel", 1_000_000, 300, 50),
)


def report() -> list[str]:
    """Measure on the event loop that the services use; the least of three runs."""
    return uvloop.run(_report())
