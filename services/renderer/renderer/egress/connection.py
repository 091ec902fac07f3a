"""One connection from the browser: each request on it is read, judged and carried out, in turn."""

import asyncio
import contextlib
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable

from contracts.errors import ErrorCode
from renderer.egress.body import CHUNK, Seen, copy_body, copy_message, copy_until_end, send
from renderer.egress.budget import BYTES, NOBODY, Traffic
from renderer.egress.dial import BackgroundCallError, Gate, Upstream
from renderer.egress.message import (
    MalformedError,
    Request,
    Response,
    read_request,
    read_response,
    write_refusal,
    write_request,
    write_response,
)
from runtime.errors import ServiceError

_END_OF_HEAD = b"\r\n\r\n"
_SWITCHING = 101
_FINAL = 200
_LINGER_S = 2
_RENEWALS = 20
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, no seconds

_BROKEN = (OSError, EOFError, MalformedError, asyncio.LimitOverrunError)


Identify = Callable[[Request], Traffic]


class Client:
    """The browser's side of a connection: its streams, and the news that it has gone."""

    reader: StreamReader
    writer: StreamWriter

    def __init__(self) -> None:
        """Not connected yet, and nobody to tell."""
        self._told: Callable[[], None] | None = None

    def connect(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Take the streams of the open connection."""
        self.reader, self.writer = reader, writer

    def tell(self, leaving: Callable[[], None]) -> None:
        """Call `leaving` when the browser has sent its last byte."""
        self._told = leaving

    def leave(self) -> None:
        """Pass the news on."""
        if self._told:
            self._told()


class Connection:
    """Lives as long as the browser's connection and owns the one to the site."""

    def __init__(self, gate: Gate, identify: Identify, client: Client) -> None:
        """Serve `client`; each request is charged to the traffic that `identify` names, which may refuse it."""
        self.task: asyncio.Task[None] | None = None
        self._gate = gate
        self._identify = identify
        self._traffic = NOBODY
        self._reader = client.reader
        self._writer = client.writer
        self._upstream: Upstream | None = None
        self._patience = asyncio.timeout(None)
        self._renewed = 0.0
        self._last = False
        self._idle = True
        self._carried: Request | None = None
        self._replying = False
        self._bytes_in = 0
        self._bytes_out = 0
        client.tell(self._left)

    async def serve(self) -> None:
        """Answer requests until either side is done."""
        try:
            while await self._next() and not self._last:
                pass
            self._writer.close()
            async with asyncio.timeout(_LINGER_S):
                await self._writer.wait_closed()
        except (OSError, EOFError):
            self._reset()
        finally:
            self._writer.transport.abort()
            self._drop_upstream()
            BYTES.labels("in").inc(self._bytes_in)
            BYTES.labels("out").inc(self._bytes_out)

    def finish(self) -> None:
        """End after the exchange in progress; at once when there is none."""
        self._last = True
        if self._idle and self.task:
            self.task.cancel()

    async def _next(self) -> bool:
        """Carry out one request; tell whether another may follow on this connection."""
        self._replying, self._idle = False, True
        try:
            request = await self._read_request()
        except MalformedError as exc:
            detail = f"The proxy cannot accept this request: {exc}."
            return await self._answer(ServiceError(ErrorCode.INVALID_REQUEST, detail))
        finally:
            self._idle = False
        if request is None:
            return False
        try:
            self._charge(self._identify(request))
        except ServiceError as exc:
            return await self._answer(exc)
        return await self._judge(request)

    async def _judge(self, request: Request) -> bool:
        self._carried = request
        try:
            return await self._carry(request)
        except BackgroundCallError as exc:
            self._carried = None
            self._traffic.refuse_background()
            return await self._answer(exc.refusal)
        except ServiceError as exc:
            self._carried = None
            self._traffic.refuse(request.host, request.port, exc)
            return await self._answer(exc)
        finally:
            self._carried = None

    def _charge(self, traffic: Traffic) -> None:
        if traffic is not self._traffic:
            # A connection that was opened for one job is no other's to use.
            self._drop_upstream()
            self._traffic = traffic

    def _left(self) -> None:
        # In a tunnel the end of input is a half-close, which is passed on. In HTTP it is a browser that has gone: the
        # site need not be waited for, nor even the dial.
        if self._carried and not self._carried.tunnels and self.task:
            self.task.cancel()

    async def _read_request(self) -> Request | None:
        try:
            async with asyncio.timeout(self._gate.limits.idle_s):
                head = await self._reader.readuntil(_END_OF_HEAD)
        except (TimeoutError, asyncio.IncompleteReadError):
            return None
        except asyncio.LimitOverrunError as exc:
            raise MalformedError("its head is too large") from exc
        return read_request(head)

    async def _carry(self, request: Request) -> bool:
        self._gate.admit(request, self._traffic)
        upstream = self._upstream
        reused = upstream is not None and upstream.serves(request)
        if upstream is None or not reused:
            self._drop_upstream()
            upstream = self._upstream = await self._gate.open(request, self._traffic)
        try:
            async with asyncio.timeout(self._wait()) as self._patience:
                return await self._converse(request, upstream)
        except TimeoutError as exc:
            self._traffic.check_time()
            if request.tunnels and self._bytes_in:
                raise ConnectionResetError from exc  # an idle tunnel is no failure of the site
            raise ServiceError(ErrorCode.TARGET_TIMEOUT, f"{request.host} did not answer in time.") from exc
        except _BROKEN as exc:
            # A site may close a kept connection at any moment: the browser sees just that, and asks again by itself.
            # The end of input is a half-close in a tunnel, and in HTTP a browser that has gone.
            left = self._browser_left() or (not request.tunnels and self._reader.at_eof())
            if left or (reused and not self._replying):
                raise ConnectionResetError from exc
            raise _dropped(request.host, exc) from exc

    async def _converse(self, request: Request, upstream: Upstream) -> bool:
        if request.method == "CONNECT":
            self._replying = True
            send(self._writer, _ESTABLISHED)
            return await self._relay(upstream)
        send(upstream.writer, write_request(request))
        if request.body.empty:
            return await self._reply(request, upstream)
        return await self._exchange(request, upstream)

    async def _relay(self, upstream: Upstream) -> bool:
        """Carry bytes both ways; the end of one direction is passed on and leaves the other open."""
        outcomes = await asyncio.gather(
            self._pump(upstream, upstream.reader, self._writer, self._received),
            self._pump(upstream, self._reader, upstream.writer, self._sent),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return False

    async def _pump(self, upstream: Upstream, source: StreamReader, sink: StreamWriter, seen: Seen) -> None:
        try:
            await copy_until_end(source, sink, seen)
            if not sink.is_closing():
                sink.write_eof()
        except (OSError, ServiceError) as exc:
            # First the verdict, then the reset: whoever sees the reset asks for the verdict.
            if isinstance(exc, ServiceError):
                self._traffic.refuse(upstream.host, upstream.port, exc)
            elif not self._browser_left():
                self._traffic.refuse(upstream.host, upstream.port, _dropped(upstream.host, exc))
            self._reset()
            raise ConnectionResetError from exc

    async def _exchange(self, request: Request, upstream: Upstream) -> bool:
        """Send a body while already listening: a site may answer before it has read everything."""
        upload = asyncio.create_task(self._upload(request, upstream))
        try:
            keep = await self._reply(request, upstream)
            return keep and upload.done() and upload.exception() is None
        except _BROKEN:
            if upload.done() and isinstance(failure := upload.exception(), ServiceError):
                raise failure from None
            raise
        finally:
            await _stop(upload)

    async def _upload(self, request: Request, upstream: Upstream) -> None:
        try:
            await copy_body(self._reader, upstream.writer, request.body, self._sent)
        except (MalformedError, asyncio.LimitOverrunError) as exc:
            upstream.writer.transport.abort()
            raise ServiceError(ErrorCode.INVALID_REQUEST, f"The body cannot be read: {exc}.") from exc
        except (EOFError, ServiceError):
            upstream.writer.transport.abort()
            raise

    async def _reply(self, request: Request, upstream: Upstream) -> bool:
        response = await self._response(request, upstream)
        keep = request.persistent and response.persistent
        self._replying = True
        head = write_response(response, keep=keep)
        if response.status == _SWITCHING:
            send(self._writer, head)
            return await self._relay(upstream)
        await copy_message(upstream.reader, self._writer, head, response.body, self._received)
        await self._writer.drain()
        return keep

    async def _response(self, request: Request, upstream: Upstream) -> Response:
        """Return the final answer's head; interim ones are passed on."""
        while True:
            head = await upstream.reader.readuntil(_END_OF_HEAD)
            self._received(len(head))
            response = read_response(head, request.method)
            if response.status == _SWITCHING and not request.upgrade:
                raise MalformedError("an upgrade that nobody asked for")
            if response.status >= _FINAL or response.status == _SWITCHING:
                return response
            send(self._writer, write_response(response, keep=True))

    async def _answer(self, error: ServiceError) -> bool:
        """Tell the browser that the proxy refuses; too late for that, let it see a broken answer."""
        self._drop_upstream()
        if self._replying:
            self._reset()
            return False
        send(self._writer, write_refusal(error))
        self._writer.write_eof()
        # Closing with unread input resets the connection, and the browser may then lose the answer.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                while await self._reader.read(CHUNK):
                    pass
        return False

    def _browser_left(self) -> bool:
        return self._writer.is_closing() or self._reader.exception() is not None

    def _received(self, count: int) -> None:
        self._bytes_in += count
        self._progress()
        self._traffic.received(count)

    def _sent(self, count: int) -> None:
        self._bytes_out += count
        self._progress()
        self._traffic.sent(count)

    def _wait(self) -> float:
        return min(self._gate.limits.idle_s, self._traffic.left_s())

    def _progress(self) -> None:
        now = asyncio.get_running_loop().time()
        # Each renewal costs a timer, so a stream in full flow renews rarely.
        if now - self._renewed > self._gate.limits.idle_s / _RENEWALS and not self._patience.expired():
            self._renewed = now
            self._patience.reschedule(now + self._wait())

    def _reset(self) -> None:
        """Drop both connections; the browser's with a reset, as a plain end can look like a complete answer."""
        if not self._writer.is_closing():
            own = self._writer.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._writer.transport.abort()
        self._drop_upstream()

    def _drop_upstream(self) -> None:
        if self._upstream:
            self._upstream.writer.transport.abort()
            self._upstream = None


def _dropped(host: str, cause: Exception) -> ServiceError:
    return ServiceError(ErrorCode.TARGET_REFUSED, f"{host} dropped the connection.", reason=repr(cause))


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()
