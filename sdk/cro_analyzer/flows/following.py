"""Server-sent events over as many connections as it takes."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from cro_analyzer import decoding
from cro_analyzer.errors import ConnectionFailedError, UnreadableAnswerError
from cro_analyzer.sse import EventReader
from cro_analyzer.steps import Answer, Call, Item, Pause, Request, Stream, ask, read

T = TypeVar("T")

_NO_CONTENT = 204
_EVENTS = "text/event-stream"
_USUAL_PAUSE_S = 2.0
_MAX_LOST = 5
"""Connections that may break one after another without an event between them."""


def _as_is(answer: Answer) -> Answer:
    return answer


def followed(
    path: str, kind: type[T], ended: Callable[[T], bool], params: Mapping[str, str] | None = None
) -> Stream[T]:
    """Give each event's data until one says that it has ended; a connection that breaks is taken up where it was."""
    last_id, lost = "", 0
    while True:
        reader = EventReader(last_id)
        headers = {"accept": _EVENTS, **({"last-event-id": last_id} if last_id else {})}
        answer = yield from ask(Call(Request("GET", path, headers=headers, params=params or {}), _as_is, streamed=True))
        if answer.status == _NO_CONTENT:
            return
        if not answer.headers.get("content-type", _EVENTS).startswith(_EVENTS):
            # Something between here and the API that answers with a page would do so for ever.
            raise UnreadableAnswerError("the answer is no stream of events: is this the API's address?")
        try:
            while piece := (yield from read()):
                for event in reader.feed(piece):
                    told, lost = decoding.decode(kind, event.data.encode()), 0
                    yield Item(told)
                    if ended(told):
                        return
        except ConnectionFailedError:
            lost += 1
            if lost > _MAX_LOST:
                raise
        last_id = reader.last_id
        yield Pause(_USUAL_PAUSE_S if reader.retry_s is None else reader.retry_s)
