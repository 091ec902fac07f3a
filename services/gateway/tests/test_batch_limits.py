"""What a tenant's plan says of batches: how many at once, how many a day, how large."""

import asyncio

import pytest

from contracts.errors import ErrorCode
from contracts.fetch import FetchRequest
from gateway.jobs import feeding
from runtime.errors import ServiceError
from tests.fixtures.accounts import account
from tests.fixtures.gateway import Platform

from .test_batches import STATIC, static_batch, submit, urls

pytestmark = pytest.mark.anyio


async def test_what_a_tenant_may_have_at_once_holds_for_batches(guarded: Platform) -> None:
    plan = guarded.parts.plans["free"].model_copy(update={"concurrency": 3})
    a = await account(guarded, "ten_a", plan=plan)
    await a.http.post("/v1/batches", json=static_batch(urls(20)))
    async with guarded.parts.db.read() as db:
        (batch,) = await feeding.hungry(db)
    async with guarded.parts.db.begin() as db:
        assert (await feeding.feed(db, batch)).let_in == 3
    async with guarded.parts.db.begin() as db:
        assert (await feeding.feed(db, batch)).let_in == 0
    single = (await a.http.post("/v1/captures", json={"url": "https://now.test/", **STATIC})).json()
    assert single["status"] == "waiting"


async def test_what_fails_is_given_back_to_the_quota(guarded: Platform) -> None:
    a = await account(guarded, "ten_a", plan=guarded.parts.plans["free"])

    async def refuse(order: FetchRequest) -> None:
        if order.url.endswith("/1"):
            raise ServiceError(ErrorCode.TARGET_TLS, "No certificate.")

    guarded.fleet.before_fetch = refuse
    worker = guarded.worker()
    task = asyncio.create_task(worker.run())
    batch_id = (await a.http.post("/v1/batches", json=static_batch(urls(10)))).json()["id"]
    async with asyncio.timeout(90):
        while (await a.http.get(f"/v1/batches/{batch_id}")).json()["status"] != "completed":  # noqa: ASYNC110  # the database has no event
            await asyncio.sleep(0.02)
    worker.stop()
    await task
    quotas = {one["kind"]: one for one in (await a.http.get("/v1/tenant")).json()["today"]}
    assert quotas["capture"]["used"] == 9


async def test_a_body_of_many_long_urls_is_taken(platform: Platform) -> None:
    listed = [f"https://shop.test/{number}?{'q' * 1_500}" for number in range(1_000)]
    assert (await submit(platform, static_batch(listed)))["counts"]["total"] == 1_000


async def test_quota_and_size_follow_the_plan(guarded: Platform) -> None:
    a = await account(guarded, "ten_a", plan=guarded.parts.plans["free"])
    answer = await a.http.post("/v1/batches", json=static_batch(urls(101)))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "urls")
    for _ in range(2):
        first = await a.http.post("/v1/batches", json=static_batch(urls(100)))
        assert first.status_code == 202, first.text
    used = await a.http.post("/v1/batches", json=static_batch(urls(1)))
    assert (used.status_code, used.json()["code"]) == (429, "quota_exceeded")
    await a.http.post(f"/v1/batches/{first.json()['id']}/cancel")
    assert (await a.http.post("/v1/batches", json=static_batch(urls(100)))).status_code == 202
