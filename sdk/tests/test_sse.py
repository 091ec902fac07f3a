"""Events however they are cut, and over as many connections as it takes."""

import json
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cro_analyzer import errors
from cro_analyzer.sse import EventReader, ServerEvent
from tests.fixtures.clients import async_client, client

STREAM = (
    b": hello\nretry: 1500\n\nid: 1-queued\nevent: analysis.queued\ndata: {}\n\n"
    b"data: two\ndata:  lines\n\nid: 2\r\ndata: \xc3\xa9\r\n\r\ndata: cr\r\revent: empty\n\n: end\n\ndata: never whole"
)
EVENTS = [
    ServerEvent("analysis.queued", "{}", "1-queued"),
    ServerEvent("message", "two\n lines", "1-queued"),
    ServerEvent("message", "é", "2"),
    ServerEvent("message", "cr", "2"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_pieces_may_be_cut_anywhere(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    reader = EventReader()
    found = [event for a, b in pairwise(places) for event in reader.feed(STREAM[a:b])]
    assert found == EVENTS
    assert (reader.last_id, reader.retry_s) == ("2", 1.5)


def event(status: str, fence: int) -> bytes:
    job = {"id": "an_1", "kind": "analysis", "status": status, "attempt": 1, "links": {"self": "/v1/analyses/an_1"}}
    return f"id: {fence}-{status}\nevent: analysis.{status}\ndata: {json.dumps(job)}\n\n".encode()


class Breaking(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """Sends a part and breaks."""

    def __init__(self, part: bytes) -> None:
        self.part = part

    def __iter__(self) -> Iterator[bytes]:
        yield self.part
        raise httpx2.ReadError("gone")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.part
        raise httpx2.ReadError("gone")


class Told:
    """A service whose first connection breaks and whose second one ends; the third has the end."""

    def __init__(self) -> None:
        self.last_ids: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.last_ids.append(request.headers.get("last-event-id", ""))
        turn = len(self.last_ids)
        if turn == 1:
            return httpx2.Response(200, stream=Breaking(b"retry: 0\n\n" + event("queued", 0) + event("render", 1)[:20]))
        if turn == 2:
            return httpx2.Response(200, content=b"retry: 0\n\n" + event("rendering", 1))
        return httpx2.Response(200, content=event("analyzing", 1) + event("succeeded", 1) + event("never", 9))


STATES = ["queued", "rendering", "analyzing", "succeeded"]


def test_a_broken_stream_is_taken_up_where_it_was() -> None:
    service = Told()
    assert [one.status for one in client(service).analyses.events("an_1")] == STATES
    assert service.last_ids == ["", "0-queued", "1-rendering"]


@pytest.mark.anyio
async def test_the_same_with_asyncio() -> None:
    service = Told()
    assert [one.status async for one in async_client(service).analyses.events("an_1")] == STATES
    assert service.last_ids == ["", "0-queued", "1-rendering"]


def test_a_stream_that_says_that_all_is_known_ends() -> None:
    answers = iter([httpx2.Response(200, content=b"retry: 0\n\n" + event("queued", 0)), httpx2.Response(204)])
    assert len(list(client(lambda _: next(answers)).captures.events("cap_1"))) == 1


def test_a_job_that_is_not_there_is_an_error() -> None:
    gone = {"title": "No", "status": 404, "code": "not_found"}
    with pytest.raises(errors.NotFoundError):
        list(client(lambda _: httpx2.Response(404, json=gone)).analyses.events("an_1"))


def test_a_stream_that_breaks_again_and_again_is_given_up() -> None:
    def breaks(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, stream=Breaking(b"retry: 0\n\n"))

    with pytest.raises(errors.ConnectionFailedError):
        list(client(breaks).analyses.events("an_1"))


def test_a_page_in_the_place_of_a_stream_is_said_at_once() -> None:
    with pytest.raises(errors.UnreadableAnswerError, match="no stream of events"):
        list(client(lambda _: httpx2.Response(200, html="<h1>Sign in</h1>")).analyses.events("an_1"))


def test_leaving_early_closes_the_connection() -> None:
    closed: list[bool] = []

    class Watched(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield event("queued", 0)
            yield event("rendering", 1)

        def close(self) -> None:
            closed.append(True)

    events = client(lambda _: httpx2.Response(200, stream=Watched())).analyses.events("an_1")
    assert next(events).status == "queued"
    events.close()  # type: ignore[attr-defined]  # a generator, shown as an iterator
    assert closed == [True]
