"""One page over plain HTTP: redirects followed one by one, each target judged, every answer under caps."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta

import ada_url
import httpx2

from contracts.errors import ErrorCode
from contracts.visit import Cookie
from renderer import errors
from renderer.tiers import body, charset
from renderer.tiers.body import Caps
from renderer.tiers.cookies import KEEP_NONE, ChainCookies
from renderer.tiers.page import Kind, Page, is_packed_sitemap, kind_of, sniffed
from renderer.tiers.visitor import Visitor
from runtime import netguard
from runtime.errors import ServiceError
from runtime.netguard import AddressPolicy, Target

MAX_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NO_CONTENT = frozenset({204, 205, 304})

Turn = Callable[[Target], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Order:
    """One page to fetch. `turn` waits until a request may go and holds its place; an exchange may take `longest`."""

    target: Target
    visitor: Visitor
    cookies: tuple[Cookie, ...]
    turn: Turn
    longest: timedelta


class Fetcher:
    """A client for pages of many jobs: it carries nothing from one to the next but open connections."""

    def __init__(self, client: httpx2.AsyncClient, policy: AddressPolicy, caps: Caps) -> None:
        """`client` dials only what the policy allows; it is closed by whoever made it."""
        client.cookies.jar.set_policy(KEEP_NONE)
        self._client = client
        self._policy = policy
        self._caps = caps

    async def get(self, order: Order) -> Page:
        """Return the page at the end of the redirects. Raises `ServiceError`."""
        chain = ChainCookies(order.cookies, order.target.host)
        target, seen = order.target, set[tuple[str, str]]()
        for hop in range(MAX_REDIRECTS + 1):
            self._policy.check_target(target)
            async with order.turn(target):
                found = await self._hop(order, target, chain, seen, hop)
            if isinstance(found, Page):
                return found
            target = found
        raise ServiceError(ErrorCode.TARGET_REDIRECTS, f"The site redirects more than {MAX_REDIRECTS} times.")

    async def _hop(
        self, order: Order, target: Target, chain: ChainCookies, seen: set[tuple[str, str]], hop: int
    ) -> Page | Target:
        try:
            request = httpx2.Request("GET", target.url, headers=list(order.visitor.headers(target)))
            state = (target.url, chain.put(request))
            if state in seen:
                raise ServiceError(ErrorCode.TARGET_REDIRECTS, "The site redirects in a circle.")
            seen.add(state)
            async with asyncio.timeout(order.longest.total_seconds()):
                return await self._exchange(target, request, chain, hop)
        except TimeoutError as exc:
            raise ServiceError(ErrorCode.TARGET_TIMEOUT, f"{target.host} did not answer in time.") from exc
        except httpx2.InvalidURL as exc:
            raise ServiceError(ErrorCode.URL_INVALID, "This is not a web address.", reason=repr(exc)) from exc
        except httpx2.HTTPError as exc:
            raise translate(exc, target.host) from exc

    async def _exchange(self, target: Target, request: httpx2.Request, chain: ChainCookies, hop: int) -> Page | Target:
        response = await self._send(request)
        try:
            if response.status_code in _REDIRECTS and "location" in response.headers:
                chain.keep(response)
                return _next(target, response.headers["location"])
            return await self._page(target, response, hop)
        finally:
            await response.aclose()

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        try:
            return await self._client.send(request, stream=True)
        except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError):
            # A site may close a kept connection in the moment of its reuse; a browser asks once more as well.
            return await self._client.send(request, stream=True)

    async def _page(self, target: Target, response: httpx2.Response, hop: int) -> Page:
        if response.status_code in _NO_CONTENT:
            raise errors.empty()
        packed = is_packed_sitemap(target.url, response.headers)
        kind = Kind.XML if packed else kind_of(response.headers)
        data = await body.read(response, self._caps)
        data = body.unpacked(data, self._caps) if packed else data
        if not data and response.is_success:
            raise errors.empty()
        kind = kind or sniffed(data)
        text, encoding = charset.decode(data, response.headers.get("content-type", ""))
        wire = response.num_bytes_downloaded
        return Page(target.url, response.status_code, response.headers, kind, data, text, encoding, hop, wire)


def _next(target: Target, location: str) -> Target:
    try:
        return netguard.parse(ada_url.join_url(target.url, location.strip()))
    except (ValueError, ServiceError) as exc:
        if isinstance(exc, ServiceError) and exc.code is ErrorCode.URL_FORBIDDEN:
            raise
        detail = "The site redirects to what is no web address."
        raise ServiceError(ErrorCode.TARGET_REDIRECTS, detail, reason=f"location {location[:200]!r}") from exc


def translate(exc: httpx2.HTTPError, host: str) -> ServiceError:
    """Return what a failed exchange means to the caller."""
    reason = f"{host}: {exc!r}"
    if isinstance(exc, httpx2.TimeoutException):
        return ServiceError(ErrorCode.TARGET_TIMEOUT, f"{host} did not answer in time.", reason=reason)
    if isinstance(exc, httpx2.ProxyError):
        return ServiceError(ErrorCode.UNAVAILABLE, "The provider that gets past blocks refused.", reason=reason)
    if _is_tls(exc):
        return ServiceError(ErrorCode.TARGET_TLS, f"The certificate of {host} is not valid.", reason=reason)
    return ServiceError(ErrorCode.TARGET_REFUSED, f"{host} refused or dropped the connection.", reason=reason)


def _is_tls(exc: BaseException) -> bool:
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
