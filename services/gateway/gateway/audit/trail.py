"""Writing the audit log: whoever calls waits for a commit, and those who come meanwhile share the next one."""

import asyncio

import structlog

from gateway.audit.store import Entry, append
from gateway.db import Database
from gateway.metrics import AUDIT_LOST
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

_MOST_AT_ONCE = 500


class Trail:
    """One process's way to the log."""

    def __init__(self, db: Database) -> None:
        """Begin with nothing to write."""
        self._db = db
        self._lock = asyncio.Lock()
        self._pending: list[Entry] = []

    async def record(self, entry: Entry) -> None:
        """Return once the entry is written. An outage keeps no answer back: then the line goes to the process's log."""
        self._pending.append(entry)
        async with self._lock:
            # One of those before us may have taken it along.
            while any(one is entry for one in self._pending):
                batch, self._pending = self._pending[:_MOST_AT_ONCE], self._pending[_MOST_AT_ONCE:]
                await self._write(batch)

    async def _write(self, batch: list[Entry]) -> None:
        try:
            async with self._db.begin() as db:
                await append(db, batch)
        except ServiceError as error:
            AUDIT_LOST.inc(len(batch))
            for entry in batch:
                log.error("audit_not_written", reason=error.reason, **vars(entry))  # noqa: TRY400  # the trace says nothing
