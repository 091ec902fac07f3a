"""Server-sent events and waiting callers, over real HTTP where connections matter."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import uvicorn
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import ErrorCode
from gateway.events import stream
from gateway.hints import job_topic
from gateway.jobs import events as jobs_events
from gateway.jobs import intake, records
from gateway.jobs.states import Kind, NewJob
from gateway.outbox.events import EventType
from gateway.places import Places
from gateway.tables import jobs
from gateway.times import now_plus
from gateway.watch import Subject
from runtime.errors import ServiceError
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

URL = "https://shop.test/"
NO_SUCH_ID = "an_" + "0" * 32


@pytest.fixture
async def http(platform: Platform) -> AsyncIterator[httpx2.AsyncClient]:
    """A client over a real port: only there do connections end."""
    server = uvicorn.Server(uvicorn.Config(platform.app, log_config=None, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve([listener]))
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx2.AsyncClient(base_url=base, trust_env=False, timeout=30) as client:
            yield client
        server.should_exit = True
        await task


class Reader:
    """Reads events off an answer, one at a time."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def event(self) -> dict[str, str] | None:
        """Return the fields of the next event or comment; None at the end."""
        fields: dict[str, str] = {}
        async for line in self._lines:
            if not line:
                return fields
            name, _, value = line.partition(":")
            fields[name or "comment"] = value.strip()
        return None

    async def rest(self) -> list[dict[str, str]]:
        found = []
        while (one := await self.event()) is not None:
            found.append(one)
        return found


@asynccontextmanager
async def followed(http: httpx2.AsyncClient, path: str, **headers: str) -> AsyncIterator[Reader]:
    url = path if "/events" in path else f"{path}/events"
    async with http.stream("GET", url, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        reader = Reader(answer)
        assert await reader.event() == {"retry": "2000"}
        yield reader


async def job(platform: Platform, kind: str = "analyses") -> str:
    return str((await platform.http.post(f"/v1/{kind}", json={"url": URL, "refresh": True})).headers["location"])


async def settled(platform: Platform, followers: int = 0) -> None:
    """Return when only so many still follow anything: what a departed client held is free."""
    await until(lambda: platform.parts.watch.followers == followers)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not true():  # noqa: ASYNC110  # what a closed socket sets free has no event
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("kind", "steps"), [("analyses", ["queued", "rendering", "analyzing"]), ("captures", ["queued", "rendering"])]
)
async def test_every_step_is_told_until_the_end(
    platform: Platform, http: httpx2.AsyncClient, kind: str, steps: list[str]
) -> None:
    render, analysis = asyncio.Event(), asyncio.Event()

    async def hold_render(_: object) -> None:
        await render.wait()

    async def hold_analysis(_: object) -> None:
        await analysis.wait()

    platform.fleet.before_render = platform.fleet.before_fetch = hold_render
    platform.fleet.before_analysis = hold_analysis
    path = await job(platform, kind)
    word = {"analyses": "analysis", "captures": "capture"}[kind]
    async with followed(http, path) as reader:
        first = await reader.event()
        worker = platform.worker()
        task = asyncio.create_task(worker.run())
        seen = [first, await reader.event()]
        render.set()
        if kind == "analyses":
            seen.append(await reader.event())
        analysis.set()
        end = await reader.rest()
        worker.stop()
        await task
    assert [one and one["event"] for one in seen] == [f"{word}.{step}" for step in steps]
    assert [one["event"] for one in end] == [f"{word}.succeeded"]
    data = json.loads(end[0]["data"])
    assert (data["status"], data["kind"], data["attempt"]) == ("succeeded", word, 1)
    assert data["links"]["self"] == path
    assert data["finished_at"]
    await settled(platform)


async def test_a_finished_job_is_told_at_once(working: Platform, http: httpx2.AsyncClient) -> None:
    path = await job(working)
    await working.http.get(path, params={"wait": 30})
    async with followed(http, path) as reader:
        (end,) = await reader.rest()
    assert end["event"] == "analysis.succeeded"
    # A browser that has seen the end must not come again for ever.
    answer = await http.get(f"{path}/events", headers={"last-event-id": end["id"]})
    assert (answer.status_code, answer.content) == (204, b"")


