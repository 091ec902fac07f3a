"""The courier against receivers of every kind, on both databases, with a clock that the test moves."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from sqlalchemy import select, update
from standardwebhooks import Webhook

from gateway.db import Database
from gateway.deliveries import claims, records, schedule
from gateway.deliveries.courier import Courier
from gateway.deliveries.parcels import Space
from gateway.deliveries.sending import Attempt, Verdict, post
from gateway.deliveries.signing import new_secret, signed_headers
from gateway.hints import LocalHints
from gateway.outbox.announce import Recipient
from gateway.settings import GatewaySettings
from gateway.tables import (
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
    webhook_lanes,
    webhook_secrets,
)
from gateway.times import now_plus
from gateway.webhooks import store
from runtime.dialing import DialLimits
from runtime.guarded import guarded_transport
from runtime.netguard import AddressPolicy
from tests.fixtures.couriers import LEASE, SECRET, Rounds, announced, claimed, endpoint, let_pass, only, rows_of
from tests.fixtures.programs import free_port
from tests.fixtures.receiver import Answer, Receiver, hangs_up, is_silent, receiving, says

pytestmark = pytest.mark.anyio

LONG = timedelta(days=5)


@pytest.fixture
async def other() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
async def courier(
    db: Database, settings: GatewaySettings, receiver: Receiver, other: Receiver
) -> AsyncIterator[Courier]:
    changes: dict[str, object] = {
        "egress_allow_private": f"{receiver.host},{other.host}",
        "webhook_timeout_seconds": 5.0,
    }
    made = Courier("w1", db, LocalHints(), settings.model_copy(update=changes))
    yield made
    if made._transport is not None:
        await made._transport.aclose()


@pytest.fixture
def deliver(courier: Courier, db: Database) -> Rounds:
    return Rounds(courier, db)


async def shown(db: Database, endpoint_id: str) -> store.Endpoint:
    async with db.read() as connection:
        found = await store.get(connection, "local", endpoint_id)
    assert found is not None
    return found


async def until_next(db: Database) -> timedelta:
    """How long the only delivery waits from now."""
    async with db.read() as connection:
        run_at, now = (await connection.execute(select(webhook_deliveries.c.run_at, now_plus()))).one()
    wait: timedelta = run_at - now
    return wait


async def test_a_receiver_that_is_down_for_an_hour_gets_it_once_when_it_is_up(
    db: Database, deliver: Rounds, receiver: Receiver
) -> None:
    event_id = await announced(db, Recipient(await endpoint(db, receiver.url), None))
    receiver.answer = hangs_up
    passed, waits = timedelta(), []
    while passed < timedelta(hours=1):
        assert await deliver() == 1
        wait = await until_next(db)
        waits.append(wait.total_seconds())
        await let_pass(db, wait - timedelta(seconds=1))
        assert await deliver() == 0, "it came before its time"
        await let_pass(db, timedelta(seconds=2))
        passed += wait
    for wait_s, planned in zip(waits, schedule.DELAYS_S, strict=False):
        assert planned * 0.9 - 1 <= wait_s <= planned * 1.1 + 1
    receiver.answer = says(204)
    assert await deliver.all() == 1
    await let_pass(db, timedelta(days=3))
    assert await deliver() == 0
    last = receiver.got[-1]
    Webhook(SECRET).verify(last.body, last.headers)
    assert {got.headers["webhook-id"] for got in receiver.got} == {event_id}
    row = await only(db)
    assert (row.state, row.last_status, row.tries) == ("delivered", 204, len(waits) + 1)
    assert len(await rows_of(db, webhook_events)) == 1


def test_each_attempt_is_signed_for_its_own_moment_in_utc_and_by_every_valid_secret() -> None:
    secrets = [new_secret(), new_secret()]
    noon = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    headers = signed_headers("evt_1", b"{}", secrets, noon)
    assert headers["webhook-timestamp"] == str(int(noon.timestamp()))
    assert headers["webhook-signature"] == " ".join(Webhook(secret).sign("evt_1", noon, "{}") for secret in secrets)
    elsewhere = noon.astimezone(timezone(timedelta(hours=5)))
    assert signed_headers("evt_1", b"{}", secrets, elsewhere) == headers
    later = signed_headers("evt_1", b"{}", secrets, noon + timedelta(seconds=1))
    assert set(later["webhook-signature"].split()).isdisjoint(headers["webhook-signature"].split())
    for secret in secrets:
        Webhook(secret).verify(b"{}", signed_headers("evt_1", b"{}", secrets))


async def test_an_egress_that_is_down_costs_no_attempt_and_is_not_the_receivers_fault(
    db: Database, courier: Courier, receiver: Receiver
) -> None:
    event_id = await announced(db, Recipient(await endpoint(db, receiver.url), None))
    way_out = {"egress_proxy_url": f"http://127.0.0.1:{free_port()}"}
    cut_off = Courier("w2", db, LocalHints(), courier._settings.model_copy(update=way_out))
    deliver = Rounds(cut_off, db)
    for _ in range(schedule.ATTEMPTS + 1):
        assert await deliver() == 1
        assert await deliver() == 0, "an outage is no reason to knock without a pause"
        await let_pass(db, timedelta(seconds=10))
    row = await only(db)
    assert (row.state, row.attempt) == ("pending", 0)
    assert await rows_of(db, webhook_lanes) == []
    assert await Rounds(courier, db)() == 1
    assert [got.headers["webhook-id"] for got in receiver.got] == [event_id]
    assert (await only(db)).state == "delivered"
    assert cut_off._transport is not None
    await cut_off._transport.aclose()


async def test_after_the_last_attempt_it_has_failed(db: Database, deliver: Rounds, receiver: Receiver) -> None:
    await announced(db, Recipient(await endpoint(db, receiver.url), None))
    receiver.answer = says(500)
    for _ in range(schedule.ATTEMPTS):
        assert await deliver() == 1
        await let_pass(db, timedelta(hours=12))
    assert await deliver() == 0
    row = await only(db)
    assert (row.state, row.attempt, row.last_status, row.last_error) == ("failed", 8, 500, "target_status")
    assert row.finished_at is not None
    log = await rows_of(db, webhook_attempts)
    assert [one.number for one in log] == list(range(1, 9))


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (says(500), 500, "target_status"),
        (says(404), 404, "target_status"),
        (says(302, location="http://127.0.0.1:1/"), 302, "target_redirects"),
        (says(304), 304, "target_redirects"),
        (hangs_up, None, "target_refused"),
    ],
)
async def test_what_is_no_success_is_tried_again(
    db: Database, deliver: Rounds, receiver: Receiver, answer: Answer, status: int | None, error: str
) -> None:
    await announced(db, Recipient(await endpoint(db, receiver.url), None))
    receiver.script = [answer]
    await deliver()
    row = await only(db)
    assert (row.state, row.last_status, row.last_error, row.attempt) == ("pending", status, error, 1)
    assert len(receiver.got) == 1
    await let_pass(db, timedelta(seconds=10))
    await deliver()
    assert (await only(db)).state == "delivered"


async def test_a_redirect_is_not_followed(db: Database, deliver: Rounds, receiver: Receiver, other: Receiver) -> None:
    await announced(db, Recipient(await endpoint(db, receiver.url), None))
    receiver.answer = says(307, location=other.url)
    await deliver()
    assert (len(receiver.got), other.got) == (1, [])


async def test_a_receiver_that_is_gone_is_disabled_at_once_and_the_others_hear_of_it(
    db: Database, deliver: Rounds, receiver: Receiver, other: Receiver
) -> None:
    gone = await endpoint(db, receiver.url)
    for _ in range(3):
        await announced(db, Recipient(gone, None))
    await endpoint(db, other.url)
    await endpoint(db, other.url, tenant="other")
    receiver.answer = says(410)
    await deliver()
    await deliver.all()
    found = await shown(db, gone)
    assert (found.enabled, found.disabled_reason) == (False, "gone")
    (got,) = other.got
    assert (got.event["type"], got.event["endpoint_id"], got.event["reason"]) == ("endpoint.disabled", gone, "gone")
    states = Counter(row.state for row in await rows_of(db, webhook_deliveries))
    assert states == {"failed": 3, "delivered": 1}


async def test_a_receiver_that_fails_for_five_days_is_disabled(
    db: Database, deliver: Rounds, receiver: Receiver
) -> None:
    endpoint_id = await endpoint(db, receiver.url)
    receiver.answer = says(500)
    await announced(db, Recipient(endpoint_id, None))
    await deliver()
    await let_pass(db, timedelta(days=4, hours=23))
    await deliver()
    assert (await shown(db, endpoint_id)).enabled
    await announced(db, Recipient(endpoint_id, None))
    await let_pass(db, timedelta(hours=2))
    await deliver()
    found = await shown(db, endpoint_id)
    assert (found.enabled, found.disabled_reason) == (False, "failing")
    assert await deliver() == 0
    assert {row.state for row in await rows_of(db, webhook_deliveries)} == {"failed"}


async def test_one_success_forgives_all_failures_before_it(db: Database, deliver: Rounds, receiver: Receiver) -> None:
    endpoint_id = await endpoint(db, receiver.url)
    for answer in (says(500), says(200), says(500)):
        await announced(db, Recipient(endpoint_id, None))
        receiver.answer = answer
        await let_pass(db, timedelta(days=4))
        await deliver()
    found = await shown(db, endpoint_id)
    assert found.enabled
    assert found.failing_since is not None


@pytest.mark.parametrize("status", [429, 502, 504])
async def test_an_overloaded_receiver_is_left_alone_with_everything_that_waits_for_it(
    db: Database, deliver: Rounds, receiver: Receiver, status: int
) -> None:
    endpoint_id = await endpoint(db, receiver.url, concurrency=1)
    for _ in range(3):
        await announced(db, Recipient(endpoint_id, None))
    receiver.answer = says(status, retry_after="120")
    assert await deliver() == 1
    await let_pass(db, timedelta(seconds=110))
    assert await deliver() == 0
    receiver.answer = says(200)
    await let_pass(db, timedelta(seconds=40))
    assert await deliver.all() == 3
    assert len(receiver.got) == 4


async def test_retry_after_lengthens_the_wait_and_never_shortens_it(
    db: Database, deliver: Rounds, receiver: Receiver
) -> None:
    await announced(db, Recipient(await endpoint(db, receiver.url), None))
    receiver.answer = says(503, retry_after="600")
    await deliver()
    assert timedelta(seconds=590) < await until_next(db) < timedelta(seconds=610)
    await let_pass(db, timedelta(seconds=601))
    receiver.answer = says(503, retry_after="1")
    await deliver()
    assert await until_next(db) > timedelta(seconds=260)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("99999999999999999999", 36_000),
        (format_datetime(datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC), usegmt=True), 30),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0),
        ("-1", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("²", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(header: str | None, seconds: int | None) -> None:
    found = schedule.retry_after(header, datetime(2026, 11, 21, 12, 0, tzinfo=UTC))
    assert found == (None if seconds is None else timedelta(seconds=seconds))


async def posted(receiver: Receiver, budget_s: float = 0.3) -> Attempt:
    policy = AddressPolicy.from_setting(receiver.host)
    transport = guarded_transport(policy, DialLimits(), job_id="shared-test", connections=2)
    try:
        return await post(transport, receiver.url, b"{}", {"webhook-id": "evt_1"}, timedelta(seconds=budget_s))
    finally:
        await transport.aclose()


async def test_a_receiver_that_does_not_answer_costs_no_more_than_the_budget(receiver: Receiver) -> None:
    receiver.answer = is_silent
    attempt = await posted(receiver)
    assert (attempt.verdict, attempt.status, attempt.error) == (Verdict.FAILED, None, "target_timeout")


async def test_a_huge_answer_is_not_read(receiver: Receiver) -> None:
    sent = 0

    async def pour(writer: Any) -> None:  # noqa: ANN401  # a stream writer
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent += 65_536

    receiver.answer = pour
    attempt = await posted(receiver, 5)
    assert (attempt.verdict, attempt.status, len(attempt.answer)) == (Verdict.DELIVERED, 200, 4_096)
    # What the kernel's buffers take, and no more.
    assert sent < 20_000_000


async def test_a_success_whose_body_never_ends_is_a_success(receiver: Receiver) -> None:
    async def stall(writer: Any) -> None:  # noqa: ANN401  # a stream writer
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await asyncio.Event().wait()

    receiver.answer = stall
    attempt = await posted(receiver)
    assert (attempt.verdict, attempt.answer) == (Verdict.DELIVERED, "half")


async def test_a_compressed_answer_is_not_unpacked_and_a_cookie_not_kept(
    db: Database, deliver: Rounds, receiver: Receiver
) -> None:
    endpoint_id = await endpoint(db, receiver.url)
    receiver.answer = says(200, b"\x1f\x8b" + bytes(100), content_encoding="gzip", set_cookie="a=b")
    for _ in range(2):
        await announced(db, Recipient(endpoint_id, None))
        await deliver()
    assert receiver.got[0].headers["accept-encoding"] == "identity"
    assert "cookie" not in receiver.got[1].headers
    assert (await rows_of(db, webhook_attempts))[0].answer.startswith("\\u{1f}\N{REPLACEMENT CHARACTER}")


async def test_a_hanging_receiver_holds_nobody_else_up(
    db: Database, courier: Courier, receiver: Receiver, other: Receiver
) -> None:
    hanging = await endpoint(db, receiver.url, concurrency=2)
    healthy = await endpoint(db, other.url)
    for _ in range(20):
        await announced(db, Recipient(hanging, None), Recipient(healthy, None))
    receiver.answer = is_silent
    running = asyncio.create_task(courier.run())
    for _ in range(20):
        await asyncio.wait_for(other.arrived.get(), 30)
    assert receiver.open_most <= 2
    courier.stop()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_dead_couriers_delivery_is_done_again_with_the_same_id(
    db: Database, deliver: Rounds, receiver: Receiver
) -> None:
    event_id = await announced(db, Recipient(await endpoint(db, receiver.url), None))
    (lost,) = await claimed(db, Space(1, 1), "dead")
    assert await deliver() == 0
    await let_pass(db, LEASE * 2)
    async with db.once() as connection:
        assert await claims.reap(connection) == 1
    assert await deliver() == 1
    assert receiver.got[0].headers["webhook-id"] == event_id
    async with db.begin() as connection:
        settled = await records.settle(connection, lost, Attempt(Verdict.DELIVERED, 200), LONG)
    assert not settled.ours
    assert [(row.number, row.status) for row in await rows_of(db, webhook_attempts)] == [(2, 200)]


async def test_a_courier_torn_down_gives_back_what_it_was_sending(
    db: Database, courier: Courier, receiver: Receiver
) -> None:
    await announced(db, Recipient(await endpoint(db, receiver.url), None))
    receiver.answer = is_silent
    running = asyncio.create_task(courier.run())
    await asyncio.wait_for(receiver.arrived.get(), 30)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    row = await only(db)
    assert (row.state, row.attempt) == ("pending", 0)


async def test_stopping_finishes_what_is_being_sent(db: Database, courier: Courier, receiver: Receiver) -> None:
    await announced(db, Recipient(await endpoint(db, receiver.url), None))
    go = asyncio.Event()

    async def slowly(writer: Any) -> None:  # noqa: ANN401  # a stream writer
        await go.wait()
        await says(200)(writer)

    receiver.answer = slowly
    running = asyncio.create_task(courier.run())
    await asyncio.wait_for(receiver.arrived.get(), 30)
    courier.stop()
    go.set()
    await running
    assert (await only(db)).state == "delivered"


async def test_an_endpoint_disabled_after_the_event_gets_nothing(
    db: Database, deliver: Rounds, receiver: Receiver
) -> None:
    endpoint_id = await endpoint(db, receiver.url)
    await announced(db, Recipient(endpoint_id, None))
    async with db.begin() as connection:
        # As a commit would that read the endpoint before it was disabled, and wrote after it.
        await connection.execute(update(webhook_endpoints).values(enabled=0))
    await deliver()
    assert receiver.got == []
    assert ((await only(db)).state, (await only(db)).last_error) == ("failed", "endpoint_disabled")


async def test_old_events_are_forgotten_with_everything_that_hangs_on_them(
    db: Database, deliver: Rounds, receiver: Receiver
) -> None:
    await announced(db, Recipient(await endpoint(db, receiver.url), None))
    await deliver()
    async with db.begin() as connection:
        assert await claims.forget(connection, timedelta(days=1)) == 0
        assert await claims.forget(connection, timedelta(days=-1)) == 1
    for table in (webhook_events, webhook_deliveries, webhook_attempts):
        assert await rows_of(db, table) == []
    assert len(await rows_of(db, webhook_endpoints)) == len(await rows_of(db, webhook_secrets)) == 1


async def test_over_tls_only_a_valid_certificate_will_do(tmp_path: Path) -> None:
    authority = trustme.CA()
    wrong = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.test").configure_cert(wrong)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    async with receiving(wrong) as receiver:
        policy = AddressPolicy.from_setting(receiver.host)
        transport = guarded_transport(policy, DialLimits(), job_id="shared-test", connections=2, trust=trust)
        url = receiver.url.replace("http://", "https://")
        attempt = await post(transport, url, b"{}", {}, timedelta(seconds=10))
        await transport.aclose()
        assert (attempt.verdict, attempt.error, receiver.got) == (Verdict.FAILED, "target_tls", [])
