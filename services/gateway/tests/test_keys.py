"""Keys over HTTP: shown, refused, limited, rotated, revoked; on both databases."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, update

from gateway.access import token
from gateway.access.keyring import Keyring
from gateway.access.scopes import Scope
from gateway.keys.service import MOST_KEYS
from gateway.limits.policy import Rates
from gateway.rates import Rate
from gateway.tables import api_keys
from gateway.tenants import store as tenants
from gateway.times import now_plus
from runtime.errors import ServiceError
from tests.fixtures.accounts import Account, account, client, key_of
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio


@pytest.fixture
async def a(guarded: Platform) -> Account:
    return await account(guarded, "ten_a")


async def row(guarded: Platform, key_id: str) -> Any:  # noqa: ANN401  # a row has the columns it was selected with
    async with guarded.parts.db.read() as db:
        return (await db.execute(select(api_keys).where(api_keys.c.id == key_id))).one()


async def test_without_a_key_there_is_nothing(guarded: Platform, a: Account) -> None:
    for path in ("/v1/analyses", "/v1/tenant", "/status/an_1", "/v1/keys"):
        answer = await guarded.http.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert (await guarded.http.get("/livez")).status_code == 200
    assert (await a.http.get("/v1/tenant")).json()["key_id"] == a.key_id


async def test_both_headers_are_taken(guarded: Platform, a: Account) -> None:
    answer = await guarded.http.get("/v1/tenant", headers={"X-API-Key": a.key})
    assert answer.json()["id"] == "ten_a"


async def test_a_mistyped_key_costs_no_look_up(guarded: Platform, a: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_look_up() -> None:
        raise AssertionError

    monkeypatch.setattr(guarded.parts.db, "read", no_look_up)
    wrong = a.key[:-1] + ("0" if a.key[-1] != "0" else "1")
    assert (await client(guarded, wrong).get("/v1/tenant")).status_code == 401


async def test_many_wrong_keys_shut_an_address_out_but_not_who_is_known(guarded: Platform, a: Account) -> None:
    assert (await a.http.get("/v1/tenant")).status_code == 200
    answers = [await client(guarded, token.mint()).get("/v1/tenant") for _ in range(21)]
    assert [answer.status_code for answer in answers] == [401] * 20 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert (await a.http.get("/v1/tenant")).status_code == 200


async def test_what_is_stored_is_no_key(guarded: Platform, a: Account) -> None:
    stored = await row(guarded, a.key_id)
    assert a.key not in str(stored)
    assert a.key.split("_")[2] not in str(stored)


async def test_a_key_is_made_shown_once_listed_and_revoked(guarded: Platform, a: Account) -> None:
    answer = await a.http.post("/v1/keys", json={"name": "n8n", "scopes": ["usage:read"], "expires_in_s": 3_600})
    assert answer.status_code == 201
    made = answer.json()
    mine = client(guarded, made["key"])
    assert (await mine.get("/v1/usage")).status_code == 200
    assert (await mine.get("/v1/analyses")).json()["detail"].endswith("analyses:read.")
    listed = (await a.http.get("/v1/keys")).json()["data"]
    assert [key["id"] for key in listed] == [made["id"], a.key_id]
    assert made["key"] not in str(listed)
    assert (await a.http.delete(f"/v1/keys/{made['id']}")).status_code == 204
    assert (await mine.get("/v1/usage")).status_code == 401
    assert (await a.http.delete(f"/v1/keys/{made['id']}")).status_code == 204
    shown = (await a.http.get(f"/v1/keys/{made['id']}")).json()
    assert (shown["active"], shown["created_by"]) == (False, a.key_id)


async def test_a_key_makes_none_that_may_more(guarded: Platform, a: Account) -> None:
    weak_id, weak = await key_of(guarded.parts, "ten_a", [Scope.KEYS_ADMIN])
    http = client(guarded, weak)
    made = await http.post("/v1/keys", json={"name": "more", "scopes": ["analyses:write"]})
    assert (made.status_code, made.json()["code"]) == (403, "forbidden")
    assert (await http.post(f"/v1/keys/{a.key_id}/rotate")).status_code == 403
    assert (await http.post(f"/v1/keys/{weak_id}/rotate")).status_code == 201
    assert (await a.http.get("/v1/tenant")).status_code == 200


async def test_an_expired_key_is_refused_even_where_it_is_remembered(guarded: Platform, a: Account) -> None:
    assert (await a.http.get("/v1/tenant")).status_code == 200
    async with guarded.parts.db.begin() as db:
        await db.execute(update(api_keys).values(expires_at=now_plus(timedelta(seconds=-1))))
    guarded.parts.keyring.forget(a.key_id)
    assert (await a.http.get("/v1/tenant")).status_code == 401


async def test_after_a_rotation_both_keys_work_until_the_grace_is_over(guarded: Platform, a: Account) -> None:
    answer = await a.http.post(f"/v1/keys/{a.key_id}/rotate", json={"grace_s": 600})
    new = client(guarded, answer.json()["key"])
    assert answer.json()["replaces"] == a.key_id
    assert (await a.http.get("/v1/tenant")).status_code == 200
    assert (await new.get("/v1/tenant")).json()["key_id"] == answer.json()["id"]
    ends = (await new.get(f"/v1/keys/{a.key_id}")).json()["expires_at"]
    assert ends is not None
    later = await new.post(f"/v1/keys/{a.key_id}/rotate", json={"grace_s": 0})
    assert later.status_code == 201
    assert (await a.http.get("/v1/tenant")).status_code == 401
    assert (await new.post(f"/v1/keys/{a.key_id}/rotate")).json()["code"] == "conflict"


async def test_another_process_sees_a_revocation_when_its_trust_ends(guarded: Platform, a: Account) -> None:
    settings = guarded.parts.settings
    trusting = Keyring(guarded.parts.db, settings.model_copy(update={"key_cache_seconds": 60}))
    wary = Keyring(guarded.parts.db, settings.model_copy(update={"key_cache_seconds": 0}))
    for ring in (trusting, wary):
        await ring.credential(a.key, "192.0.2.1")
    await a.http.delete(f"/v1/keys/{a.key_id}")
    await trusting.credential(a.key, "192.0.2.1")
    with pytest.raises(ServiceError):
        await wary.credential(a.key, "192.0.2.1")


async def test_a_new_pepper_takes_over_without_a_refusal(guarded: Platform, a: Account) -> None:
    before = guarded.parts.settings.api_key_pepper
    changes = {"api_key_pepper": SecretStr("f" * 20 + "0123456789abcdef"), "api_key_pepper_previous": before}
    ring = Keyring(guarded.parts.db, guarded.parts.settings.model_copy(update=changes))
    digest = (await row(guarded, a.key_id)).digest
    await asyncio.gather(*(ring.credential(a.key, "192.0.2.1") for _ in range(20)))
    assert (await row(guarded, a.key_id)).digest != digest
    alone = Keyring(
        guarded.parts.db, guarded.parts.settings.model_copy(update=changes | {"api_key_pepper_previous": SecretStr("")})
    )
    assert (await alone.credential(a.key, "192.0.2.1")).key_id == a.key_id


async def test_uses_are_noted_in_one_statement(guarded: Platform, a: Account) -> None:
    for _ in range(3):
        await a.http.get("/v1/tenant")
    assert (await row(guarded, a.key_id)).last_used_at is None
    await guarded.parts.keyring.flush()
    assert (await row(guarded, a.key_id)).last_used_at is not None


async def test_a_disabled_tenant_is_refused_with_every_key(guarded: Platform, a: Account) -> None:
    async with guarded.parts.db.begin() as db:
        await tenants.set_enabled(db, "ten_a", enabled=False)
    answer = await a.http.get("/v1/tenant")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_many_keys_at_once_are_never_more_than_allowed(guarded: Platform, a: Account) -> None:
    for _ in range(MOST_KEYS - 4):
        await key_of(guarded.parts, "ten_a", [Scope.USAGE_READ])
    body = {"name": "k", "scopes": ["usage:read"]}
    answers = await asyncio.gather(*(a.http.post("/v1/keys", json=body) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 7
    async with guarded.parts.db.read() as db:
        assert (await db.execute(select(func.count()).select_from(api_keys))).scalar_one() == MOST_KEYS


async def test_where_there_is_no_pepper_there_are_no_keys(platform: Platform) -> None:
    answer = await platform.http.post("/v1/keys", json={"name": "k", "scopes": ["usage:read"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert (await platform.http.get("/v1/tenant")).json()["id"] == "local"


async def test_plans_bound_tiers_and_scripts(guarded: Platform) -> None:
    free = await account(guarded, "ten_free", plan=guarded.parts.plans["free"])
    capture = {"url": "https://shop.test/", "tier": "unblocker", "outputs": [{"kind": "text"}]}
    answer = await free.http.post("/v1/captures", json=capture)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "tier")
    script = {"url": "https://shop.test/", "prepare": {"wait_for": {"function": "() => true"}}}
    assert (await free.http.post("/v1/captures", json=script)).status_code == 422
    rich = await account(guarded, "ten_rich", plan=guarded.parts.plans["enterprise"])
    assert (await rich.http.post("/v1/captures", json=script)).status_code == 202


@pytest.mark.parametrize("name", ["a\0b", "\x1b[31mred", "line\nbreak"])
async def test_a_name_with_control_characters_is_refused(guarded: Platform, a: Account, name: str) -> None:
    answer = await a.http.post("/v1/keys", json={"name": name, "scopes": ["usage:read"]})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "name")


async def test_a_plans_rate_holds_for_all_keys_of_a_tenant(guarded: Platform) -> None:
    guarded.app.state.parts = replace(guarded.parts, rates=Rates(Rate("off"), Rate("3000/60/500"), Rate("off")))
    free = await account(guarded, "ten_free", plan=guarded.parts.plans["free"])
    _, other = await key_of(guarded.parts, "ten_free")
    answers = [await http.get("/v1/tenant") for http in (free.http, client(guarded, other)) for _ in range(15)]
    told = answers[0].json()["plan"]
    assert (told["requests_per_minute"], told["burst"]) == (60, 20)
    # Slow as this machine may be, a second gives one more.
    refused = [answer.status_code for answer in answers].count(429)
    assert refused
    assert answers[0].headers["ratelimit-policy"] == '"tenant";q=20;w=20'
