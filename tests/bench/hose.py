"""A client that costs little: raw HTTP/1.1 over kept connections, so that the server is what is measured."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field


@dataclass
class Sample:
    """One request: status (0: no answer), seconds, and what Retry-After said."""

    status: int
    took_s: float
    at_s: float
    retry_after_s: float = 0


@dataclass
class Samples:
    """Many requests."""

    all: list[Sample] = field(default_factory=list)

    def statuses(self) -> Counter[int]:
        return Counter(sample.status for sample in self.all)

    def cut(self, percent: float, *statuses: int) -> float:
        """Return a percentile in milliseconds, of these statuses or of all."""
        taken = sorted(one.took_s for one in self.all if not statuses or one.status in statuses)
        return taken[min(len(taken) - 1, int(len(taken) * percent / 100))] * 1_000 if taken else float("nan")


def request(method: str, path: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


class Line:
    """One kept connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, message: bytes) -> Sample:
        begun = time.perf_counter()
        status, retry_after_s = 0, 0.0
        try:
            async with asyncio.timeout(30):
                status, retry_after_s = await self._exchange(message)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            self.close()
        return Sample(status, time.perf_counter() - begun, begun, retry_after_s)

    async def _exchange(self, message: bytes) -> tuple[int, float]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(message)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(_field(head, b"content-length") or 0))
        if _field(head, b"connection") == b"close":
            self.close()
        return int(head[9:12]), float(_field(head, b"retry-after") or 0)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _field(head: bytes, name: bytes) -> bytes:
    _, found, rest = head.partition(b"\r\n" + name + b": ")
    return rest.partition(b"\r\n")[0] if found else b""


async def steady(port: int, messages: Iterator[bytes], per_second: float, seconds: float, lines: int) -> Samples:
    """Send at a fixed rate, whatever the answers: the next free of `lines` connections takes each."""
    samples = Samples()
    free: asyncio.Queue[Line] = asyncio.Queue()
    everything = [Line(port) for _ in range(lines)]
    for line in everything:
        free.put_nowait(line)
    begun = time.perf_counter()

    async def one(line: Line, due: float) -> None:
        sample = await line.ask(next(messages))
        # Counted from when it was due: a server that makes clients wait for a connection must not look fast.
        sample.took_s = time.perf_counter() - due
        samples.all.append(sample)
        free.put_nowait(line)

    async with asyncio.TaskGroup() as group:
        for number in range(int(per_second * seconds)):
            due = begun + number / per_second
            await asyncio.sleep(max(0, due - time.perf_counter()))
            line = await free.get()
            group.create_task(one(line, due))
    for line in everything:
        line.close()
    return samples


async def flat_out(port: int, message: bytes, seconds: float, lines: int) -> Samples:
    """Keep `lines` connections busy."""
    samples = Samples()
    until = time.perf_counter() + seconds

    async def one() -> None:
        line = Line(port)
        while time.perf_counter() < until:
            samples.all.append(await line.ask(message))
        line.close()

    with suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as group:
            for _ in range(lines):
                group.create_task(one())
    return samples
