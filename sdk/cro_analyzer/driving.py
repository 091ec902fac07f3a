"""Running flows: all of this library's I/O, once for threads and once for asyncio."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import httpx2

from cro_analyzer.errors import ConnectionFailedError, CroError, TimedOutError
from cro_analyzer.exchange import exchange
from cro_analyzer.problems import FIRST_ERROR_STATUS
from cro_analyzer.retries import RetryPolicy
from cro_analyzer.steps import Answer, Call, Deed, Flow, Item, Now, Pause, Read, Request, Send, Stream

T = TypeVar("T")

_CONNECT_S = 10.0
_PATH = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+")
"""No segment is empty, "." or "..": `../keys/x` in the place of an id would lead to another noun."""


@dataclass(frozen=True)
class Terms:
    """What holds for every request of a client; `timeout_s` does not count what a request asks to wait."""

    timeout_s: float = 60.0
    retries: RetryPolicy = field(default_factory=RetryPolicy)


class _Turns(Generic[T]):
    """A flow, one step at a time: `step` is what it asks for, None once it has returned `result`."""

    def __init__(self, flow: Generator[Deed | Item[Any], Any, T] | Flow[T]) -> None:  # of items and replies of any type
        self._flow = flow
        self.step: Deed | Item[Any] | None = None  # of any type
        self.result: T
        self.answer(None)

    def answer(self, reply: object) -> None:
        """Go on with what the step has led to."""
        try:
            self.step = self._flow.send(reply)
        except StopIteration as end:
            self.step, self.result = None, end.value

    def fail(self, error: CroError) -> None:
        """Go on with the step's failure."""
        try:
            self.step = self._flow.throw(error)
        except StopIteration as end:
            self.step, self.result = None, end.value


@contextmanager
def _translated(http: httpx2.Client | httpx2.AsyncClient) -> Iterator[None]:
    try:
        yield
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as exc:
        origin = str(http.base_url).rstrip("/")
        text = f"cannot connect to {origin} ({exc}): is the service there? CRO_API_URL or base_url says where it is."
        raise ConnectionFailedError(text, unsent=True) from exc
    except httpx2.TimeoutException as exc:
        raise TimedOutError("no answer in time") from exc
    except (httpx2.UnsupportedProtocol, httpx2.InvalidURL, httpx2.LocalProtocolError) as exc:
        raise CroError(f"the request cannot be sent: {exc}") from exc
    except httpx2.HTTPError as exc:
        raise ConnectionFailedError(f"the connection was lost: {str(exc) or type(exc).__name__}") from exc


def _checked(request: Request) -> None:
    """Refuse what would ask for something else than its caller means, or cannot be sent. Raises `CroError`."""
    if not _PATH.fullmatch(request.path):
        raise CroError(f"{request.path!r} is no address of the API: is one of the ids in it empty, or no id?")
    for name, value in request.headers.items():
        if not (value.isascii() and value.isprintable()):
            raise CroError(f"{name}: visible ASCII characters only")


def _arguments(terms: Terms, request: Request) -> dict[str, Any]:  # httpx2's own keywords
    _checked(request)
    longest = terms.timeout_s
    timeout = httpx2.Timeout(
        connect=min(_CONNECT_S, longest), read=longest + request.longer_s, write=longest, pool=longest
    )
    wanted: dict[str, Any] = {
        "params": dict(request.params),
        "headers": dict(request.headers),
        "timeout": timeout,
    }
    if request.form is not None:
        form = request.form
        wanted["data"] = dict(form.fields)
        wanted["files"] = {form.name: (form.file_name, form.content, form.content_type)}
    elif request.json is not None:
        wanted["json"] = request.json
    return wanted


def _head(response: httpx2.Response) -> Answer:
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()})


def _whole(response: httpx2.Response) -> Answer:
    return Answer(response.status_code, _head(response).headers, response.content)


