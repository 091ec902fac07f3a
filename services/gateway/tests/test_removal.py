"""Deleting, retention, objects without owners; conditional reads and HEAD."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from contracts.errors import ErrorCode
from gateway.blobs.base import new_key
from gateway.blobs.files import FileBlobs
from gateway.housekeeping import Housekeeper, _made_at
from gateway.jobs import intake, leases, outcomes
from gateway.jobs.states import Kind, NewJob
from gateway.tables import batch_rejects, batches, job_secrets, jobs, removals, renders, results
from gateway.times import now_plus
from runtime.errors import ServiceError
from runtime.ids import new_id
from tests.fixtures.gateway import Platform

from .test_batches import ended as finished
from .test_batches import submit

pytestmark = pytest.mark.anyio

URL = "https://shop.test/"
DAY = timedelta(days=1)


async def done(platform: Platform, kind: str = "analyses") -> dict[str, Any]:
    answer = await platform.http.post(f"/v1/{kind}", json={"url": URL, "wait": 60, "refresh": True})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def objects(platform: Platform, job_id: str) -> list[str]:
    root = platform.files.root
    return [path.name for path in root.rglob("*.*") if job_id in path.parts]


async def rows(platform: Platform) -> dict[str, int]:
    async with platform.parts.db.read() as db:
        tables = (jobs, renders, results, removals, job_secrets)
        return {
            table.name: (await db.execute(select(func.count()).select_from(table))).scalar_one() for table in tables
        }


def keeper(platform: Platform, **changes: object) -> Housekeeper:
    settings = platform.parts.settings.model_copy(update=changes)
    return Housekeeper(platform.parts.db, platform.parts.blobs, settings)


@pytest.mark.parametrize("kind", ["analyses", "captures"])
async def test_delete_takes_everything_along(working: Platform, kind: str) -> None:
    gone, kept = await done(working, kind), await done(working, kind)
    assert objects(working, gone["id"])
    path = gone["links"]["self"]
    answer = await working.http.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert not objects(working, gone["id"])
    assert objects(working, kept["id"])
    for method, tail in (("GET", ""), ("GET", "/events"), ("DELETE", ""), ("POST", "/cancel")):
        assert (await working.http.request(method, path + tail)).status_code == 404
    renders_left = 1 if kind == "analyses" else 0
    assert await rows(working) == {"jobs": 1, "renders": renders_left, "results": 1, "removals": 0, "job_secrets": 0}
    # The next request for the same page is not given what is gone.
    assert (await working.http.post(f"/v1/{kind}", json={"url": URL})).json()["id"] == kept["id"]


async def test_the_report_goes_too(working: Platform) -> None:
    found = await done(working)
    await working.http.delete(found["links"]["self"])
    assert (await working.http.get(found["links"]["report"])).status_code == 404


async def test_delete_waits_for_the_end_and_is_for_the_owner(platform: Platform) -> None:
    path = (await platform.http.post("/v1/analyses", json={"url": URL})).headers["location"]
    answer = await platform.http.delete(path)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "retry-after" in answer.headers
    async with platform.parts.db.begin() as db:
        foreign = await intake.enqueue(db, NewJob("other", URL))
        await outcomes.cancel(db, Kind.ANALYSIS, "other", foreign)
    for job_id in (foreign, path.rpartition("/")[2].replace("an_", "cap_"), "x"):
        assert (await platform.http.delete(f"/v1/analyses/{job_id}")).status_code == 404
    assert (await rows(platform))["jobs"] == 2


async def test_objects_follow_when_the_store_was_away(working: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await done(working)

    async def away(*_: object) -> None:
        raise ServiceError(ErrorCode.STORAGE_FAILED, "The objects could not be removed.")

    with monkeypatch.context() as patch:
        patch.setattr(FileBlobs, "remove_job", away)
        assert (await working.http.delete(found["links"]["self"])).status_code == 204
        assert (await working.http.get(found["links"]["self"])).status_code == 404
        for minutes in (2, 10):
            await keeper(working).tick(ahead=timedelta(minutes=minutes))
    assert objects(working, found["id"])
    assert (await rows(working))["removals"] == 1
    await keeper(working).tick()
    assert objects(working, found["id"]), "it is not tried again at once"
    await keeper(working).tick(ahead=timedelta(hours=2))
    assert not objects(working, found["id"])
    assert (await rows(working))["removals"] == 0


@pytest.mark.parametrize("kind", ["analyses", "captures"])
async def test_what_has_ended_goes_when_it_is_old(working: Platform, kind: str) -> None:
    found = await done(working, kind)
    house = keeper(working, retention_days=30)
    await house.tick(ahead=29 * DAY)
    assert (await rows(working))["jobs"] == 1
    await house.tick(ahead=31 * DAY)
    assert (await rows(working))["jobs"] == 0
    assert not objects(working, found["id"])


async def test_a_batch_goes_after_the_last_of_its_urls(working: Platform) -> None:
    listed = [f"{URL}{number}" for number in range(3)]
    body = {
        "kind": "capture",
        "urls": [*listed, "not a url"],
        "options": {"tier": "static", "outputs": [{"kind": "html"}]},
    }
    batch = await finished(working, (await submit(working, body))["id"])
    path = f"/v1/batches/{batch['id']}"
    assert len(batch["rejected"]) == 1
    assert list(working.files.root.rglob("*.html"))
    house = keeper(working, retention_days=30)
    for _ in range(2):
        await house.tick(ahead=29 * DAY)
    assert (await working.http.get(path)).json() == batch
    await house.tick(ahead=31 * DAY)
    assert (await rows(working))["jobs"] == 0
    assert not list(working.files.root.rglob("*.html"))
    await house.tick(ahead=31 * DAY)
    assert (await working.http.get(path)).status_code == 404
    async with working.parts.db.read() as db:
        for table in (batches, batch_rejects):
            assert (await db.execute(select(func.count()).select_from(table))).scalar_one() == 0


async def test_a_tenant_may_keep_for_another_time(platform: Platform) -> None:
    async def ended(tenant: str) -> str:
        async with platform.parts.db.begin() as db:
            job_id = await intake.enqueue(db, NewJob(tenant, URL))
            await outcomes.cancel(db, Kind.ANALYSIS, tenant, job_id)
        return job_id

    ids = {tenant: await ended(tenant) for tenant in ("short", "usual", "long")}
    house = keeper(platform, retention_days=30, retention_days_by_tenant={"short": 1, "long": 365})

    async def left() -> set[str]:
        async with platform.parts.db.read() as db:
            found = set((await db.execute(select(jobs.c.id))).scalars())
        return {tenant for tenant, job_id in ids.items() if job_id in found}

    for days, expected in ((0, {"short", "usual", "long"}), (2, {"usual", "long"}), (31, {"long"}), (366, set())):
        await house.tick(ahead=days * DAY)
        assert await left() == expected


async def test_what_has_not_ended_never_goes(platform: Platform) -> None:
    await platform.http.post("/v1/analyses", json={"url": URL})
    async with platform.parts.db.begin() as db:
        await db.execute(update(jobs).values(created_at=now_plus(-1_000 * DAY)))
        await leases.claim(db, "w", 1, DAY)
    await keeper(platform).tick(ahead=1_000 * DAY)
    assert (await rows(platform))["jobs"] == 1


async def test_objects_without_a_job_go_after_a_day(working: Platform) -> None:
    found = await done(working)

    async def one() -> Any:  # noqa: ANN401  # an iterator
        yield b"{}"

    orphan = new_id("an")
    await working.parts.blobs.write(new_key("local", orphan, 0, "application/json"), one())
    strange = working.files.root / "local" / "not-a-job"
    strange.mkdir()
    house = keeper(working)
    await house.tick()
    assert objects(working, orphan), "its job may be about to be written"
    for _ in range(2):
        await house.tick(ahead=timedelta(hours=25))
    assert not objects(working, orphan)
    assert objects(working, found["id"])
    assert strange.exists()


async def test_the_round_through_the_store_is_done_in_parts(working: Platform) -> None:
    blobs = working.parts.blobs
    ids = sorted(new_id("an") for _ in range(5))

    async def one() -> Any:  # noqa: ANN401  # an iterator
        yield b"{}"

    for tenant in ("a", "b-c", "b"):
        for job_id in ids:
            await blobs.write(new_key(tenant, job_id, 0, "application/json"), one())
    seen: list[tuple[str, str]] = []
    after = ""
    while part := await blobs.jobs(after, 4):
        assert len(part) <= 4
        seen += part
        after = "/".join(part[-1])
    assert seen == [(tenant, job_id) for tenant in ("a", "b", "b-c") for job_id in ids]


def test_an_id_says_when_it_was_made() -> None:
    assert abs(_made_at(new_id("cap")) - datetime.now(UTC).timestamp()) < 60
    assert _made_at("not-a-job") == float("inf")


# --- what a caller has already ---


@pytest.mark.parametrize("kind", ["analyses", "captures"])
async def test_what_a_caller_has_is_not_sent_again(working: Platform, kind: str) -> None:
    path = (await done(working, kind))["links"]["self"]
    first = await working.http.get(path)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    for known in (tag, f'"x", {tag}', tag.removeprefix("W/"), "*"):
        again = await working.http.get(path, headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = await working.http.get(path, headers={"if-none-match": '"x"'})
    assert (other.status_code, other.json()["id"], other.headers["etag"]) == (200, first.json()["id"], tag)
    assert (await working.http.get(f"{path[:-4]}0000", headers={"if-none-match": "*"})).status_code == 404


async def test_the_tag_changes_with_the_state(platform: Platform) -> None:
    path = (await platform.http.post("/v1/analyses", json={"url": URL})).headers["location"]
    tags = [(await platform.http.get(path)).headers["etag"]]
    waiting = platform.http.get(path, params={"wait": 30}, headers={"if-none-match": tags[0]})
    task = asyncio.create_task(waiting)
    await platform.http.post(f"{path}/cancel")
    answer = await task
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert answer.headers["etag"] != tags[0]


async def test_a_report_is_not_made_again_for_who_has_it(working: Platform) -> None:
    found = await done(working)
    first = await working.http.get(found["links"]["report"])
    headers = {"if-none-match": first.headers["etag"]}
    assert (await working.http.get(found["links"]["report"], headers=headers)).status_code == 304
    assert first.headers["etag"] != (await working.http.get(found["links"]["self"])).headers["etag"]


async def test_signed_links_are_renewed_before_they_die(working: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    path = (await done(working, "captures"))["links"]["self"]
    tag = (await working.http.get(path)).headers["etag"]
    later = datetime.now(UTC).timestamp() + working.parts.settings.capture_link_seconds / 2 + 1
    monkeypatch.setattr("gateway.captures.endpoints.time.time", lambda: later)
    assert (await working.http.get(path, headers={"if-none-match": tag})).status_code == 200


@pytest.mark.parametrize("tail", ["", "/report"])
async def test_head_is_get_without_its_body(working: Platform, tail: str) -> None:
    path = (await done(working))["links"]["self"] + tail
    whole, head = await working.http.get(path), await working.http.head(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "content-type"):
        assert head.headers[name] == whole.headers[name]
    assert (await working.http.head("/v1/analyses/an_x")).status_code == 404
    assert (await working.http.head("/v1/analyses")).status_code == 200


async def test_a_cursor_is_good_for_one_list_of_one_owner(platform: Platform) -> None:
    for kind in ("analyses", "captures"):
        for _ in range(2):
            await platform.http.post(f"/v1/{kind}", json={"url": URL, "refresh": True})
    cursor = (await platform.http.get("/v1/analyses", params={"limit": 1})).json()["next_cursor"]
    assert (await platform.http.get("/v1/analyses", params={"cursor": cursor})).status_code == 200
    changed = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    for path, wrong in (("/v1/captures", cursor), ("/v1/analyses", changed), ("/v1/analyses", cursor[:-2])):
        answer = await platform.http.get(path, params={"cursor": wrong})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor")