async def later(platform: Platform, path: str, state: str, *, seen: bool = False) -> None:
    """Put an enrichment of an analysis into a state, as its own worker does."""
    analysis_id = path.rpartition("/")[2]
    async with platform.parts.db.begin() as db:
        row = (await db.execute(select(jobs).where(jobs.c.id == analysis_id))).one()._asdict()
        enrichment_id = analysis_id.replace("an_", "enr_")
        await db.execute(delete(jobs).where(jobs.c.id == enrichment_id))
        # Not before the worker of the test has ended.
        changes = {"id": enrichment_id, "kind": "enrichment", "state": state, "run_at": now_plus(timedelta(hours=1))}
        await db.execute(insert(jobs).values({**row, **changes}))
        if seen:
            await jobs_events.record(db, "local", analysis_id, EventType.ANALYSIS_ENRICHED, {})
    await platform.parts.hints.notify(job_topic(analysis_id))


async def test_an_enrichment_is_told_to_those_who_wait_for_it(working: Platform, http: httpx2.AsyncClient) -> None:
    path = await job(working)
    await working.http.get(path, params={"wait": 30})
    await later(working, path, "queued")
    async with followed(http, path) as reader:
        (end,) = await reader.rest()
    assert (end["event"], json.loads(end["data"])["ai_pending"]) == ("analysis.succeeded", True)
    async with followed(http, f"{path}/events?until=enriched", **{"last-event-id": end["id"]}) as reader:
        await settled(working, followers=1)
        await later(working, path, "succeeded", seen=True)
        (last,) = await reader.rest()
    assert (last["event"], json.loads(last["data"])["ai_pending"]) == ("analysis.enriched", False)
    async with followed(http, path) as reader:
        assert [one["event"] for one in await reader.rest()] == ["analysis.succeeded", "analysis.enriched"]
    for known in (end, last):
        answer = await http.get(f"{path}/events?until=enriched", headers={"last-event-id": known["id"]})
        assert answer.status_code == (204 if known is last else 200)
    assert (await http.get(f"{path}/events?until=never")).status_code == 422


async def test_an_enrichment_that_fails_ends_the_stream_without_a_word(
    working: Platform, http: httpx2.AsyncClient
) -> None:
    path = await job(working)
    await working.http.get(path, params={"wait": 30})
    await later(working, path, "queued")
    async with followed(http, f"{path}/events?until=enriched") as reader:
        assert (await reader.event() or {})["event"] == "analysis.succeeded"
        await later(working, path, "failed")
        assert [one for one in await reader.rest() if "event" in one] == []


async def test_who_comes_again_is_told_only_what_is_new(platform: Platform, http: httpx2.AsyncClient) -> None:
    path = await job(platform)
    async with followed(http, path) as reader:
        first = await reader.event()
    assert first is not None
    async with followed(http, path, **{"last-event-id": first["id"]}) as reader:
        await platform.http.post(f"{path}/cancel")
        (end,) = await reader.rest()
    assert (end["event"], json.loads(end["data"])["error_code"]) == ("analysis.cancelled", "cancelled")


