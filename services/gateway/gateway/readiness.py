"""Whether this process should get traffic."""

import asyncio
import time
from collections.abc import Callable

from contracts.errors import ErrorCode
from gateway.broker import Broker
from gateway.db import Database
from runtime.errors import ServiceError

_LIMIT_S = 1.0
_STRIKES = 2
_MEMORY_S = 60.0
_FRESH_S = 0.5


class Readiness:
    """Asks the database. One slow answer is no outage: two failures in a row take it out, two answers bring it back.

    Without Redis everything works, only slower, so that is told and changes nothing: were it otherwise, its restart
    would take every process out of service at once.
    """

    def __init__(self, db: Database, broker: Broker | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin without a strike."""
        self._db = db
        self._broker = broker
        self._clock = clock
        self._strikes = 0
        self._struck_at = 0.0
        self._returning = False
        self._last_word = ""
        self._asked_at = float("-inf")
        self.leaving = False

    def leave(self) -> None:
        """Say no from now on, whatever the database says: this process is about to stop."""
        self.leaving = True

    async def check(self) -> str:
        """Return `ready`, or `degraded` without Redis. Raises `ServiceError(UNAVAILABLE)` for no traffic."""
        if self.leaving:
            raise ServiceError(ErrorCode.UNAVAILABLE, "The process is stopping.", retry_after_s=1)
        # Whoever asks often learns no more, and costs the database no more.
        if self._clock() - self._asked_at < _FRESH_S and self._last_word:
            return self._last_word
        self._last_word = ""
        answered = await self._ask_database()
        word = "degraded" if self._broker and not await self._broker.ping() else "ready"
        if answered:
            self._last_word, self._asked_at = word, self._clock()
        return word

    async def _ask_database(self) -> bool:
        """Return whether it answered. Raises where this is not the first failure in a row, nor the second answer."""
        try:
            async with asyncio.timeout(_LIMIT_S):
                await self._db.ping()
        except (ServiceError, TimeoutError) as error:
            self._strike(repr(error), error)
            return False
        if self._strikes >= _STRIKES and not self._returning:
            self._returning = True
            raise _away("one answer is not enough")
        self._strikes, self._returning = 0, False
        return True

    def _strike(self, reason: str, error: Exception) -> None:
        now = self._clock()
        self._returning = False
        self._strikes = self._strikes + 1 if now - self._struck_at < _MEMORY_S else 1
        self._struck_at = now
        if self._strikes >= _STRIKES:
            raise _away(reason) from error


def _away(reason: str) -> ServiceError:
    return ServiceError(ErrorCode.UNAVAILABLE, "The database cannot be reached.", reason=reason, retry_after_s=2)
