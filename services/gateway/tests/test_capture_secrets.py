"""What a customer lends us for one visit: used, shown to nobody, and gone with the end of the job."""

import asyncio
from datetime import timedelta

import httpx2
import pytest
import structlog
from sqlalchemy import exc, func, insert, select, update

from contracts.errors import ErrorCode
from contracts.fetch import FetchRequest
from contracts.wire import REVEALED
from gateway.app import create_app
from gateway.db import Database
from gateway.jobs import confidential, intake, leases, outcomes
from gateway.jobs.states import Claimed, Kind, NewJob
from gateway.orders import asked, stored_form
from gateway.settings import GatewaySettings
from gateway.tables import job_secrets, jobs
from gateway.times import now_plus
from runtime.errors import ServiceError
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

URL = "https://shop.test/"
SECRETS = ("pass-5ecret", "cookie-5ecret", "header-5ecret")
VISIT = {
    "locale": "de",
    "headers": {"Authorization": SECRETS[2]},
    "cookies": [{"name": "session", "value": SECRETS[1]}],
    "auth": {"username": "shop", "password": SECRETS[0]},
}
REQUEST = FetchRequest.model_validate({"url": URL, "outputs": [{"kind": "screenshot"}], "visit": VISIT})


def no_secret_in(text: str) -> bool:
    return not any(secret in text for secret in SECRETS)


async def kept(platform: Platform) -> int:
    async with platform.parts.db.read() as db:
        return int((await db.execute(select(func.count()).select_from(job_secrets))).scalar_one())


async def submit(platform: Platform) -> str:
    answer = await platform.http.post("/v1/captures", json={"url": URL, "visit": VISIT})
    assert answer.status_code == 202
    assert no_secret_in(answer.text)
    return str(answer.headers["location"])


