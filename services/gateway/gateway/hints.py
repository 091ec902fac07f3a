"""Wake-ups. They only save time: whoever waits also looks at the database now and then."""

import asyncio
import threading
from collections import OrderedDict
from datetime import timedelta
from typing import Protocol

QUEUE = "queue"
"""A job became due."""

DELIVERIES = "deliveries"
"""A webhook delivery became due."""

_REMEMBERED = 1_024


def cancel_topic(job_id: str) -> str:
    """Name the topic of one job's cancel, which its worker waits on."""
    return f"cancel:{job_id}"


def batch_topic(batch_id: str) -> str:
    """Name the topic of one batch's state."""
    return f"batch:{batch_id}"


def job_topic(job_id: str) -> str:
    """Name the topic of one job's state."""
    return f"job:{job_id}"


class Hints(Protocol):
    """The seam for a broker between processes."""

    async def notify(self, topic: str) -> None:
        """Wake who waits on `topic`; never fails."""

    async def wait(self, topic: str, timeout: timedelta) -> None:
        """Return when `topic` was notified, or after `timeout`. Waking without a cause is allowed."""

    async def aclose(self) -> None:
        """Let go of what is held."""


class LocalHints:
    """Wake-ups inside one process, whichever event loop of it each side runs in."""

    def __init__(self) -> None:
        """Start with nobody waiting."""
        self._lock = threading.Lock()
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        # A notification that nobody waited for is kept, or one that falls between look and wait would be lost.
        self._pending: OrderedDict[str, None] = OrderedDict()

    async def notify(self, topic: str) -> None:
        """Wake everybody who waits on `topic` or, with nobody there, the next one to come."""
        with self._lock:
            waiting = self._waiting.pop(topic, set())
            if not waiting:
                self._pending[topic] = None
                while len(self._pending) > _REMEMBERED:
                    self._pending.popitem(last=False)
        for future in waiting:
            future.get_loop().call_soon_threadsafe(_wake, future)

    async def wait(self, topic: str, timeout: timedelta) -> None:
        """Return when `topic` was notified, or after `timeout`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._lock:
            if topic in self._pending:
                del self._pending[topic]
                return
            self._waiting.setdefault(topic, set()).add(future)
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await future
        except TimeoutError:
            return
        finally:
            self._forget(topic, future)

    async def aclose(self) -> None:
        """Nothing is held."""

    def _forget(self, topic: str, future: asyncio.Future[None]) -> None:
        with self._lock:
            waiting = self._waiting.get(topic, set())
            waiting.discard(future)
            if not waiting:
                self._waiting.pop(topic, None)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
