"""What all nouns share: calls whose answer is a value, pages of them, and keys that make repeating harmless."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from cro_analyzer import decoding
from cro_analyzer.steps import Answer, Call, Flow, Item, Request, Stream, ask

T = TypeVar("T")
_PAGE = 100


def body_as(kind: type[T]) -> Callable[[Answer], T]:
    """Return what reads an answer as a value of that type."""
    return lambda answer: decoding.decode(kind, answer.body)


def nothing(_: Answer) -> None:
    """Read an answer that says only that it was done."""


def text(answer: Answer) -> str:
    """Read an answer that is text in UTF-8."""
    return answer.body.decode("utf-8", "replace")


def content(answer: Answer) -> bytes:
    """Read an answer as it came."""
    return answer.body


def given(**fields: object) -> dict[str, object]:
    """Leave out what the caller did not say: the service's own defaults hold for it."""
    return {name: value for name, value in fields.items() if value is not None}


def get(path: str, kind: type[T], params: Mapping[str, Any] | None = None, longer_s: float = 0) -> Call[T]:
    """Read something. Params are strings, numbers, or lists of strings."""
    return Call(Request("GET", path, params=params or {}, longer_s=longer_s), body_as(kind))


def make(path: str, kind: type[T], body: object, key: str | None, longer_s: float = 0) -> Call[T]:
    """Make something once, however often it is sent: with the caller's key, or one of our own."""
    headers = {"idempotency-key": key or str(uuid.uuid4())}
    return Call(Request("POST", path, headers=headers, json=body, longer_s=longer_s), body_as(kind))


def act(path: str, kind: type[T], body: object = None) -> Call[T]:
    """Change something that is the same after the second time."""
    return Call(Request("POST", path, json=body), body_as(kind))


@dataclass(frozen=True)
class Raw:
    """A page of a list as it came."""

    data: list[object]
    next_cursor: str | None = None


def page(path: str, params: Mapping[str, Any], size: int, cursor: str | None) -> Call[Raw]:
    """Read one page of a list."""
    wanted = {**params, "limit": size, **({"cursor": cursor} if cursor else {})}
    return Call(Request("GET", path, params=wanted), body_as(Raw))


def pages(
    path: str, entry: Callable[[object], T], params: Mapping[str, Any] | None = None, size: int = _PAGE
) -> Stream[T]:
    """Give every entry of a list, page by page."""
    cursor: str | None = None
    while True:
        found = yield from ask(page(path, params or {}, size, cursor))
        for document in found.data:
            yield Item(entry(document))
        cursor = found.next_cursor
        if cursor is None:
            return


def as_(kind: type[T]) -> Callable[[object], T]:
    """Return what reads an entry of a list as a value of that type."""
    return lambda document: decoding.value(kind, document)


def gone(path: str) -> Flow[None]:
    """Remove something."""
    return ask(Call(Request("DELETE", path), nothing))
