"""A tenant's own thresholds of rules, from the request that sets them to the analyzer that goes by them."""

import httpx2
import pytest
from pydantic import ValidationError

from gateway.access.scopes import Scope
from gateway.settings import GatewaySettings
from tests.fixtures.accounts import Account, account
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

OWN = {"hero.density": {"warn": 150.0}}
PAGE = {"url": "https://shop.test/", "preset": "rules", "wait": 20}


async def put(who: Account, body: object) -> httpx2.Response:
    return await who.http.put("/v1/tenant/thresholds", json=body)


async def test_new_analyses_of_the_tenant_go_by_them(guarded: Platform) -> None:
    a, b = await account(guarded, "a"), await account(guarded, "b")
    async with guarded.at_work():
        usual = (await a.http.post("/v1/analyses", json=PAGE)).json()
        assert (await put(a, OWN)).json() == OWN
        assert (await a.http.get("/v1/tenant")).json()["thresholds"] == OWN
        other = (await a.http.post("/v1/analyses", json=PAGE)).json()
        again = (await a.http.post("/v1/analyses", json=PAGE)).json()
        await b.http.post("/v1/analyses", json=PAGE)
        assert (await put(a, {})).status_code == 200
        back = (await a.http.post("/v1/analyses", json=PAGE)).json()
    assert usual["id"] != other["id"] == again["id"]
    assert back["id"] == usual["id"]
    assert [order.overrides for order in guarded.fleet.analyses] == [{}, OWN, {}]


@pytest.mark.parametrize(
    ("body", "field", "part"),
    [
        ({"hero.dense": {"warn": 1}}, "hero.dense.warn", "no such rule"),
        ({"hero.density": {"warn": 10_000}}, "hero.density.warn", "between"),
        ({"hero.density": {"warn": "many"}}, "hero.density.warn", "number"),
    ],
)
async def test_what_cannot_be_set_is_named(guarded: Platform, body: object, field: str, part: str) -> None:
    a = await account(guarded, "a")
    answer = await put(a, body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert part in answer.json()["errors"][0]["message"]
    assert (await a.http.get("/v1/tenant")).json()["thresholds"] == {}


async def test_a_key_needs_the_scope(guarded: Platform) -> None:
    a = await account(guarded, "a", scopes=[Scope.ANALYSES_READ, Scope.ANALYSES_WRITE])
    assert (await put(a, OWN)).status_code == 403


async def test_without_accounts_the_operator_sets_them(platform: Platform) -> None:
    answer = await platform.http.put("/v1/tenant/thresholds", json=OWN)
    assert answer.status_code == 409
    assert "RULE_THRESHOLDS" in answer.json()["detail"]


def test_the_operators_are_checked_at_the_start() -> None:
    assert GatewaySettings(rule_thresholds=OWN).rule_thresholds == OWN
    with pytest.raises(ValidationError, match="no such rule"):
        GatewaySettings(rule_thresholds={"hero.dense": {"warn": 1}})
