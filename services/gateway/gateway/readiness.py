"""Whether this process should get traffic."""

import asyncio
import time

from contracts.errors import ErrorCode
from gateway.db import Database
from runtime.errors import ServiceError

_LIMIT_S = 1.0
_STRIKES = 2
_MEMORY_S = 60.0


class Readiness:
    """Asks the database. One slow answer is no outage: only the second failure in a row counts."""

    def __init__(self, db: Database) -> None:
        """Begin without a strike."""
        self._db = db
        self._strikes = 0
        self._struck_at = 0.0

    async def check(self) -> None:
        """Raise `ServiceError(UNAVAILABLE)` when the database failed twice in a row within a minute."""
        try:
            async with asyncio.timeout(_LIMIT_S):
                await self._db.ping()
        except (ServiceError, TimeoutError) as error:
            now = time.monotonic()
            self._strikes = self._strikes + 1 if now - self._struck_at < _MEMORY_S else 1
            self._struck_at = now
            if self._strikes >= _STRIKES:
                detail = "The database cannot be reached."
                raise ServiceError(ErrorCode.UNAVAILABLE, detail, reason=repr(error), retry_after_s=2) from error
        else:
            self._strikes = 0
