"""A site that answers what a test tells it to, and the static tier in front of it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from contracts.visit import Cookie, Visit
from renderer.egress.client import guarded_client
from renderer.tiers.body import Caps
from renderer.tiers.fetcher import Fetcher, Order
from renderer.tiers.page import Page
from renderer.tiers.visitor import visitor
from runtime import netguard
from runtime.netguard import AddressPolicy, Target

Headers = dict[str, str]

# Reading the machine's authorities takes half a second, and these sites speak plain HTTP.
_TRUST = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass
class Reply:
    """What the site says; `before` is awaited first."""

    body: bytes = b"<h1>Hello</h1>"
    status: int = 200
    headers: Headers = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)
    before: Callable[[], object] | None = None
    cut: bool = False
    """The site hangs up after the body, whatever it has announced."""


@dataclass
class Asked:
    """One request that came in; header names in lower case."""

    target: str
    headers: Headers
    raw: str


class Told:
    """A site on loopback whose pages a test writes."""

    def __init__(self) -> None:
        self.port = 0
        self.pages: dict[str, Reply] = {}
        self.asked: list[Asked] = []

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                await self._answer(head, writer)
        except (EOFError, ConnectionError, asyncio.CancelledError):
            pass  # the visitor left, or the test is over
        finally:
            writer.close()

    async def _answer(self, head: str, writer: asyncio.StreamWriter) -> None:
        first, *lines = head.strip().split("\r\n")
        target = first.split(" ")[1]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        self.asked.append(Asked(target, headers, head))
        reply = self.pages.get(target, Reply(b"<h1>None</h1>", 404))
        if reply.before:
            waiting = reply.before()
            if asyncio.iscoroutine(waiting):
                await waiting
        fields = {"content-type": "text/html; charset=utf-8", "content-length": str(len(reply.body)), **reply.headers}
        shown = [f"{name}: {value}" for name, value in fields.items() if value]
        shown += [f"set-cookie: {cookie}" for cookie in reply.cookies]
        writer.write("\r\n".join([f"HTTP/1.1 {reply.status} X", *shown, "", ""]).encode("utf-8") + reply.body)
        await writer.drain()
        if reply.cut:
            raise EOFError


@asynccontextmanager
async def told(**pages: Reply) -> AsyncIterator[Told]:
    """Serve `pages`, whose names are paths without the slash."""
    site = Told()
    site.pages = {f"/{name}": reply for name, reply in pages.items()}
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()


def order(url: str, visit: Visit | None = None, longest_s: float = 10) -> Order:
    """Ask for `url` without waiting for any turn."""
    visit = visit or Visit()
    target = netguard.parse(url)
    cookies: tuple[Cookie, ...] = tuple(visit.cookies)
    return Order(target, visitor(visit, target, "150.0.1.2"), cookies, at_once, timedelta(seconds=longest_s))


@asynccontextmanager
async def at_once(_target: Target) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def fetching(site: Told, caps: Caps | None = None, private: str = "") -> AsyncIterator[Fetcher]:
    """Open a fetcher that may visit `site`."""
    policy = AddressPolicy.from_setting(private or f"127.0.0.1:{site.port},localhost:{site.port}")
    async with guarded_client(policy, trust=_TRUST) as client:
        yield Fetcher(client, policy, caps or Caps())


async def fetch(site: Told, path: str = "/page", visit: Visit | None = None, caps: Caps | None = None) -> Page:
    async with fetching(site, caps) as fetcher:
        return await fetcher.get(order(site.url(path), visit))
