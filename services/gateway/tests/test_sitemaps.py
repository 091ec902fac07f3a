"""Sitemaps in the place of a list, read by a worker through a made-up fleet, on both databases."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from contracts.errors import ErrorCode
from contracts.fetch import FetchRequest, Tier
from gateway.batches import sitemaps
from gateway.tables import job_secrets, jobs
from runtime.errors import ServiceError
from tests.fixtures.accounts import account
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

MAP = "https://shop.test/sitemap.xml"
STATIC = {"tier": "static", "outputs": [{"kind": "html"}]}


def page(*paths: str) -> bytes:
    entries = "".join(f"<url><loc>https://shop.test{path}</loc></url>" for path in paths)
    return (
        f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'.encode()
    )


def index(*paths: str) -> bytes:
    entries = "".join(f"<sitemap><loc>https://shop.test{path}</loc></sitemap>" for path in paths)
    return f"<sitemapindex>{entries}</sitemapindex>".encode()


async def submit(platform: Platform, **more: object) -> dict[str, Any]:
    body = {"kind": "capture", "sitemap": MAP, "options": STATIC, **more}
    answer = await platform.http.post("/v1/batches", json=body)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def ended(http: httpx2.AsyncClient, batch_id: str) -> dict[str, Any]:
    async with asyncio.timeout(90):
        while (batch := (await http.get(f"/v1/batches/{batch_id}")).json())["finished_at"] is None:  # noqa: ASYNC110  # the database has no event
            await asyncio.sleep(0.02)
    found: dict[str, Any] = batch
    return found


async def addresses(platform: Platform, batch_id: str) -> list[str]:
    answer = await platform.http.get(f"/v1/batches/{batch_id}/results?limit=1000")
    return [one["url"] for one in answer.json()["data"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<urlset><url><loc> https://a.test/?x=1&amp;y=2 </loc></url></urlset>", ["https://a.test/?x=1&y=2"]),
        ("<urlset><url><loc><![CDATA[https://a.test/]]></loc></url></urlset>", ["https://a.test/"]),
        (
            "<url><loc>https://a.test/</loc><image:image><image:loc>https://a.test/i.png</image:loc></image:image></url>",
            ["https://a.test/"],
        ),
        ("https://a.test/\r\n\r\n https://b.test/ \n", ["https://a.test/", "https://b.test/"]),
        ("<html><body>Not found</body></html>", []),
    ],
)
def test_addresses_are_found_in_every_form(text: str, expected: list[str]) -> None:
    assert sitemaps.listed(text, 10) == sitemaps.Listed(expected, is_index=False)


async def test_a_sitemap_becomes_the_urls_of_a_batch(working: Platform) -> None:
    working.fleet.inline[MAP] = page("/a", "/b", "/a")
    accepted = await submit(working)
    assert (accepted["counts"]["total"], accepted["asked"]["sitemap"]) == (0, MAP)
    batch = await ended(working.http, accepted["id"])
    assert (batch["status"], batch["counts"]["succeeded"], batch["counts"]["rejected"]) == ("completed", 2, 1)
    assert [one["reason"] for one in batch["rejected"]] == ["duplicate"]
    assert await addresses(working, accepted["id"]) == ["https://shop.test/a", "https://shop.test/b"]
    assert (working.fleet.fetches[0].url, working.fleet.fetches[0].tier) == (MAP, Tier.STATIC)
    async with working.parts.db.read() as db:
        assert set((await db.execute(select(jobs.c.kind))).scalars()) == {"capture"}, "the reader of the map is gone"


async def test_an_index_is_followed_one_step(working: Platform) -> None:
    working.fleet.inline[MAP] = index("/1.xml", "/2.xml.gz")
    working.fleet.inline["https://shop.test/1.xml"] = page("/a")
    working.fleet.inline["https://shop.test/2.xml.gz"] = page("/b")
    batch_id = (await submit(working))["id"]
    assert (await ended(working.http, batch_id))["counts"]["succeeded"] == 2
    working.fleet.inline["https://shop.test/1.xml"] = index("/deeper.xml")
    batch = await ended(working.http, (await submit(working))["id"])
    assert (batch["status"], batch["error"]["code"]) == ("cancelled", "invalid_request")


async def test_a_sitemap_that_cannot_be_had_ends_the_batch_and_says_why(working: Platform) -> None:
    batch = await ended(working.http, (await submit(working))["id"])
    assert (batch["status"], batch["error"]["code"]) == ("cancelled", "target_status")
    assert "404" in batch["error"]["detail"]
    assert batch["counts"]["total"] == 0


async def test_an_empty_sitemap_is_a_batch_that_is_done(working: Platform) -> None:
    working.fleet.inline[MAP] = page()
    batch = await ended(working.http, (await submit(working))["id"])
    assert (batch["status"], batch["error"], batch["counts"]["total"]) == ("completed", None, 0)


async def test_what_is_beyond_the_plans_size_is_cut_off_and_told(guarded: Platform) -> None:
    a = await account(guarded, "ten_a", plan=guarded.parts.plans["free"])
    guarded.fleet.inline[MAP] = page(*(f"/{number}" for number in range(103)))
    async with guarded.at_work():
        answer = await a.http.post("/v1/batches", json={"kind": "capture", "sitemap": MAP, "options": STATIC})
        batch = await ended(a.http, answer.json()["id"])
    assert (batch["counts"]["succeeded"], [one["reason"] for one in batch["rejected"]]) == (100, ["cut_off"])


async def test_a_day_that_does_not_cover_it_ends_the_batch(guarded: Platform) -> None:
    a = await account(guarded, "ten_a", plan=guarded.parts.plans["free"].model_copy(update={"daily": {"capture": 1}}))
    guarded.fleet.inline[MAP] = page("/a", "/b")
    async with guarded.at_work():
        answer = await a.http.post("/v1/batches", json={"kind": "capture", "sitemap": MAP, "options": STATIC})
        batch = await ended(a.http, answer.json()["id"])
    assert (batch["status"], batch["error"]["code"], batch["counts"]["total"]) == ("cancelled", "quota_exceeded", 0)


async def test_a_batch_can_be_cancelled_before_its_sitemap_was_read(platform: Platform) -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def hold(_: FetchRequest) -> None:
        reached.set()
        await go.wait()

    platform.fleet.before_fetch = hold
    platform.fleet.inline[MAP] = page("/a")
    async with platform.at_work():
        batch_id = (await submit(platform))["id"]
        await reached.wait()
        assert (await platform.http.post(f"/v1/batches/{batch_id}/cancel")).json()["status"] == "cancelled"
        go.set()
        async with asyncio.timeout(90):
            while await secrets(platform):  # noqa: ASYNC110  # the database has no event
                await asyncio.sleep(0.02)
    assert (await platform.http.get(f"/v1/batches/{batch_id}")).json()["counts"]["total"] == 0


async def secrets(platform: Platform) -> int:
    async with platform.parts.db.read() as db:
        return len((await db.execute(select(job_secrets))).all())


async def test_what_is_confidential_reaches_the_pages_and_is_gone_after(working: Platform) -> None:
    working.fleet.inline[MAP] = page("/a")
    visit = {"headers": {"x-token": "hush"}}
    accepted = await submit(working, options={**STATIC, "visit": visit})
    assert "hush" not in str(accepted)
    batch = await ended(working.http, accepted["id"])
    assert batch["counts"]["succeeded"] == 1
    assert working.fleet.fetches[-1].visit.headers["x-token"] == "hush"
    assert await secrets(working) == 0


async def test_a_sitemap_on_forbidden_ground_is_refused_at_once(platform: Platform) -> None:
    body = {"kind": "capture", "sitemap": "http://127.0.0.1/sitemap.xml", "options": STATIC}
    answer = await platform.http.post("/v1/batches", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "url_forbidden")


async def test_a_site_that_fails_for_a_moment_is_asked_again(working: Platform) -> None:
    failures = iter([ServiceError(ErrorCode.TARGET_TIMEOUT, "Slow.")])

    async def fail_once(_: FetchRequest) -> None:
        for error in failures:
            raise error

    working.fleet.before_fetch = fail_once
    working.fleet.inline[MAP] = page("/a")
    assert (await ended(working.http, (await submit(working))["id"]))["counts"]["succeeded"] == 1


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("", "url_invalid"),
        ("https://shop.test/" + "a" * 4_100, "url_invalid"),
        ("https://shop.test/\0", "url_invalid"),
        ("http://169.254.169.254/", "url_forbidden"),
        ("file:///etc/passwd", "url_forbidden"),
    ],
)
async def test_what_an_index_names_is_judged_like_what_a_customer_names(
    working: Platform, address: str, code: str
) -> None:
    working.fleet.inline[MAP] = f"<sitemapindex><sitemap><loc>{address}</loc></sitemap></sitemapindex>".encode()
    batch = await ended(working.http, (await submit(working))["id"])
    assert (batch["status"], batch["error"]["code"]) == ("cancelled", code)
    assert {order.url for order in working.fleet.fetches} == {MAP}


async def test_what_a_page_says_in_an_error_can_always_be_written(working: Platform) -> None:
    working.fleet.inline["https://shop.test/1.xml"] = index("/x\0y.xml")
    working.fleet.inline[MAP] = index("/1.xml")
    batch = await ended(working.http, (await submit(working))["id"])
    assert (batch["error"]["code"], "\0" in batch["error"]["detail"]) == ("invalid_request", False)


async def test_a_site_without_end_holds_its_place_for_minutes_at_most(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: FetchRequest) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(sitemaps, "LONGEST", timedelta(milliseconds=50))
    platform.fleet.before_fetch = hang
    async with platform.at_work():
        batch = await ended(platform.http, (await submit(platform))["id"])
    assert batch["error"]["code"] == "target_timeout"


async def test_reading_sitemaps_takes_no_more_places_than_the_plan_has(guarded: Platform) -> None:
    a = await account(guarded, "ten_a", plan=guarded.parts.plans["free"])
    guarded.fleet.inline[MAP] = page()
    body = {"kind": "capture", "sitemap": MAP, "options": STATIC}
    made = [(await a.http.post("/v1/batches", json=body)).json()["id"] for _ in range(4)]
    async with guarded.parts.db.read() as db:
        states = Counter((await db.execute(select(jobs.c.state))).scalars())
    assert states == {"queued": 2, "waiting": 2}
    async with guarded.at_work():
        assert {(await ended(a.http, one))["status"] for one in made} == {"completed"}
