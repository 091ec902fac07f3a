"""Real Chromium behind the proxy: what a page may reach, and that nothing else is ever touched."""

import asyncio
import contextlib
import os
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Error, Page, async_playwright

from contracts.errors import ErrorCode
from renderer.egress import Listener
from runtime.netguard import AddressPolicy
from tests.fixtures.network import Handler, Script, Site, proxy, site

CHROMIUM = Path(os.environ.get("CHROMIUM_PATH", "/usr/lib/chromium/chromium-headless-shell"))
PAGE = """<!doctype html><title>shop</title><link rel=stylesheet href="http://{0}/a.css"><h1>Shop</h1>
<img src="http://{0}/a.png"><iframe src="http://{0}/frame"></iframe><video src="http://{0}/a.mp4"></video>
<script>
const done = (promise) => promise.then(() => 1, () => 0);
window.tried = Promise.all([
  done(fetch("http://{0}/fetch", {{mode: "no-cors"}})),
  new Promise((end) => {{ new WebSocket("ws://{0}/ws").onclose = end; }}),
  done(Promise.resolve(navigator.sendBeacon("http://{0}/beacon", "x"))),
]);
</script>"""

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium: set CHROMIUM_PATH"),
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@contextlib.asynccontextmanager
async def browser_page(listener: Listener) -> AsyncIterator[Page]:
    server = {"server": listener.url, "bypass": "<-loopback>"}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, proxy=server)  # type: ignore[arg-type]  # a TypedDict
        try:
            yield await browser.new_page()
        finally:
            await browser.close()


def shop(body: list[str]) -> Handler:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            page = body[0].encode()
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(page)
            writer.write(head + page)

    return serve


def _second_loopback() -> str:
    """Return ::1, or another IPv4 loopback address on a machine without IPv6."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return "::1"
    except OSError:
        return "127.0.0.2"


SECOND = _second_loopback()


@contextlib.asynccontextmanager
async def canaries() -> AsyncIterator[tuple[Site, Site]]:
    async with site(address="127.0.0.1") as four, site(address=SECOND) as six:
        yield four, six


async def visit(page: Page, url: str) -> None:
    await page.goto(url)
    await page.evaluate("window.tried")


async def test_a_page_reaches_its_own_host_and_nothing_private() -> None:
    body = [""]
    async with canaries() as (four, six), site(shop(body), "127.0.0.1") as home:
        policy = AddressPolicy.from_setting(f"shop.test:{home.port}")
        async with proxy(policy, Script({"shop.test": [["127.0.0.1"]]})) as listener, browser_page(listener) as page:
            hosts = [f"127.0.0.1:{four.port}", f"localhost:{four.port}", f"[::1]:{six.port}", f"127.0.0.2:{six.port}"]
            hosts += ["169.254.169.254", f"[::ffff:127.0.0.1]:{four.port}", f"2130706433:{four.port}"]
            for host in hosts:
                traffic = listener.begin(host)
                body[0] = PAGE.format(host)
                await visit(page, f"http://shop.test:{home.port}/")
                assert await page.title() == "shop"
                refused = [refusal.code for refusal in traffic.blocked]
                assert refused
                assert set(refused) == {ErrorCode.URL_FORBIDDEN}
                assert traffic.requests >= 5
        assert home.connections >= 1
        assert (four.connections, six.connections) == (0, 0)


async def test_the_same_page_does_reach_a_canary_that_is_named() -> None:
    body = [""]
    async with canaries() as (four, _), site(shop(body), "127.0.0.1") as home:
        body[0] = PAGE.format(f"127.0.0.1:{four.port}")
        policy = AddressPolicy.from_setting(f"shop.test:{home.port},127.0.0.1:{four.port}")
        async with proxy(policy, Script({"shop.test": [["127.0.0.1"]]})) as listener, browser_page(listener) as page:
            listener.begin("job")
            await visit(page, f"http://shop.test:{home.port}/")
        paths = {request.split(b" ")[1] for request in four.requests}
        assert {b"/a.css", b"/a.png", b"/frame", b"/fetch", b"/ws"} <= paths


async def test_a_site_that_never_answers_is_dropped_when_the_page_is_closed() -> None:
    asked, dropped = asyncio.Event(), asyncio.Event()

    async def never(reader: StreamReader, writer: StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/never" not in head:
            page = b"<script>fetch('/never')</script>"
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(page) + page)
            head = await reader.readuntil(b"\r\n\r\n")
        if b"/never" in head:
            asked.set()
            await reader.read()
            dropped.set()

    async with site(never, "127.0.0.1") as home:
        policy = AddressPolicy.from_setting(f"shop.test:{home.port}")
        async with proxy(policy, Script({"shop.test": [["127.0.0.1"]]})) as listener, browser_page(listener) as page:
            listener.begin("job")
            await page.goto(f"http://shop.test:{home.port}/", wait_until="commit")
            await asyncio.wait_for(asked.wait(), 20)
            await page.context.close()
            await asyncio.wait_for(dropped.wait(), 5)  # far below the 30 s after which it would be dropped anyway


async def test_a_refused_page_shows_who_refused_it() -> None:
    async with canaries() as (four, _), proxy(AddressPolicy(), Script({})) as listener, browser_page(listener) as page:
        traffic = listener.begin("job")
        answer = await page.goto(f"http://127.0.0.1:{four.port}/")
        assert answer
        assert (answer.status, answer.headers["x-egress-refused"]) == (403, "url_forbidden")
        with pytest.raises(Error, match="ERR_TUNNEL_CONNECTION_FAILED"):
            await page.goto("https://gone.example/")
        assert traffic.verdict("127.0.0.1", four.port) is ErrorCode.URL_FORBIDDEN
        assert traffic.verdict("gone.example", 443) is ErrorCode.TARGET_DNS
        assert four.connections == 0
