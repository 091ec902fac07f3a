"""A thin client of the Chrome DevTools Protocol: flat sessions over one WebSocket, many commands in flight together.

No call has a time limit of its own: whoever awaits one holds a deadline (`asyncio.timeout`). A dead socket, a crashed
page or `Session.fail` ends every wait at once, so nothing here can outlive its browser.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from contracts.errors import ErrorCode
from runtime.errors import ServiceError

# What CDP sends is JSON whose shape depends on the method: the one foreign edge where a dict stays a dict.
Message = dict[str, Any]
Handler = Callable[[Message], None]


class ProtocolError(ServiceError):
    """Chromium answered a command with an error; `message` is its text."""

    def __init__(self, method: str, message: str) -> None:
        """Name the command that was refused."""
        super().__init__(ErrorCode.BROWSER_FAILED, "The browser refused a command.", reason=f"{method}: {message}")
        self.message = message


class BrowserGone(ServiceError):  # noqa: N818  # named for what happened
    """The browser ended, or its connection did."""

    def __init__(self, reason: str) -> None:
        """`reason` is what the socket said."""
        super().__init__(ErrorCode.BROWSER_FAILED, "The browser ended before it was done.", reason=reason)


class Session:
    """Commands to one target (a page, a frame's process, a worker) and the events that come from it."""

    def __init__(self, connection: "Connection", session_id: str) -> None:
        """Use `Connection.session`."""
        self.id = session_id
        self._connection = connection
        self._handlers: dict[str, Handler] = {}
        self._waiting: set[asyncio.Future[Any]] = set()
        self._failure: ServiceError | None = None

    def on(self, method: str, handler: Handler) -> None:
        """Call `handler` with the parameters of each such event."""
        self._handlers[method] = handler

    def future(self) -> asyncio.Future[Any]:
        """Return a future that fails when this session does."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._failure:
            future.set_exception(self._failure)
            future.add_done_callback(_seen)
            return future
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        return future

    async def call(self, method: str, **params: object) -> Message:
        """Run a command. Raises `ProtocolError`, or what the session was failed with."""
        answer = self.future()
        await self._connection.send(self.id, method, params, answer)
        result: Message = await answer
        return result

    def post(self, method: str, **params: object) -> None:
        """Run a command whose answer nobody needs: its failure shows in what follows."""
        self._connection.spawn(self.call(method, **params))

    def fail(self, error: ServiceError) -> None:
        """End every wait on this session, present and future, with `error`."""
        self._failure = self._failure or error
        for future in list(self._waiting):
            if not future.done():
                future.set_exception(self._failure)
            future.add_done_callback(_seen)

    def dispatch(self, method: str, params: Message) -> None:
        """Hand an event to its handler."""
        if handler := self._handlers.get(method):
            handler(params)


class Connection:
    """The WebSocket to one browser."""

    def __init__(self, socket: ClientConnection) -> None:
        """Use `Connection.open`."""
        self._socket = socket
        self._sessions: dict[str, Session] = {}
        self._answers: dict[int, tuple[str, asyncio.Future[Any] | None]] = {}
        self._last = 0
        self._tasks: set[asyncio.Task[object]] = set()
        self.closed = asyncio.Event()
        self.browser = self.session("")
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect to a browser's DevTools address. Raises `ServiceError` (browser_failed)."""
        try:
            # Pictures come as one message of many megabytes, over loopback: no limit, no compression, no pings
            # (a stopped browser is noticed by deadlines, and pings would only add a second opinion).
            socket = await connect(url, compression=None, max_size=None, ping_interval=None, proxy=None)
        except (OSError, WebSocketException) as exc:
            raise ServiceError(ErrorCode.BROWSER_FAILED, "The browser did not start.", reason=repr(exc)) from exc
        return cls(socket)

    def session(self, session_id: str) -> Session:
        """Return the session of that id; "" is the browser itself."""
        return self._sessions.setdefault(session_id, Session(self, session_id))

    def drop(self, session_id: str) -> None:
        """End a session: what still waits on it fails, late events are ignored."""
        if session := self._sessions.pop(session_id, None):
            session.fail(ServiceError(ErrorCode.BROWSER_FAILED, "The page was closed."))

    async def send(self, session_id: str, method: str, params: Message, answer: asyncio.Future[Any]) -> None:
        """Write one command; `answer` gets its result."""
        self._last += 1
        message: Message = {"id": self._last, "method": method, "params": params}
        if session_id:
            message["sessionId"] = session_id
        key = self._last
        self._answers[key] = (method, answer)
        answer.add_done_callback(lambda _done: self._answers.pop(key, None))
        try:
            await self._socket.send(json.dumps(message))
        except WebSocketException as exc:
            raise _gone(exc) from exc

    def spawn(self, work: Any) -> None:  # noqa: ANN401  # any coroutine; asyncio's own parameter type
        """Run `work` beside the caller, for as long as the connection lives."""
        task = asyncio.create_task(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Drop the socket without waiting for the browser's goodbye."""
        self._socket.transport.abort()
        await asyncio.gather(self._reader, *self._tasks, return_exceptions=True)

    async def _read(self) -> None:
        reason: Exception | None = None
        try:
            async for raw in self._socket:
                self._receive(json.loads(raw))
        except WebSocketException as exc:
            reason = exc
        finally:
            self.closed.set()
            for session in self._sessions.values():
                session.fail(_gone(reason))

    def _receive(self, message: Message) -> None:
        if "id" not in message:
            if session := self._sessions.get(message.get("sessionId", "")):
                session.dispatch(message["method"], message["params"])
            return
        method, answer = self._answers.pop(message["id"], ("", None))
        if answer is None or answer.done():
            return
        if "error" in message:
            answer.set_exception(ProtocolError(method, message["error"]["message"]))
        else:
            answer.set_result(message["result"])


def _gone(reason: Exception | None) -> BrowserGone:
    return BrowserGone(repr(reason))


def _seen(future: asyncio.Future[Any]) -> None:
    # A wait that was failed and then never awaited is no news: asyncio would warn about it.
    if not future.cancelled():
        future.exception()


async def _quietly(work: Any) -> None:  # noqa: ANN401  # any coroutine; asyncio's own parameter type
    with suppress(ServiceError):  # nobody waits for it; the page's own waits report what matters
        await work
