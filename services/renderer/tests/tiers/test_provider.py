import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest
import trustme

from contracts.errors import ErrorCode
from renderer.egress.client import ClientLimits
from renderer.tiers.body import Caps
from renderer.tiers.fetcher import Fetcher
from renderer.tiers.page import Page
from renderer.tiers.provider import Provider, provider_client
from runtime.errors import ServiceError
from runtime.netguard import AddressPolicy

from .conftest import Reply, Told, order, told
from .unblocker import FakeProvider, serving

PRICE = Decimal("0.002")


async def through(proxy: FakeProvider, url: str, private: str, authority: Path | None = None) -> Page:
    provider = Provider.parse(proxy.url, PRICE)
    policy = AddressPolicy.from_setting(private)
    async with provider_client(provider, policy, ClientLimits(), authority) as client:
        return await Fetcher(client, policy, Caps()).get(order(url))


@asynccontextmanager
async def secure(authority: trustme.CA) -> AsyncIterator[Told]:
    site = Told()
    site.pages = {"/": Reply(b"<h1>Behind TLS</h1>")}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("shop.test").configure_cert(context)
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0, ssl=context)
    site.port = server.sockets[0].getsockname()[1]
    yield site
    server.close()


def test_plain_pages_come_through_the_provider_with_its_credentials() -> None:
    async def test() -> None:
        async with told(page=Reply(b"<h1>Past the wall</h1>")) as site, serving(site) as proxy:
            page = await through(proxy, "http://shop.test/page", f"127.0.0.1:{proxy.port}")
        assert page.text == "<h1>Past the wall</h1>"
        assert proxy.asked == ["http://shop.test/page"]
        assert proxy.credentials == ["Basic " + base64.b64encode(b"me:p@ss").decode()]
        assert "proxy-authorization" not in site.asked[0].headers

    asyncio.run(test())


def test_secure_pages_are_tunnelled_and_checked(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    async def test() -> None:
        async with secure(authority) as site, serving(site) as proxy:
            private = f"127.0.0.1:{proxy.port}"
            page = await through(proxy, "https://shop.test/", private, tmp_path / "ca.pem")
            assert page.text == "<h1>Behind TLS</h1>"
            assert proxy.asked == ["CONNECT shop.test:443"]
            with pytest.raises(ServiceError) as caught:
                await through(proxy, "https://shop.test/", private)
            assert caught.value.code is ErrorCode.TARGET_TLS

    asyncio.run(test())


def test_a_provider_that_refuses_is_our_failure() -> None:
    async def test() -> None:
        async with told() as site, serving(site) as proxy:
            proxy.refusing = True
            with pytest.raises(ServiceError) as caught:
                await through(proxy, "https://shop.test/", f"127.0.0.1:{proxy.port}")
            assert caught.value.code is ErrorCode.UNAVAILABLE

    asyncio.run(test())


def test_the_provider_itself_is_judged() -> None:
    async def test() -> None:
        async with told(page=Reply()) as site, serving(site) as proxy:
            with pytest.raises(ServiceError) as caught:
                await through(proxy, "http://shop.test/page", "")
            assert caught.value.code is ErrorCode.UNAVAILABLE
            assert proxy.asked == []

    asyncio.run(test())


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/", "http://localhost/", "http://10.0.0.5/", "http://shop.test:22/"]
)
def test_what_may_not_be_opened_is_not_asked_of_the_provider_either(url: str) -> None:
    async def test() -> None:
        async with told() as site, serving(site) as proxy:
            with pytest.raises(ServiceError) as caught:
                await through(proxy, url, f"127.0.0.1:{proxy.port}")
            assert caught.value.code is ErrorCode.URL_FORBIDDEN
            assert proxy.asked == []

    asyncio.run(test())


@pytest.mark.parametrize("url", ["proxy.test:8000", "socks5://proxy.test:1", "http://", "secret"])
def test_an_address_that_cannot_be_used_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ServiceError) as caught:
        Provider.parse(url, PRICE)
    assert "UNBLOCKER_PROXY_URL" in caught.value.detail
    assert url not in caught.value.detail.replace("http://user", "")


def test_an_address_is_read() -> None:
    provider = Provider.parse("https://me%40x:p%3Ass@[2001:db8::1]/", PRICE)
    assert (provider.scheme, provider.host, provider.port) == ("https", "2001:db8::1", 443)
    assert (provider.username, provider.password) == ("me@x", "p:ss")
