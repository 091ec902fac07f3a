"""How many may work at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from contracts.errors import ErrorCode
from runtime.errors import ServiceError


class Places:
    """A limit on work in progress; who finds no place within `patience` is told so."""

    def __init__(self, places: int, patience: timedelta) -> None:
        """Begin with all places free."""
        self._free = asyncio.Semaphore(places)
        self._patience = patience

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a place. Raises `ServiceError` RENDERER_BUSY."""
        if self._free.locked():
            await self._wait()
        else:
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                await self._free.acquire()
        except TimeoutError as exc:
            detail = "Too many pages are being fetched. Try again later."
            raise ServiceError(ErrorCode.RENDERER_BUSY, detail, retry_after_s=1) from exc
