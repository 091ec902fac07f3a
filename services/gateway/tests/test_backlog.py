"""Refusing work that would only wait, and when to come back."""

import asyncio
import random

import httpx2
import pytest

from contracts.errors import ErrorCode
from gateway.app import create_app
from gateway.backlog import Backlog
from gateway.db import Database
from gateway.jobs.flow import Flow
from gateway.settings import GatewaySettings
from gateway.wiring import Parts
from runtime.errors import ServiceError
from tests.fixtures.gateway import BASE, Platform

pytestmark = pytest.mark.anyio

JOB = {"url": "https://shop.test/", "preset": "rules"}


class Line:
    """A queue that is worked on at a steady pace, by a clock that a test turns."""

    def __init__(self, limit: int, per_second: float) -> None:
        self.now = 1_000.0
        self.queued = 0.0
        self.per_second = per_second
        self.backlog = Backlog(Database("sqlite+aiosqlite:///none.db"), limit, lambda: self.now)

    def look(self) -> None:
        self.backlog.learn(Flow(round(self.queued), 8, round(self.per_second * 30)))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.queued = max(0, self.queued - seconds * self.per_second)
        self.look()

    async def refusal(self) -> ServiceError | None:
        try:
            await self.backlog.admit()
        except ServiceError as error:
            return error
        return None


@pytest.mark.parametrize("seed", range(20))
async def test_whoever_comes_back_when_told_finds_room(seed: int) -> None:
    """However fast the queue is worked on, and however far over its limit it went."""
    chance = random.Random(seed)
    line = Line(limit=chance.randrange(10, 10_000), per_second=chance.uniform(0.5, 300))
    line.queued = line.backlog._limit * chance.uniform(1, 1.3)
    line.look()
    error = await line.refusal()
    assert error is not None
    assert (error.code, error.code.status) == (ErrorCode.BACKLOG, 503)
    assert error.retry_after_s is not None
    wait_s = line.backlog.wait_s()
    if wait_s < 600:
        line.wait(error.retry_after_s)
        assert await line.refusal() is None
        # And not told to wait for ages: a quarter is for spreading.
        assert error.retry_after_s <= wait_s * 1.25 + 1


async def test_it_opens_again_with_room_for_a_tenth_and_not_for_one() -> None:
    line = Line(limit=100, per_second=1)
    for queued, open_ in ((99, True), (100, False), (95, False), (90, False), (89, True), (99, True), (100, False)):
        line.queued = queued
        line.look()
        assert (await line.refusal() is None) == open_, queued


async def test_at_a_standstill_it_says_a_minute() -> None:
    line = Line(limit=10, per_second=0)
    line.queued = 20
    line.look()
    error = await line.refusal()
    assert error is not None
    assert error.retry_after_s is not None
    assert 60 <= error.retry_after_s <= 75


async def test_a_full_queue_refuses_only_what_makes_jobs(settings: GatewaySettings) -> None:
    app = create_app(settings.model_copy(update={"queue_limit": 2}))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=BASE, trust_env=False) as http:
        parts: Parts = app.state.parts
        job_ids = [(await http.post("/v1/analyses", json={**JOB, "refresh": True})).json()["id"] for _ in range(2)]
        parts.backlog._looked_at = 0  # what it knows is old
        for path in ("/v1/analyses", "/v1/captures", "/analyze"):
            answer = await http.post(path, json={"url": JOB["url"]})
            assert (answer.status_code, answer.json()["code"]) == (503, "backlog")
            assert int(answer.headers["retry-after"]) >= 60
        assert (await http.get("/v1/analyses")).status_code == 200
        assert (await http.post(f"/v1/analyses/{job_ids[0]}/cancel")).status_code == 200
    await parts.db.aclose()


async def test_the_pace_is_that_of_the_jobs_that_ended(working: Platform) -> None:
    for _ in range(6):
        await working.http.post("/v1/analyses", json={**JOB, "refresh": True}, headers={"prefer": "wait=30"})
    working.parts.backlog._looked_at = 0
    flow = await working.parts.backlog.flow()
    assert (flow.queued, flow.running, flow.finished, flow.per_second) == (0, 0, 6, 0.2)


async def test_many_who_ask_at_once_look_once(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    read = platform.parts.db.read

    def counted() -> object:
        nonlocal looks
        looks += 1
        return read()

    monkeypatch.setattr(platform.parts.db, "read", counted)
    await asyncio.gather(*(platform.parts.backlog.flow() for _ in range(50)))
    assert looks == 1
