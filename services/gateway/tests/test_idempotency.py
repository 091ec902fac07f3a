"""Asking twice with one key, on both databases."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select, update

from contracts.errors import ErrorCode
from contracts.render import RenderRequest
from gateway import housekeeping
from gateway.db import Database
from gateway.idempotency import keys, store
from gateway.idempotency.keys import Ticket
from gateway.jobs import intake
from gateway.jobs.states import NewJob
from gateway.tables import idempotency_keys, jobs
from gateway.times import now_plus
from runtime.errors import ServiceError
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

URL = "https://shop.test/"
BODY = {"url": URL, "refresh": True}
PATHS = ["/v1/analyses", "/v1/captures", "/analyze"]


async def post(platform: Platform, key: str, path: str = "/v1/analyses", **body: object) -> httpx2.Response:
    return await platform.http.post(path, json={**BODY, **body}, headers={"idempotency-key": key})


async def count(platform: Platform) -> int:
    async with platform.parts.db.read() as db:
        return int((await db.execute(select(func.count()).select_from(jobs))).scalar_one())


async def age(platform: Platform, by: timedelta) -> None:
    async with platform.parts.db.begin() as db:
        await db.execute(update(idempotency_keys).values(created_at=now_plus(-by)))


@pytest.mark.parametrize("path", PATHS)
async def test_the_same_answer_is_given_again(platform: Platform, path: str) -> None:
    first, again = [await post(platform, "one", path, wait=0) for _ in range(2)]
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.content == again.content
    assert first.headers["location"] == again.headers["location"]
    assert int(again.headers["retry-after"]) > 0
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert await count(platform) == 1


async def test_it_is_given_again_even_when_the_job_has_gone_on(working: Platform) -> None:
    gate = asyncio.Event()

    async def hold(_: RenderRequest) -> None:
        await gate.wait()

    working.fleet.before_render = hold
    first = await post(working, "one")
    gate.set()
    job = (await working.http.get(first.headers["location"], params={"wait": 30})).json()
    assert job["status"] == "succeeded"
    assert (await post(working, "one")).content == first.content


@pytest.mark.parametrize("path", PATHS)
async def test_a_result_is_given_again(working: Platform, path: str) -> None:
    first, again = [await post(working, "one", path, wait=60) for _ in range(2)]
    assert (first.status_code, again.status_code) == (200, 200), again.text
    ignored = {"links"} if path == "/v1/captures" else set()
    assert without(first.json(), ignored) == without(again.json(), ignored)
    assert again.headers["idempotent-replayed"] == "true"
    assert await count(working) == 1


def without(document: Any, names: set[str]) -> Any:  # noqa: ANN401  # JSON
    if isinstance(document, dict):
        return {name: without(value, names) for name, value in document.items() if name not in names}
    return document


async def test_a_key_with_another_body_is_refused(platform: Platform) -> None:
    await post(platform, "one")
    for path, body in (
        ("/v1/analyses", {"url": "https://shop.test/other"}),
        ("/v1/analyses", {"preset": "rules"}),
        ("/v1/captures", {}),
        ("/analyze", {}),
    ):
        answer = await post(platform, "one", path, **body)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")
    assert await count(platform) == 1


async def test_how_long_a_caller_waits_is_no_other_body(working: Platform) -> None:
    first = await post(working, "one", wait=60)
    assert (await post(working, "one", wait=1)).json()["id"] == first.json()["id"]


async def test_a_secret_makes_another_body(platform: Platform) -> None:
    def visit(password: str) -> dict[str, object]:
        return {"auth": {"username": "u", "password": password}}

    await post(platform, "one", "/v1/captures", visit=visit("a"))
    same = await post(platform, "one", "/v1/captures", visit=visit("a"))
    other = await post(platform, "one", "/v1/captures", visit=visit("b"))
    assert (same.status_code, other.status_code) == (202, 422)


@pytest.mark.parametrize("path", PATHS)
async def test_a_hundred_at_once_make_one_job(platform: Platform, path: str) -> None:
    answers = await asyncio.gather(*(post(platform, "one", path, wait=0) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert await count(platform) == 1


async def test_a_caller_that_never_got_its_answer_comes_back_to_the_same_job(platform: Platform) -> None:
    # The connection was cut after the commit and before the answer: the key stands for a job, and for no answer.
    await post(platform, "one")
    async with platform.parts.db.begin() as db:
        await db.execute(update(idempotency_keys).values(answer=None))
    worker = platform.worker()
    task = asyncio.create_task(worker.run())
    answer = await post(platform, "one", wait=60)
    worker.stop()
    await task
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert await count(platform) == 1


async def test_a_server_error_is_never_given_again(working: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> str:
        raise ServiceError(ErrorCode.UNAVAILABLE, "The database cannot be reached.", retry_after_s=2)

    with monkeypatch.context() as patch:
        patch.setattr(intake, "enqueue", fail)
        assert (await post(working, "one", wait=60)).status_code == 503
    second = await post(working, "one", wait=60)
    assert (second.status_code, second.json()["status"]) == (200, "succeeded")
    assert "idempotent-replayed" not in second.headers


async def test_a_request_that_was_refused_takes_no_key(platform: Platform) -> None:
    assert (await post(platform, "one", url="nonsense")).status_code == 422
    assert (await post(platform, "one")).status_code == 202


async def test_after_a_day_a_key_is_new(platform: Platform) -> None:
    first = (await post(platform, "one")).json()["id"]
    await age(platform, timedelta(hours=23, minutes=59))
    assert (await post(platform, "one")).json()["id"] == first
    await age(platform, timedelta(hours=24, minutes=1))
    answers = await asyncio.gather(*(post(platform, "one", url="https://shop.test/new") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {202}
    (second,) = {answer.json()["id"] for answer in answers}
    assert second != first
    assert await count(platform) == 2


async def test_old_keys_are_swept(platform: Platform) -> None:
    await post(platform, "one")
    keeper = housekeeping.Housekeeper(platform.parts.db, platform.parts.blobs, platform.parts.settings)
    await keeper.tick(ahead=timedelta(hours=23))
    assert len(await stored(platform.parts.db)) == 1
    await keeper.tick(ahead=timedelta(hours=25))
    assert await stored(platform.parts.db) == []


async def stored(db: Database) -> list[Any]:
    async with db.read() as connection:
        return list((await connection.execute(select(idempotency_keys))).all())


async def test_a_key_belongs_to_its_tenant(platform: Platform) -> None:
    own = (await post(platform, "one")).json()["id"]
    (row,) = await stored(platform.parts.db)
    ticket = Ticket("other", "one", row.fingerprint)
    async with platform.parts.db.begin() as db:
        assert await store.find(db, ticket) is None
        assert await store.claim(db, ticket) is None
        await store.point(db, ticket, await intake.enqueue(db, NewJob("other", URL)), "made")
    assert (await post(platform, "one")).json()["id"] == own


async def test_a_deleted_job_stays_deleted(platform: Platform) -> None:
    location = (await post(platform, "one")).headers["location"]
    await platform.http.post(f"{location}/cancel")
    assert (await platform.http.delete(location)).status_code == 204
    (row,) = await stored(platform.parts.db)
    assert row.answer is None, "what was told about it goes with it"
    answer = await post(platform, "one")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert await count(platform) == 0


@pytest.mark.parametrize("key", ["", '""', "a b", "é", "x" * 256, "a\tb"])
async def test_a_key_that_is_none_is_refused(platform: Platform, key: str) -> None:
    headers = [(b"idempotency-key", key.encode())]
    answer = await platform.http.post("/v1/analyses", json=BODY, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "idempotency-key"


def test_a_key_may_be_in_quotes() -> None:
    bare, quoted = (keys.ticket(text, "t", "POST /x", {}, b"s") for text in ("abc", '"abc"'))
    assert bare is not None
    assert bare == quoted
    assert keys.ticket(None, "t", "POST /x", {}, b"s") is None


def test_a_fingerprint_cannot_be_tried_out_without_the_secret() -> None:
    prints = {keys.ticket("k", "t", "POST /x", {"a": 1}, secret) for secret in (b"one", b"two")}
    assert len(prints) == 2
