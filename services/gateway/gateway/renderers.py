"""The renderers as one worker sees them: which there are, how busy each is, and which takes the next order."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import SplitResult, urlsplit

import httpx2
import structlog
from pydantic import BaseModel

from contracts.errors import ErrorCode
from contracts.render import PoolState, RenderResult
from runtime.client import ServiceClient
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

R = TypeVar("R", bound=RenderResult)
Resolve = Callable[[str, int], Awaitable[list[str]]]

_LOOK_S = 5.0
"""How old a name's addresses may be: a pod that was added gets work after that."""
_TOLD_S = 3.0
"""How long a renderer's word about the work of others counts: one that is never asked again never says otherwise."""
_AWAY_S = 5.0
"""How long a renderer that takes no connection is passed over."""
_NOT_BEGUN = (httpx2.ConnectError, httpx2.ConnectTimeout)


@dataclass(eq=False)
class _Renderer:
    """One of them. `told` is its last answer's word, `others` the work of other workers that it had, until when."""

    client: ServiceClient
    told: PoolState | None = None
    others: int = 0
    others_until: float = 0.0
    flying: int = 0
    taken: int = 0
    away_until: float = 0.0

    @property
    def slots(self) -> int:
        return self.told.slots if self.told else 1

    def learn(self, pool: PoolState, now: float) -> None:
        self.told = pool
        self._crowded(pool.slots - pool.free + pool.queued - self.flying, now)

    def refused(self, now: float) -> None:
        self._crowded(self.slots, now)

    def _crowded(self, others: int, now: float) -> None:
        self.others, self.others_until = max(0, others), now + _TOLD_S

    def work(self, now: float) -> int:
        """Return how many orders it has, as far as is known."""
        return self.flying + (self.others if now < self.others_until else 0)

    def load(self, now: float) -> tuple[bool, float, int]:
        """Return what orders renderers: whether it is away, work for each slot, what it was given already."""
        return self.away_until > now, self.work(now) / self.slots, self.taken


class Renderers:
    """Sends each order to the least loaded renderer. Use as a context manager, or call `aclose`."""

    def __init__(self, urls: str, resolve: Resolve | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """`urls`, with commas between them: every address of a host's name is a renderer of its own.

        `resolve` looks names up, `clock` gives seconds that only grow.
        """
        self._urls = [urlsplit(url.strip()) for url in urls.split(",") if url.strip()]
        self._resolve = resolve or _addresses
        self._clock = clock
        self._known: dict[str, _Renderer] = {}
        self._leaving: set[_Renderer] = set()
        self._looked = float("-inf")
        self._looking = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        for one in [*self._known.values(), *self._leaving]:
            await one.client.aclose()

    async def post(self, path: str, body: BaseModel, answer: type[R], budget: timedelta) -> R:
        """Send an order; the answer's `pool` is the room in all renderers together.

        One that is full or takes no connection has begun nothing: the next is asked. Raises `ServiceError`.
        """
        await self._look()
        end = self._clock() + budget.total_seconds()
        tried: set[_Renderer] = set()
        while True:
            one = self._least_loaded(tried)
            tried.add(one)
            try:
                return await self._asked(one, path, body, answer, timedelta(seconds=max(0.0, end - self._clock())))
            except ServiceError as error:
                if not _not_begun(error) or tried.issuperset(self._known.values()):
                    raise

    async def _asked(self, one: _Renderer, path: str, body: BaseModel, answer: type[R], budget: timedelta) -> R:
        one.flying += 1
        one.taken += 1
        try:
            result = await one.client.post(path, body, answer, budget)
            one.away_until = 0.0
        except ServiceError as error:
            if error.code is ErrorCode.UNAVAILABLE:
                one.away_until = self._clock() + _AWAY_S
            if error.code is ErrorCode.RENDERER_BUSY:
                one.refused(self._clock())
            raise
        finally:
            one.flying -= 1
            await self._let_go(one)
        if result.pool is None:
            return result
        one.learn(result.pool, self._clock())
        return result.model_copy(update={"pool": self._pool()})

    def _least_loaded(self, tried: Collection[_Renderer]) -> _Renderer:
        """Return who takes the next order; those that were away lately only where there is nobody else."""
        now = self._clock()
        return min((one for one in self._known.values() if one not in tried), key=lambda one: one.load(now))

    def _pool(self) -> PoolState:
        """Add up what is known. One that has not answered yet counts as having as many slots as the others."""
        now = self._clock()
        told = [one for one in self._known.values() if one.told is not None]
        here = [one for one in self._known.values() if one.away_until <= now]
        slots = sum(one.slots for one in told)
        return PoolState(
            slots=max(1, round(slots * len(here) / max(1, len(told)))),
            free=sum(max(0, one.slots - one.work(now)) for one in told),
            queued=sum(one.told.queued for one in told if one.told),
        )

    async def _look(self) -> None:
        """Learn which renderers there are, one caller at a time; the others go on with those that are known."""
        if self._clock() - self._looked < _LOOK_S or (self._known and self._looking.locked()):
            return
        async with self._looking:
            if self._clock() - self._looked >= _LOOK_S:
                await self._meet({origin: url for url in self._urls for origin in await self._origins(url)})
                self._looked = self._clock()

    async def _origins(self, url: SplitResult) -> list[str]:
        """Return the origins behind one: itself where TLS needs the name, or where the name cannot be looked up."""
        host, port = url.hostname or "", url.port or 80
        if url.scheme == "https" or _is_address(host):
            return [url.geturl()]
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            log.warning("renderers_not_resolved", host=host, reason=repr(error))
            return list(self._known) or [url.geturl()]
        return [f"http://[{one}]:{port}" if ":" in one else f"http://{one}:{port}" for one in addresses]

    async def _meet(self, origins: Mapping[str, SplitResult]) -> None:
        """Take on who is new, under the name that it was found by, and let go who is gone."""
        gone = {origin: one for origin, one in self._known.items() if origin not in origins}
        for origin, url in origins.items():
            if origin not in self._known:
                self._known[origin] = _Renderer(ServiceClient("renderer", origin, host=url.netloc))
        for origin, one in gone.items():
            del self._known[origin]
            self._leaving.add(one)
            await self._let_go(one)

    async def _let_go(self, one: _Renderer) -> None:
        """Close the connections to one that is gone, after the last answer that it owes."""
        if one in self._leaving and not one.flying:
            self._leaving.discard(one)
            await one.client.aclose()


def _not_begun(error: ServiceError) -> bool:
    return error.code is ErrorCode.RENDERER_BUSY or isinstance(error.__cause__, _NOT_BEGUN)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def _addresses(host: str, port: int) -> list[str]:
    """Look a name up. Of a name with addresses of both kinds those of IPv4: the others are the same machines again."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    kinds = {family: [str(to[0]) for kind, _, _, _, to in found if kind is family] for family, *_ in found}
    addresses = kinds.get(socket.AF_INET) or [one for several in kinds.values() for one in several]
    return list(dict.fromkeys(addresses))
