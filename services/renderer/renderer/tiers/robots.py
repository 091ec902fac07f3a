"""robots.txt as RFC 9309 has it: fetched once per origin, remembered, asked before a page is opened."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from protego import Protego

from contracts.errors import ErrorCode
from runtime.errors import ServiceError
from runtime.netguard import Target

_READ = 512_000
"""RFC 9309, section 2.5: at least 500 KiB are parsed; what is beyond may be ignored."""

_KEEP = timedelta(hours=24)
_KEEP_UNREACHABLE = timedelta(minutes=5)
_ORIGINS = 5_000
_CLIENT_ERRORS = range(400, 500)
_FOUND = range(200, 300)


@dataclass(frozen=True)
class File:
    """What came of fetching a robots.txt; status 0 when nothing came."""

    status: int
    text: str = ""


@dataclass(frozen=True)
class _Rules:
    expires: float
    parsed: Protego | None
    everything: bool = False
    """With nothing parsed: whether everything is allowed, or nothing."""


class Robots:
    """The rules of each origin: an absent file allows everything, an unreachable one nothing (RFC 9309, 2.3.1)."""

    def __init__(
        self, fetch: Callable[[str], Awaitable[File]], agent: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`fetch` gets a robots.txt and does not raise; `agent` is the product token that rules are looked up for."""
        self._fetch = fetch
        self._agent = agent
        self._clock = clock
        self._known: OrderedDict[str, _Rules] = OrderedDict()
        self._asking: dict[str, asyncio.Task[_Rules]] = {}

    async def check(self, target: Target) -> None:
        """Raise `ServiceError` ROBOTS_DISALLOWED when the file forbids `target`."""
        rules = await self._rules(_origin(target))
        allowed = rules.parsed.can_fetch(target.url, self._agent) if rules.parsed else rules.everything
        if not allowed:
            why = "disallows this address" if rules.parsed else "cannot be read, so nothing may be opened"
            raise ServiceError(ErrorCode.ROBOTS_DISALLOWED, f"The site's robots.txt {why}.", reason=target.host)

    async def aclose(self) -> None:
        """Stop asking."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _rules(self, origin: str) -> _Rules:
        known = self._known.get(origin)
        if known and known.expires > self._clock():
            self._known.move_to_end(origin)
            return known
        task = self._asking.get(origin)
        if task is None:
            task = self._asking[origin] = asyncio.create_task(self._ask(origin, known))
            task.add_done_callback(lambda _: self._asking.pop(origin, None))
        # Shielded: the one who asked first may be cancelled while others wait for the same file.
        return await asyncio.shield(task)

    async def _ask(self, origin: str, before: _Rules | None) -> _Rules:
        file = await self._fetch(f"{origin}/robots.txt")
        rules = await self._read(file, before)
        self._known[origin] = rules
        self._known.move_to_end(origin)
        if len(self._known) > _ORIGINS:
            self._known.popitem(last=False)
        return rules

    async def _read(self, file: File, before: _Rules | None) -> _Rules:
        now = self._clock()
        if file.status in _FOUND:
            read = await asyncio.to_thread(Protego.parse, file.text[:_READ])
            return _Rules(now + _KEEP.total_seconds(), read)
        if file.status in _CLIENT_ERRORS:
            return _Rules(now + _KEEP.total_seconds(), None, everything=True)
        # Unreachable: what was known before is better than a guess (RFC 9309, section 2.4).
        return _Rules(now + _KEEP_UNREACHABLE.total_seconds(), before.parsed if before else None)


def _origin(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{target.scheme}://{host}:{target.port}"