async def test_the_renderer_gets_them_and_nobody_else(
    working: Platform, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    location = await submit(working)
    answer = await working.http.get(location, params={"wait": 60})
    assert answer.json()["status"] == "succeeded"
    (order,) = working.fleet.fetches
    assert order.visit == REQUEST.visit
    assert order.visit.auth is not None
    assert order.visit.auth.password.get_secret_value() == SECRETS[0]
    assert no_secret_in(answer.text)
    assert answer.json()["asked"]["withheld"] == ["auth", "cookies", "headers"]
    assert answer.json()["asked"]["visit"]["locale"] == "de"
    assert no_secret_in((await working.http.get("/v1/captures")).text)
    printed = capsys.readouterr()
    assert no_secret_in(caplog.text + printed.out + printed.err)
    assert await kept(working) == 0
    assert no_secret_in(await everything(working.parts.db))


async def everything(db: Database) -> str:
    async with db.read() as connection:
        return str((await connection.execute(select(jobs))).all())


async def test_they_are_kept_as_long_as_they_are_needed(platform: Platform) -> None:
    await submit(platform)
    assert await kept(platform) == 1
    assert no_secret_in(await everything(platform.parts.db))


@pytest.mark.parametrize("end", ["failed", "cancelled"])
async def test_every_end_drops_them(working: Platform, end: str) -> None:
    gate = asyncio.Event()

    async def refuse(_: FetchRequest) -> None:
        await gate.wait()
        raise ServiceError(ErrorCode.CAPTURE_REFUSED, "No.")

    working.fleet.before_fetch = refuse
    location = await submit(working)
    if end == "cancelled":
        await working.http.post(f"{location}/cancel")
    gate.set()
    assert (await working.http.get(location, params={"wait": 60})).json()["status"] == end
    assert await kept(working) == 0


async def test_a_retry_still_has_them(working: Platform) -> None:
    failures = iter([True])

    async def fail_once(_: FetchRequest) -> None:
        if next(failures, False):
            raise ServiceError(ErrorCode.TARGET_TIMEOUT, "Slow.")

    working.fleet.before_fetch = fail_once
    location = await submit(working)
    assert (await working.http.get(location, params={"wait": 60})).json()["attempt"] == 2
    assert [order.visit for order in working.fleet.fetches] == [REQUEST.visit] * 2


async def enqueue(db: Database) -> str:
    options, secrets = stored_form(REQUEST)
    async with db.begin() as connection:
        job = NewJob("local", URL, kind=Kind.CAPTURE, options=options, secrets=secrets)
        assert no_secret_in(repr(job))
        return await intake.enqueue(connection, job)


async def claim(db: Database) -> Claimed:
    async with db.begin() as connection:
        (job,) = await leases.claim(connection, "w", 1, timedelta(seconds=30))
    return job


async def test_what_died_with_its_workers_is_swept(db: Database) -> None:
    """The reaper ends a job in one statement of its own; a release that knows no secrets may do the same."""
    await enqueue(db)
    waiting = await enqueue(db)
    job = await claim(db)
    async with db.begin() as connection:
        await connection.execute(update(jobs).where(jobs.c.id == job.id).values(lease_until=jobs.c.created_at))
        assert await leases.reap(connection, 1) == [leases.Reaped(job.id, dead=True)]
    async with db.once() as connection:
        assert await confidential.sweep(connection) == 1
    async with db.read() as connection:
        assert list((await connection.execute(select(job_secrets.c.job_id))).scalars()) == [waiting]


async def test_the_worker_sweeps(platform: Platform) -> None:
    job_id = await enqueue(platform.parts.db)
    async with platform.parts.db.begin() as connection:
        await connection.execute(update(jobs).where(jobs.c.id == job_id).values(state="failed"))
    await platform.worker()._sweep()
    assert await kept(platform) == 0


async def test_a_failed_capture_cannot_go_on_without_them(db: Database) -> None:
    await enqueue(db)
    job = await claim(db)
    async with db.begin() as connection:
        await outcomes.fail(connection, job, ServiceError(ErrorCode.INTERNAL, "No."))
        assert not await outcomes.requeue(connection, "local", job.id)
    plain, _ = stored_form(REQUEST.model_copy(update={"visit": type(REQUEST.visit)()}))
    async with db.begin() as connection:
        await intake.enqueue(connection, NewJob("local", URL, kind=Kind.CAPTURE, options=plain))
    other = await claim(db)
    async with db.begin() as connection:
        await outcomes.fail(connection, other, ServiceError(ErrorCode.INTERNAL, "No."))
        assert await outcomes.requeue(connection, "local", other.id)


async def test_the_databases_errors_quote_no_values(db: Database) -> None:
    job_id = await enqueue(db)
    row = {"job_id": job_id, "tenant_id": "local", "document": {"a": SECRETS[0]}, "saved_at": now_plus()}
    with pytest.raises(exc.IntegrityError) as caught:
        async with db.begin() as connection:
            await connection.execute(insert(job_secrets).values(row))
    assert no_secret_in(str(caught.value))


async def test_a_form_that_we_cannot_read_is_not_quoted(db: Database) -> None:
    await enqueue(db)
    job = await claim(db)
    with pytest.raises(ServiceError) as caught:
        asked(job, {"headers": {"Authorization": [SECRETS[2]]}, "auth": {"password": SECRETS[0]}})
    assert caught.value.code is ErrorCode.INTERNAL
    assert "visit.headers.Authorization" in caught.value.reason
    assert no_secret_in(repr(caught.value) + caught.value.reason + caught.value.detail)


async def test_a_refusal_quotes_nothing(platform: Platform) -> None:
    visit = {**VISIT, "auth": {"username": "u", "password": SECRETS[0] * 50}, "locale": "???"}
    answer = await platform.http.post("/v1/captures", json={"url": URL, "visit": visit})
    assert answer.status_code == 422
    assert no_secret_in(answer.text)


def test_a_password_is_written_only_for_our_own_services() -> None:
    assert no_secret_in(repr(REQUEST.visit.auth))
    assert SECRETS[0] not in REQUEST.model_dump_json()
    assert SECRETS[0] in REQUEST.model_dump_json(context=REVEALED)


@pytest.mark.parametrize("status", [422, 202])
async def test_scripts_are_taken_where_the_operator_says_so(settings: GatewaySettings, status: int) -> None:
    allowed = status == 202
    body = {"url": URL, "prepare": {"wait_for": {"function": "() => window.ready"}}}
    app = create_app(settings.model_copy(update={"capture_allow_scripts": allowed}))
    transport = httpx2.ASGITransport(app=app)
    with structlog.testing.capture_logs() as logs:
        async with httpx2.AsyncClient(transport=transport, base_url="http://x.test", trust_env=False) as http:
            assert (await http.post("/v1/captures", json=body)).status_code == status
    assert ("capture_script_taken" in [entry["event"] for entry in logs]) is allowed
    assert "window.ready" not in str(logs)
    await app.state.parts.db.aclose()