class Conversation:
    """What one flow does, over a client of `httpx2`. Holds the stream that it has open."""

    def __init__(self, http: httpx2.Client, terms: Terms) -> None:
        """Begin; `close` when done."""
        self._http = http
        self._terms = terms
        self._response: httpx2.Response | None = None
        self._pieces: Iterator[bytes] = iter(())

    def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end; return its result."""
        turns = _Turns(flow)
        while turns.step is not None:
            self._take(turns)
        return turns.result

    def iterate(self, flow: Stream[T]) -> Iterator[T]:
        """Run a flow and give its items as they come."""
        turns = _Turns(flow)
        try:
            while turns.step is not None:
                if isinstance(turns.step, Item):
                    yield turns.step.value
                    turns.answer(None)
                else:
                    self._take(turns)
        finally:
            flow.close()
            self.close()

    def close(self) -> None:
        """Close the stream that is open."""
        if self._response is not None:
            self._response.close()
            self._response = None

    def _take(self, turns: _Turns[Any]) -> None:  # of a flow of any type
        try:
            reply = self._carried_out(turns.step)
        except CroError as exc:
            turns.fail(exc)
        else:
            turns.answer(reply)

    def _carried_out(self, step: Deed | Item[Any] | None) -> object:
        if isinstance(step, Call):
            return self.run(exchange(step, self._terms.retries))
        if isinstance(step, Send):
            return self._sent(step)
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        if isinstance(step, Now):
            return time.monotonic()
        if isinstance(step, Read):
            with _translated(self._http):
                return next(self._pieces, b"")
        raise AssertionError(f"{step} in a flow that nobody iterates")

    def _sent(self, step: Send) -> Answer:
        self.close()
        with _translated(self._http):
            wanted = _arguments(self._terms, step.request)
            request = self._http.build_request(step.request.method, step.request.path, **wanted)
            response = self._http.send(request, stream=step.streamed)
            if not step.streamed:
                return _whole(response)
            if response.status_code >= FIRST_ERROR_STATUS:
                response.read()
                return _whole(response)
            self._response, self._pieces = response, response.iter_bytes()
            return _head(response)


class AsyncConversation:
    """The same over asyncio."""

    def __init__(self, http: httpx2.AsyncClient, terms: Terms) -> None:
        """Begin; `aclose` when done."""
        self._http = http
        self._terms = terms
        self._response: httpx2.Response | None = None
        self._pieces: AsyncIterator[bytes] | None = None

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end; return its result."""
        turns = _Turns(flow)
        while turns.step is not None:
            await self._take(turns)
        return turns.result

    async def iterate(self, flow: Stream[T]) -> AsyncIterator[T]:
        """Run a flow and give its items as they come."""
        turns = _Turns(flow)
        try:
            while turns.step is not None:
                if isinstance(turns.step, Item):
                    yield turns.step.value
                    turns.answer(None)
                else:
                    await self._take(turns)
        finally:
            flow.close()
            await self.aclose()

    async def aclose(self) -> None:
        """Close the stream that is open."""
        if self._response is not None:
            await self._response.aclose()
            self._response = None

    async def _take(self, turns: _Turns[Any]) -> None:  # of a flow of any type
        try:
            reply = await self._carried_out(turns.step)
        except CroError as exc:
            turns.fail(exc)
        else:
            turns.answer(reply)

    async def _carried_out(self, step: Deed | Item[Any] | None) -> object:
        if isinstance(step, Call):
            return await self.run(exchange(step, self._terms.retries))
        if isinstance(step, Send):
            return await self._sent(step)
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        if isinstance(step, Now):
            return time.monotonic()
        if isinstance(step, Read) and self._pieces is not None:
            with _translated(self._http):
                return await anext(self._pieces, b"")
        raise AssertionError(f"{step} in a flow that nobody iterates")

    async def _sent(self, step: Send) -> Answer:
        await self.aclose()
        with _translated(self._http):
            wanted = _arguments(self._terms, step.request)
            request = self._http.build_request(step.request.method, step.request.path, **wanted)
            response = await self._http.send(request, stream=step.streamed)
            if not step.streamed:
                return _whole(response)
            if response.status_code >= FIRST_ERROR_STATUS:
                await response.aread()
                return _whole(response)
            self._response, self._pieces = response, response.aiter_bytes()
            return _head(response)