async def test_silence_is_broken_by_comments(
    platform: Platform, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT", timedelta(milliseconds=20))
    path = await job(platform)
    async with followed(http, path) as reader:
        assert "event" in (await reader.event() or {})
        for _ in range(3):
            assert await reader.event() == {"comment": "still here"}


async def test_a_client_that_goes_frees_everything_and_the_job_goes_on(
    platform: Platform, http: httpx2.AsyncClient
) -> None:
    path = await job(platform)
    async with followed(http, path) as reader:
        await reader.event()
        assert platform.parts.watch.followers == 1
    await settled(platform)
    assert not platform.parts.places._taken
    assert (await platform.http.get(path)).json()["status"] == "queued"


async def test_a_waiting_client_that_goes_frees_its_waiter_and_nothing_else(
    platform: Platform, http: httpx2.AsyncClient
) -> None:
    path = await job(platform)
    waiting = asyncio.create_task(http.get(path, params={"wait": 60}))
    await settled(platform, followers=1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await settled(platform)
    assert (await platform.http.get(path)).json()["status"] == "queued"


async def test_a_job_that_is_removed_ends_its_streams(platform: Platform, http: httpx2.AsyncClient) -> None:
    path = await job(platform)
    async with followed(http, path) as reader:
        await reader.event()
        await platform.http.post(f"{path}/cancel")
        await platform.http.delete(path)
        assert len(await reader.rest()) <= 1


async def test_a_process_that_stops_sends_everybody_home(platform: Platform, http: httpx2.AsyncClient) -> None:
    path = await job(platform)
    waiting = asyncio.create_task(http.get(path, params={"wait": 60}))
    async with followed(http, path) as reader:
        await reader.event()
        platform.parts.leave()
        assert await reader.rest() == []
    assert (await waiting).json()["status"] == "queued"


async def test_a_tenant_has_so_many_streams(platform: Platform, http: httpx2.AsyncClient) -> None:
    path = await job(platform)
    places = Places(1)
    object.__setattr__(platform.parts, "places", places)
    async with followed(http, path) as reader:
        await reader.event()
        answer = await http.get(f"{path}/events")
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
        assert int(answer.headers["retry-after"]) > 0
        places.check("other")
    await settled(platform)
    async with followed(http, path) as reader:
        assert await reader.event()


async def test_a_stream_is_for_its_owner(platform: Platform) -> None:
    async with platform.parts.db.begin() as db:
        foreign = await intake.enqueue(db, NewJob("other", URL))
    own = (await job(platform, "captures")).rpartition("/")[2]
    for job_id in (foreign, own, NO_SUCH_ID, "x"):
        answer = await platform.http.get(f"/v1/analyses/{job_id}/events")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert (await platform.http.get(f"/v1/analyses/{job_id}", params={"wait": 1})).status_code == 404


async def test_head_of_a_stream_ends(platform: Platform) -> None:
    answer = await platform.http.head(f"{await job(platform)}/events")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_many_who_wait_cost_one_look(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    look = records.glimpses

    async def counted(db: Any, ids: Any) -> Any:  # noqa: ANN401  # the statement's own
        looks.append(len(ids))
        return await look(db, ids)

    paths = [await job(platform) for _ in range(10)]
    waits = [asyncio.create_task(platform.http.get(path, params={"wait": 60})) for path in paths for _ in range(5)]
    await settled(platform, followers=50)
    await asyncio.gather(*(platform.http.get(path) for path in paths))
    monkeypatch.setattr(records, "glimpses", counted)
    await until(lambda: bool(looks))
    assert max(looks) == 10
    for path in paths:
        await platform.http.post(f"{path}/cancel")
    assert {(await wait).json()["status"] for wait in waits} == {"cancelled"}
    await settled(platform)


async def test_a_lost_hint_costs_a_second_and_no_more(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Subject("local", Kind.ANALYSIS, (await job(platform)).rpartition("/")[2])

    async def nothing(_: str) -> None:
        """Lose it."""

    monkeypatch.setattr(platform.parts.hints, "notify", nothing)
    async with platform.parts.watch.follow(subject) as feed:
        await platform.http.post(f"/v1/analyses/{subject.id}/cancel")
        await feed.change(timedelta(seconds=20))
        assert feed.latest is not None
        assert feed.latest.state.value == "cancelled"


async def test_a_look_under_way_ends_before_the_database_is_let_go(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, seen = asyncio.Event(), asyncio.Event()
    glimpses = records.glimpses

    async def slow(db: AsyncConnection, job_ids: Sequence[str]) -> dict[tuple[str, str, str], records.Glimpse]:
        looking.set()
        await seen.wait()
        return await glimpses(db, job_ids)

    subject = Subject("local", Kind.ANALYSIS, (await job(platform)).rpartition("/")[2])
    async with platform.parts.watch.follow(subject), asyncio.timeout(20):
        monkeypatch.setattr(records, "glimpses", slow)
        await platform.parts.hints.notify(job_topic(subject.id))
        await looking.wait()
    closing = asyncio.create_task(platform.parts.watch.aclose())
    await asyncio.sleep(0)
    assert not closing.done()
    seen.set()
    await closing
    assert platform.parts.watch.closed


async def test_a_database_that_is_away_for_a_while_ends_no_wait(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = asyncio.Event()

    async def away(*_: object) -> Any:  # noqa: ANN401  # never returns
        failed.set()
        raise ServiceError(ErrorCode.UNAVAILABLE, "The database cannot be reached.")

    path = await job(platform)
    subject = Subject("local", Kind.ANALYSIS, path.rpartition("/")[2])
    async with platform.parts.watch.follow(subject) as feed:
        with monkeypatch.context() as patch:
            patch.setattr(records, "glimpses", away)
            async with asyncio.timeout(90):
                await failed.wait()
        await platform.http.post(f"{path}/cancel")
        await feed.change(timedelta(seconds=20))
        assert feed.latest is not None
        assert feed.latest.state.final
