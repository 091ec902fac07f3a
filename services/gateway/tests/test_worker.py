"""The worker in this process, against a made-up fleet, on both databases."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import select, update

from contracts.analyze import AnalyzeRequest, Preset
from contracts.errors import ErrorCode
from contracts.geometry import DESKTOP, PHONE
from contracts.outputs import Banners, ScreenshotOutput
from contracts.render import PoolState, RenderRequest
from contracts.render import Warning as Lack
from gateway import attempts
from gateway.hints import QUEUE, cancel_topic
from gateway.jobs import intake, leases
from gateway.jobs.states import NewJob, State
from gateway.tables import jobs, results
from runtime.client import ServiceClient
from runtime.errors import ServiceError
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

URL = "https://shop.test/"


async def submit(platform: Platform, url: str = URL) -> str:
    answer = await platform.http.post("/v1/analyses", json={"url": url, "refresh": True})
    return str(answer.json()["id"])


async def end_of(platform: Platform, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await platform.http.get(f"/v1/analyses/{job_id}", params={"wait": 30})).json()
    return found


async def stored(platform: Platform, job_id: str) -> Any:  # noqa: ANN401  # a row
    async with platform.parts.db.read() as db:
        return (await db.execute(select(jobs).where(jobs.c.id == job_id))).one()


async def test_a_job_that_cannot_even_be_settled_stops_no_other(working: Platform) -> None:
    async with working.parts.db.begin() as db:
        broken = await intake.enqueue(db, NewJob("local", URL, Preset.RULES))
        # An enrichment that does not say of what: neither its work nor its end can be told.
        await db.execute(update(jobs).where(jobs.c.id == broken).values(kind="enrichment", stage="enrich"))
    await working.parts.hints.notify(QUEUE)
    await until_failed(working, broken)
    assert (await end_of(working, await submit(working)))["status"] == "succeeded"


async def until_failed(platform: Platform, job_id: str) -> None:
    async with asyncio.timeout(90):
        while (await stored(platform, job_id)).state != State.FAILED:  # noqa: ASYNC110  # nobody tells of it
            await asyncio.sleep(0.05)


class Hold:
    """Keeps calls waiting, and says when the first has come."""

    def __init__(self) -> None:
        self.come = asyncio.Event()
        self.go = asyncio.Event()
        self.aborted = asyncio.Event()

    async def __call__(self, _: object) -> None:
        self.come.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.aborted.set()
            raise


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


async def test_the_renderer_is_asked_for_all_that_the_report_needs(working: Platform) -> None:
    assert (await end_of(working, await submit(working)))["status"] == "succeeded"
    (order,) = working.fleet.renders
    names = {output.name: output for output in order.outputs}
    assert set(names) == {
        f"{kind}.{where}"
        for kind in ("first_screen", "full_page", "sections", "facts")
        for where in ("desktop", "mobile")
    }
    assert names["facts.mobile"].viewport == PHONE
    assert names["full_page.desktop"].viewport == DESKTOP
    banners = {name: output.banners for name, output in names.items() if isinstance(output, ScreenshotOutput)}
    assert {name for name, wanted in banners.items() if wanted is Banners.AS_SEEN} == {
        "first_screen.desktop",
        "first_screen.mobile",
    }
    assert {"sections.desktop.1", "sections.desktop.12", "sections.mobile.6"} <= set(order.uploads)
    assert not {"sections.desktop", "sections.desktop.13", "sections.mobile.7"} & set(order.uploads)
    assert order.url == URL
    assert order.budget_ms < working.parts.settings.render_budget_seconds * 1_000


async def test_the_analyzer_gets_what_was_rendered_and_nothing_else(working: Platform) -> None:
    job_id = await submit(working)
    result = (await end_of(working, job_id))["result"]
    (order,) = working.fleet.analyses
    assert set(order.downloads) == set(order.render.artifacts) == set(order.asset_keys)
    assert len(order.downloads) == 6
    assert (order.job_id, order.analysis_id, order.tenant_id) == (job_id, job_id, "local")
    assert all(key.startswith(f"local/{job_id}/1/") for key in order.asset_keys.values())
    assert {asset["key"] for asset in result["capture"]["assets"]} <= set(order.asset_keys.values())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"http_status": 404}, "target_status"),
        ({"http_status": 500}, "target_status"),
        ({"warnings": [Lack.PAGE_EMPTY]}, "page_empty"),
    ],
)
async def test_a_page_that_is_none_fails_once_with_a_type(
    working: Platform, change: dict[str, object], code: str
) -> None:
    working.fleet.change_render = change
    found = await end_of(working, await submit(working))
    assert (found["status"], found["error"]["code"], found["attempt"]) == ("failed", code, 1)
    assert working.fleet.analyses == []


async def test_a_partial_render_goes_on(working: Platform) -> None:
    working.fleet.change_render = {"partial": True, "warnings": [Lack.IMAGES_PENDING]}
    assert (await end_of(working, await submit(working)))["status"] == "succeeded"


async def test_a_failed_analysis_never_renders_twice(working: Platform) -> None:
    failures = iter([ErrorCode.INTERNAL, ErrorCode.DEADLINE_EXCEEDED])

    async def fail_twice(_: AnalyzeRequest) -> None:
        code = next(failures, None)
        if code is not None:
            raise ServiceError(code, "Not now.")

    working.fleet.before_analysis = fail_twice
    found = await end_of(working, await submit(working))
    assert (found["status"], found["attempt"]) == ("succeeded", 3)
    assert (len(working.fleet.renders), len(working.fleet.analyses)) == (1, 3)


async def test_attempts_are_bounded_and_the_last_error_is_kept(working: Platform) -> None:
    async def refuse(_: RenderRequest) -> None:
        raise ServiceError(ErrorCode.TARGET_REFUSED, "The site dropped the connection.")

    working.fleet.before_render = refuse
    found = await end_of(working, await submit(working))
    assert (found["status"], found["error"]["code"], found["attempt"]) == ("failed", "target_refused", 3)
    assert len(working.fleet.renders) == 3


@pytest.mark.parametrize("code", [ErrorCode.RENDERER_BUSY, ErrorCode.UNAVAILABLE])
async def test_a_full_or_absent_renderer_costs_no_attempt(working: Platform, code: ErrorCode) -> None:
    refusals = iter(range(5))

    async def refuse_five_times(_: RenderRequest) -> None:
        if next(refusals, None) is not None:
            raise ServiceError(code, "Every browser is busy.", retry_after_s=0.02)

    working.fleet.before_render = refuse_five_times
    found = await end_of(working, await submit(working))
    assert (found["status"], found["attempt"]) == ("succeeded", 1)
    assert len(working.fleet.renders) == 6


async def test_patience_with_an_absent_service_ends(platform: Platform) -> None:
    async def refuse(_: RenderRequest) -> None:
        raise ServiceError(ErrorCode.UNAVAILABLE, "The renderer cannot be reached.", retry_after_s=0.01)

    platform.fleet.before_render = refuse
    worker = platform.worker(outage_patience_seconds=0)
    task = asyncio.create_task(worker.run())
    found = await end_of(platform, await submit(platform))
    worker.stop()
    await task
    assert (found["status"], found["error"]["code"], found["attempt"]) == ("failed", "unavailable", 3)


@pytest.mark.parametrize("content", [None, b"short"])
async def test_an_upload_that_did_not_arrive_whole_is_noticed(
    working: Platform, content: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "after_storage", lambda _age: timedelta())
    losses = iter([True])

    async def lose_one(order: RenderRequest) -> None:
        if next(losses, False):
            key = order.uploads["facts.mobile"].url.partition("/blobs/")[2].partition("?")[0]
            path = working.files.path(key)
            path.unlink()
            if content is not None:
                path.write_bytes(content)

    working.fleet.after_uploads = lose_one
    found = await end_of(working, await submit(working))
    assert (found["status"], found["attempt"]) == ("succeeded", 1), "what the store does costs no attempt"


async def test_a_running_render_is_aborted_when_its_job_is_cancelled(working: Platform) -> None:
    hold = Hold()
    working.fleet.before_render = hold
    job_id = await submit(working)
    await hold.come.wait()
    dropped = counted("cro_jobs_fenced_total")
    assert (await working.http.post(f"/v1/analyses/{job_id}/cancel")).json()["status"] == "cancelled"
    async with asyncio.timeout(90):
        await hold.aborted.wait()
    assert (await end_of(working, job_id))["status"] == "cancelled"
    working.fleet.before_render = _nothing
    assert (await end_of(working, await submit(working)))["status"] == "succeeded"
    assert counted("cro_jobs_fenced_total") == dropped + 1


@pytest.mark.parametrize("kind", ["analyses", "captures"])
async def test_a_hint_ends_a_cancelled_render_without_waiting_for_the_heartbeat(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("gateway.worker._BEAT_S", 600)
    hold = Hold()
    platform.fleet.before_render = platform.fleet.before_fetch = hold
    worker = platform.worker(lease_seconds=6_000)
    task = asyncio.create_task(worker.run())
    location = (await platform.http.post(f"/v1/{kind}", json={"url": URL})).headers["location"]
    await hold.come.wait()
    await platform.http.post(f"{location}/cancel")
    async with asyncio.timeout(90):
        await hold.aborted.wait()
    assert worker._room.free() == platform.parts.settings.worker_concurrency
    worker.stop()
    await task


async def test_a_hint_that_is_wrong_ends_nothing(platform: Platform) -> None:
    hold = Hold()
    platform.fleet.before_render = hold
    worker = platform.worker()
    task = asyncio.create_task(worker.run())
    job_id = await submit(platform)
    await hold.come.wait()
    await platform.parts.hints.notify(cancel_topic(job_id))
    hold.go.set()
    assert (await end_of(platform, job_id))["status"] == "succeeded"
    worker.stop()
    await task


async def _nothing(_: object) -> None:
    """Let it pass."""


async def test_what_a_fenced_worker_made_is_dropped(platform: Platform) -> None:
    hold = Hold()
    platform.fleet.before_analysis = hold
    # It believes in a long lease, so it does not notice in time.
    sleeper = platform.worker(lease_seconds=600)
    task = asyncio.create_task(sleeper.run())
    job_id = await submit(platform)
    await hold.come.wait()
    await _give_away(platform, job_id)
    platform.fleet.before_analysis = _nothing
    successor = platform.worker()
    second = asyncio.create_task(successor.run())
    assert (await end_of(platform, job_id))["status"] == "succeeded"
    hold.go.set()
    for worker, running in ((sleeper, task), (successor, second)):
        worker.stop()
        await running
    async with platform.parts.db.read() as db:
        assert len((await db.execute(select(results.c.job_id))).all()) == 1
    assert (await stored(platform, job_id)).fence == 2
    assert len(platform.fleet.renders) == 1


async def _give_away(platform: Platform, job_id: str) -> None:
    """Do what the reaper does with a lease that has run out."""
    async with platform.parts.db.begin() as db:
        from_past = {"lease_until": jobs.c.created_at}
        await db.execute(update(jobs).where(jobs.c.id == job_id).values(from_past))
        assert [job.id for job in await leases.reap(db, 5)] == [job_id]


async def test_stopping_finishes_what_is_in_progress_and_starts_nothing(platform: Platform) -> None:
    hold = Hold()
    platform.fleet.before_render = hold
    worker = platform.worker(worker_concurrency=1)
    task = asyncio.create_task(worker.run())
    first, second = await submit(platform), await submit(platform)
    await hold.come.wait()
    worker.stop()
    hold.go.set()
    await task
    assert (await stored(platform, first)).state == State.SUCCEEDED
    assert (await stored(platform, second)).state == State.QUEUED


async def test_when_the_drain_time_is_over_jobs_are_given_back_for_nothing(platform: Platform) -> None:
    hold = Hold()
    platform.fleet.before_render = hold
    worker = platform.worker(drain_seconds=0)
    task = asyncio.create_task(worker.run())
    job_id = await submit(platform)
    await hold.come.wait()
    worker.stop()
    await task
    assert hold.aborted.is_set()
    row = await stored(platform, job_id)
    assert (row.state, row.attempt, row.crash_count, row.worker_id) == (State.QUEUED, 0, 0, None)


async def test_a_worker_torn_down_without_warning_gives_its_jobs_back(platform: Platform) -> None:
    hold = Hold()
    platform.fleet.before_render = hold
    task = asyncio.create_task(platform.worker().run())
    job_id = await submit(platform)
    await hold.come.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await stored(platform, job_id)).state == State.QUEUED


async def test_a_worker_takes_no_more_than_the_pool_has_slots(platform: Platform) -> None:
    running = 0
    most = 0

    async def measured(_: RenderRequest) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    platform.fleet.before_render = measured
    platform.fleet.change_render = {"pool": PoolState(slots=1, free=1)}
    worker = platform.worker(worker_concurrency=8)
    await end_of_all(platform, worker, 1)
    most = 0
    await end_of_all(platform, worker, 10)
    assert most == 1


async def end_of_all(platform: Platform, worker: Any, count: int) -> None:  # noqa: ANN401  # a worker
    ids = [await submit(platform) for _ in range(count)]
    # One room for all rounds: what the pool said must be remembered between jobs, not between runs.
    worker._stopping = False
    task = asyncio.create_task(worker.run())
    for job_id in ids:
        assert (await end_of(platform, job_id))["status"] == "succeeded"
    worker.stop()
    await task


async def test_several_workers_share_the_queue(platform: Platform) -> None:
    # A lease that no busy machine can miss: what is lost to another worker is another test's.
    workers = [platform.worker(worker_concurrency=2, lease_seconds=60) for _ in range(4)]
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    ids = [await submit(platform, f"{URL}{number}") for number in range(30)]
    assert Counter([(await end_of(platform, job_id))["status"] for job_id in ids]) == {"succeeded": 30}
    for worker in workers:
        worker.stop()
    await asyncio.gather(*tasks)
    assert Counter(order.job_id for order in platform.fleet.renders) == dict.fromkeys(ids, 1)


async def test_a_surprise_in_one_job_leaves_the_others_alone(working: Platform) -> None:
    async with working.parts.db.begin() as db:
        broken = await intake.enqueue(db, NewJob("local", "x" * 5_000, Preset.RULES))
    found = await end_of(working, broken)
    assert (found["status"], found["error"]["code"]) == ("failed", "internal")
    assert "5000" not in found["error"]["detail"]
    assert (await end_of(working, await submit(working)))["status"] == "succeeded"


async def test_the_trace_of_the_request_reaches_the_renderer(platform: Platform) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with platform.parts.db.begin() as db:
        job_id = await intake.enqueue(db, NewJob("local", URL, Preset.RULES, trace=trace))
    seen: list[str] = []
    assert isinstance(platform.ports.renderer, ServiceClient)
    send = platform.ports.renderer._http.send

    async def watched(request: Any, **options: Any) -> Any:  # noqa: ANN401  # the client's own signature
        seen.append(request.headers.get("traceparent", ""))
        return await send(request, **options)

    platform.ports.renderer._http.send = watched  # type: ignore[method-assign]  # to see the header as it leaves
    worker = platform.worker()
    task = asyncio.create_task(worker.run())
    assert (await end_of(platform, job_id))["status"] == "succeeded"
    worker.stop()
    await task
    assert seen == [trace]
