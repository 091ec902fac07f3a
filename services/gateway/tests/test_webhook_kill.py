"""A real worker killed between its POST and its commit: the receiver may see the event twice, with one id."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select
from standardwebhooks import Webhook

from gateway.db import Database
from gateway.deliveries import records
from gateway.deliveries.signing import new_secret
from gateway.outbox import announce
from gateway.outbox.announce import Recipient
from gateway.outbox.events import TestEvent
from gateway.tables import webhook_deliveries, webhook_events
from gateway.webhooks import store
from tests.fixtures.receiver import Receiver, is_silent, receiving

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@contextmanager
def worker(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "gateway", "worker"]
    with subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def environment_for(database_url: str, receiver: Receiver, folder: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "BLOBS_URL": f"file://{folder / 'blobs'}",
        "EGRESS_ALLOW_PRIVATE": receiver.host,
        "LEASE_SECONDS": "1",
        "WEBHOOK_TIMEOUT_SECONDS": "2",
        "POLL_SECONDS": "0.1",
        "DRAIN_SECONDS": "1",
    }


async def test_a_sender_killed_after_its_post_sends_again_with_the_same_id(
    db: Database, database_url: str, tmp_path: Path
) -> None:
    secret = new_secret()
    async with receiving() as receiver:
        async with db.begin() as connection:
            values = {"url": receiver.url, "events": None, "description": "", "concurrency": 5}
            endpoint_id = await store.add(connection, "local", values)
            await records.keep_secret(connection, "local", endpoint_id, secret)
            event = TestEvent(event_id="evt_1", timestamp="2026-11-21T12:00:00Z", endpoint_id=endpoint_id)
            await announce.announce(connection, "local", event, [Recipient(endpoint_id, None)])
        receiver.script = [is_silent]
        environment = environment_for(database_url, receiver, tmp_path)
        with worker(environment) as first:
            await asyncio.wait_for(receiver.arrived.get(), 60)
            first.kill()
        with worker(environment) as second:
            await asyncio.wait_for(receiver.arrived.get(), 60)
            second.terminate()
            await asyncio.to_thread(second.wait, 30)
        assert [got.headers["webhook-id"] for got in receiver.got] == ["evt_1", "evt_1"]
        for got in receiver.got:
            Webhook(secret).verify(got.body, got.headers)
    async with db.read() as connection:
        assert len((await connection.execute(select(webhook_events))).all()) == 1
        (row,) = (await connection.execute(select(webhook_deliveries))).all()
    assert (row.state, row.tries, row.fence) == ("delivered", 2, 2)
