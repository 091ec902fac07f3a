"""The secrets that sign: rotation, and how they are kept, on both databases."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr, ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.db import Database
from gateway.deliveries import records
from gateway.deliveries.signing import Wrapping, wrapping
from gateway.settings import GatewaySettings
from gateway.tables import webhook_attempts, webhook_secrets
from tests.fixtures.accounts import PEPPER, Account, account
from tests.fixtures.couriers import HOOKS, added, let_pass, rounds, rows_of
from tests.fixtures.gateway import Platform
from tests.fixtures.receiver import Receiver

pytestmark = pytest.mark.anyio

PAGE = "https://shop.test/"


@pytest.fixture
def settings(settings: GatewaySettings, receiver: Receiver) -> GatewaySettings:
    changes = {"egress_allow_private": f"{receiver.host},shop.test", "public_url": "https://cro.test"}
    return settings.model_copy(update=changes)


async def test_during_a_rotation_both_secrets_verify_and_afterwards_one(platform: Platform, receiver: Receiver) -> None:
    made = await added(platform, receiver.url)
    path = f"{HOOKS}/{made['id']}"
    turned = (await platform.http.post(f"{path}/rotate", json={"overlap_hours": 1})).json()
    until = datetime.fromisoformat(turned["previous_until"])
    assert timedelta(minutes=59) < until - datetime.now(UTC) < timedelta(minutes=61)
    deliver = rounds(platform)
    await platform.http.post(f"{path}/test")
    assert await deliver() == 1
    for secret in (made["secret"], turned["secret"]):
        Webhook(secret).verify(receiver.got[0].body, receiver.got[0].headers)
    await let_pass(platform.parts.db, timedelta(hours=2))
    await platform.http.post(f"{path}/test")
    assert await deliver() == 1
    Webhook(turned["secret"]).verify(receiver.got[1].body, receiver.got[1].headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(receiver.got[1].body, receiver.got[1].headers)


async def test_a_second_rotation_does_not_lengthen_the_life_of_the_first_secret(
    platform: Platform, receiver: Receiver
) -> None:
    path = f"{HOOKS}/{(await added(platform, receiver.url))['id']}"
    await platform.http.post(f"{path}/rotate", json={"overlap_hours": 1})
    await platform.http.post(f"{path}/rotate", json={"overlap_hours": 48})
    ends = sorted(row.expires_at for row in await rows_of(platform.parts.db, webhook_secrets) if row.expires_at)
    assert len(ends) == 2
    assert ends[0] - datetime.now(UTC) < timedelta(hours=2)


async def test_secrets_are_wrapped_where_the_operator_has_a_key(platform: Platform, receiver: Receiver) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    object.__setattr__(platform.parts.settings, "webhook_secret_keys", old)
    made = await added(platform, receiver.url)
    (row,) = await rows_of(platform.parts.db, webhook_secrets)
    assert row.wrapped.startswith("fernet:")
    assert made["secret"].removeprefix("whsec_") not in row.wrapped
    object.__setattr__(platform.parts.settings, "webhook_secret_keys", f"{new},{old}")
    await platform.http.post(f"{HOOKS}/{made['id']}/test")
    assert await rounds(platform)() == 1
    Webhook(made["secret"]).verify(receiver.got[0].body, receiver.got[0].headers)


@pytest.fixture
async def owner(guarded: Platform) -> AsyncIterator[Account]:
    """A tenant of a platform that asks for keys."""
    found = await account(guarded, "ten_a")
    yield found
    await found.http.aclose()


async def test_where_callers_need_keys_secrets_are_wrapped_although_nobody_named_a_key(
    guarded: Platform, owner: Account, receiver: Receiver
) -> None:
    made = (await owner.http.post(HOOKS, json={"url": receiver.url})).json()
    await owner.http.post("/v1/analyses", json={"url": PAGE, "webhook_url": receiver.url})
    (row,) = await rows_of(guarded.parts.db, webhook_secrets)
    assert row.wrapped.startswith("fernet:")
    assert PEPPER not in row.wrapped
    await owner.http.post(f"{HOOKS}/{made['id']}/test")
    assert await rounds(guarded)() == 1
    Webhook(made["secret"]).verify(receiver.got[0].body, receiver.got[0].headers)


async def test_secrets_move_to_a_new_key_before_the_old_one_goes(db: Database) -> None:
    old, new = Fernet.generate_key(), Fernet.generate_key()
    for stored in ("whsec_plain", Wrapping([old]).wrap("whsec_old"), Wrapping([new]).wrap("whsec_new")):
        async with db.begin() as connection:
            await records.keep_secret(connection, "local", "wh_1", stored)
    both = Wrapping([new, old])
    for count in (2, 0):
        async with db.begin() as connection:
            assert await records.wrap_anew(connection, both) == count
    rows = await rows_of(db, webhook_secrets)
    assert [Wrapping([new]).unwrap(row.wrapped) for row in rows] == ["whsec_plain", "whsec_old", "whsec_new"]
    async with db.begin() as connection:
        assert await records.wrap_anew(connection, Wrapping([old])) == 0, "what nobody opens stays as it is"
        assert await records.wrap_anew(connection, Wrapping([])) == 0


def test_the_operators_own_key_wraps_before_the_peppers() -> None:
    own, old_pepper = Fernet.generate_key().decode(), PEPPER[::-1]
    settings = GatewaySettings(
        webhook_secret_keys=own, api_key_pepper=SecretStr(PEPPER), api_key_pepper_previous=SecretStr(old_pepper)
    )
    stored = wrapping(settings).wrap("whsec_a")
    assert Wrapping([own]).unwrap(stored) == "whsec_a"
    for pepper in (PEPPER, old_pepper):
        earlier = wrapping(GatewaySettings(api_key_pepper=SecretStr(pepper))).wrap("whsec_b")
        assert wrapping(settings).unwrap(earlier) == "whsec_b"
    assert wrapping(GatewaySettings()).wrap("whsec_c") == "whsec_c"


@pytest.mark.parametrize("keys", ["secret", "c2hvcnQ=", "A" * 43 + "=,x", "ä"])
def test_what_is_no_key_is_refused_at_the_start(keys: str) -> None:
    with pytest.raises(ValidationError, match="no Fernet keys"):
        GatewaySettings(webhook_secret_keys=keys)


async def test_without_its_key_nothing_is_sent_unsigned(platform: Platform, receiver: Receiver) -> None:
    object.__setattr__(platform.parts.settings, "webhook_secret_keys", Fernet.generate_key().decode())
    made = await added(platform, receiver.url)
    object.__setattr__(platform.parts.settings, "webhook_secret_keys", "")
    await platform.http.post(f"{HOOKS}/{made['id']}/test")
    assert await rounds(platform)() == 1
    assert receiver.got == []
    (log,) = await rows_of(platform.parts.db, webhook_attempts)
    assert log.error == "internal"
