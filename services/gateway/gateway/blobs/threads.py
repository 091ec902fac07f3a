"""Blocking calls from async code: in few threads, each within its time, none to a side that is away."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

import structlog

from gateway.breaker import Breaker
from gateway.metrics import BLOB_FAILURES

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")


class AwayError(Exception):
    """Nobody was asked: the other side failed several times in a row, a moment ago."""


class Threads:
    """One pool of threads for one dependency.

    A thread cannot be interrupted: what runs late ends at its own time limits, and until then has a thread. Those are
    few, because the third late call opens the breaker.
    """

    def __init__(self, count: int, name: str, is_fault: Callable[[Exception], bool]) -> None:
        """Start none yet. `is_fault` tells what says that the other side is out of order from what is an answer."""
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._is_fault = is_fault
        self._breaker = Breaker()

    @property
    def away(self) -> bool:
        """Whether the other side failed several times in a row."""
        return self._breaker.open

    async def run(self, work: Callable[[], Answer], within: timedelta) -> Answer:
        """Run `work`. Raises what it raises, TimeoutError where it is late, and AwayError."""
        if not self._breaker.admits():
            BLOB_FAILURES.labels("skipped").inc()
            raise AwayError
        try:
            async with asyncio.timeout(within.total_seconds()):
                answer = await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except Exception as error:
            self._judge(error)
            raise
        self._breaker.worked()
        return answer

    def _judge(self, error: Exception) -> None:
        if not isinstance(error, TimeoutError) and not self._is_fault(error):
            self._breaker.worked()
            return
        was_away = self.away
        self._breaker.failed()
        BLOB_FAILURES.labels("failed").inc()
        if self.away and not was_away:
            log.warning("blobs_away", reason=repr(error))

    def close(self) -> None:
        """Start nothing more. What runs is not waited for: it may hang as long as its own limits allow."""
        self._pool.shutdown(wait=False, cancel_futures=True)
