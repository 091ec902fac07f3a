"""A server without keys, and the pages that its owner's browser shows."""

import pytest

from gateway.access import strangers
from runtime.errors import ServiceError
from tests.fixtures.accounts import account
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

URL = {"url": "https://shop.test/"}


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8000",
        "[::1]:8000",
        "localhost:8000",
        "192.168.1.7",
        "nas.local",
        "gateway:8000",
        "a.localhost",
        "x.test",
    ],
)
def test_private_names_and_addresses_are_ours(host: str) -> None:
    strangers.check("POST", {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}, "")


@pytest.mark.parametrize("host", ["evil.com", "evil.com:8000", "127.0.0.1.nip.io", "localhost.evil.com.", "[bad"])
def test_a_name_that_anybody_can_have_is_not(host: str) -> None:
    with pytest.raises(ServiceError, match="private names"):
        strangers.check("GET", {"host": host}, "https://cro.shop.com")
    strangers.check("GET", {"host": "cro.shop.com"}, "https://cro.shop.com")


async def test_a_rebound_name_reads_nothing(platform: Platform) -> None:
    for path in ("/v1/analyses", "/v1/tenant", "/status/an_1"):
        answer = await platform.http.get(path, headers={"host": "evil.com:8000"})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.com"},
        {"origin": "null"},
        {"origin": "http://"},
        {"origin": "http://gateway.test:81"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_a_page_of_another_site_makes_nothing(platform: Platform, headers: dict[str, str]) -> None:
    plain = {"content-type": "text/plain", **headers}
    answer = await platform.http.post("/v1/analyses", content=b'{"url":"https://shop.test/"}', headers=plain)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await platform.http.get("/v1/analyses", headers=headers)).json()["data"] == []


async def test_who_has_a_key_may_come_from_anywhere(guarded: Platform) -> None:
    a = await account(guarded, "ten_a")
    headers = {"host": "api.shop.com", "origin": "https://app.shop.com", "sec-fetch-site": "same-site"}
    assert (await a.http.post("/v1/analyses", json=URL, headers=headers)).status_code == 202
