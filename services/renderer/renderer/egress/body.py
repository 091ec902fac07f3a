"""Copying bodies from one connection to another: streamed, counted, no faster than the receiver reads."""

import re
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable

from renderer.egress.message import Body, Framing, MalformedError

CHUNK = 65_536

_SIZE_LINE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")

Seen = Callable[[int], None]


def send(sink: StreamWriter, data: bytes) -> None:
    """Write to a connection that may have gone. Raises `ConnectionResetError`, which not every event loop does."""
    if sink.is_closing():
        raise ConnectionResetError
    sink.write(data)


async def copy_until_end(source: StreamReader, sink: StreamWriter, seen: Seen) -> None:
    """Copy everything up to the end of the stream. `seen` is told each count and may raise."""
    while data := await source.read(CHUNK):
        await _pass(data, sink, seen)


async def copy_message(source: StreamReader, sink: StreamWriter, head: bytes, body: Body, seen: Seen) -> None:
    """Send `head` and copy the body that follows it; what of it is there already goes in the same packet."""
    if body.framing is Framing.LENGTH and body.length and _is_waiting(source):
        data = await source.read(min(body.length, CHUNK))
        seen(len(data))
        send(sink, head + data)
        await sink.drain()
        await _copy_exactly(source, sink, body.length - len(data), seen)
    else:
        send(sink, head)
        await copy_body(source, sink, body, seen)


def _is_waiting(source: StreamReader) -> bool:
    # No public way to ask without waiting; a head must not wait for the body of a slow site.
    return bool(source._buffer)  # type: ignore[attr-defined]  # noqa: SLF001


async def copy_body(source: StreamReader, sink: StreamWriter, body: Body, seen: Seen) -> None:
    """Copy one message's body. Raises `EOFError` when the source ends early, `MalformedError` on broken chunks."""
    if body.framing is Framing.UNTIL_CLOSE:
        await copy_until_end(source, sink, seen)
    elif body.framing is Framing.CHUNKED:
        await _copy_chunks(source, sink, seen)
    else:
        await _copy_exactly(source, sink, body.length, seen)


async def _pass(data: bytes, sink: StreamWriter, seen: Seen) -> None:
    seen(len(data))
    send(sink, data)
    await sink.drain()


async def _copy_exactly(source: StreamReader, sink: StreamWriter, length: int, seen: Seen) -> None:
    while length:
        data = await source.read(min(length, CHUNK))
        if not data:
            raise EOFError
        length -= len(data)
        await _pass(data, sink, seen)


async def _copy_chunks(source: StreamReader, sink: StreamWriter, seen: Seen) -> None:
    while size := await _chunk_size(source):
        if size <= CHUNK:
            data = await source.readexactly(size + 2)
            _end_of_chunk(data[-2:])
            await _pass(b"%x\r\n" % size + data, sink, seen)
        else:
            send(sink, b"%x\r\n" % size)
            await _copy_exactly(source, sink, size, seen)
            _end_of_chunk(await source.readexactly(2))
            send(sink, b"\r\n")
    # Trailer fields are dropped: no browser reads them.
    while len(line := await source.readuntil(b"\r\n")) > len(b"\r\n"):
        seen(len(line))
    await _pass(b"0\r\n\r\n", sink, seen)


async def _chunk_size(source: StreamReader) -> int:
    found = _SIZE_LINE.fullmatch(await source.readuntil(b"\r\n"))
    if not found:
        raise MalformedError("chunk size")
    return int(found[1], 16)


def _end_of_chunk(data: bytes) -> None:
    if data != b"\r\n":
        raise MalformedError("chunk end")
