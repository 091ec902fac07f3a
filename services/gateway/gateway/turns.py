"""One at a time for those who want the same: they wait here, where it costs nothing, and not with a connection."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class Turns:
    """Any number of lines, one for each key, which end when nobody stands in them. For one process."""

    def __init__(self) -> None:
        """Start with no line."""
        self._lines: dict[Hashable, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def taken(self, key: Hashable) -> AsyncIterator[None]:
        """Wait for the turn, and have it for as long as the block lasts. None: nobody else wants the same."""
        if key is None:
            yield
            return
        lock, wanted = self._lines.get(key, (asyncio.Lock(), 0))
        self._lines[key] = (lock, wanted + 1)
        try:
            async with lock:
                yield
        finally:
            lock, wanted = self._lines.pop(key)
            if wanted > 1:
                self._lines[key] = (lock, wanted - 1)
