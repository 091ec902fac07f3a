"""Writing results that come at once together: whoever comes while a write is under way is part of the next one."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from gateway.db import Database
from gateway.jobs import settling
from gateway.jobs.settling import Done
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

_MOST_AT_ONCE = 100


@dataclass(frozen=True)
class _Waiting:
    done: Done
    written: "asyncio.Future[bool]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Gathering:
    """One worker's way to write the captures of batches. A lone one waits for nobody."""

    def __init__(self, db: Database, patience: timedelta) -> None:
        """Begin with nothing to write; `patience` is for a database that is away."""
        self._db = db
        self._patience = patience
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    async def finish(self, done: Done) -> bool:
        """Return once the result is written. False: the job is no longer ours. Raises `ServiceError` (unavailable).

        Who is cancelled while waiting does not take the others' results along.
        """
        one = _Waiting(done)
        self._waiting.append(one)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        return await one.written

    async def aclose(self) -> None:
        """Return once nothing is being written."""
        if self._writer is not None:
            await self._writer

    async def _write_all(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
            await self._write(taken)

    async def _write(self, taken: list[_Waiting]) -> None:
        done = [one.done for one in taken]
        try:
            ours = await self._db.insist(lambda db: settling.finish_all(db, done), self._patience)
        except ServiceError as error:
            # The database is away, and has been for long: it will be for each of them.
            _refuse(taken, error)
        except Exception as error:  # noqa: BLE001  # outermost: each of them learns what became of its own
            if len(taken) == 1:
                _refuse(taken, error)
                return
            log.warning("results_written_one_by_one", count=len(taken), reason=repr(error))
            for one in taken:
                await self._write([one])
        else:
            for one in taken:
                if not one.written.done():
                    one.written.set_result(one.done.job.key in ours)


def _refuse(taken: list[_Waiting], error: Exception) -> None:
    for one in taken:
        if not one.written.done():
            one.written.set_exception(error)
