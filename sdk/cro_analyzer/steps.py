"""What a flow asks of its driver, as values: every decision of this library is a generator that does no I/O."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Form:
    """A multipart body: fields, and one file."""

    fields: Mapping[str, str]
    name: str
    file_name: str
    content: bytes
    content_type: str


@dataclass(frozen=True)
class Request:
    """An HTTP request without what the client adds: origin, key, agent. `longer_s` is added to the client's timeout."""

    method: str
    path: str
    params: Mapping[str, str | int | list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    form: Form | None = None
    longer_s: float = 0


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, and what its answer means. Steps to `parse(answer)`; a failure is thrown into the flow.

    `repeatable`: sending it twice does no harm, so that it may be sent again when its answer was lost.
    `streamed`: the body is left to be read with `Read`.
    """

    request: Request
    parse: Callable[[Answer], T]
    repeatable: bool = True
    streamed: bool = False


@dataclass(frozen=True)
class Send:
    """Do it once. Steps to an `Answer`; throws `ConnectionFailedError`."""

    request: Request
    streamed: bool = False


@dataclass(frozen=True)
class Read:
    """Give the next piece of the streamed body. Steps to bytes, empty at its end; throws `ConnectionFailedError`."""


@dataclass(frozen=True)
class Pause:
    """Let that many seconds pass."""

    seconds: float


@dataclass(frozen=True)
class Now:
    """Tell the time. Steps to seconds of a clock that only goes forward."""


@dataclass(frozen=True)
class Item(Generic[T]):
    """Hand a value to whoever iterates."""

    value: T


Deed: TypeAlias = Call[Any] | Send | Read | Pause | Now  # what each steps to is typed by `ask` and its like
Flow: TypeAlias = Generator[Deed, Any, T]
"""Returns a T in the end."""

Stream: TypeAlias = Generator[Deed | Item[T], Any, None]
"""Gives `Item`s of T on its way."""


def ask(call: Call[T]) -> Flow[T]:
    """Do a call, with its retries."""
    answer: T = yield call
    return answer


def send(request: Request, *, streamed: bool) -> Flow[Answer]:
    """Do a request once."""
    answer: Answer = yield Send(request, streamed)
    return answer


def read() -> Flow[bytes]:
    """Read the next piece of a streamed body."""
    piece: bytes = yield Read()
    return piece


def now() -> Flow[float]:
    """Tell the time."""
    seconds: float = yield Now()
    return seconds
