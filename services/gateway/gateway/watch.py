"""One look for all who wait: many callers follow jobs, and the database is asked once for all of them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta

import structlog

from gateway import metrics
from gateway.db import Database
from gateway.hints import Hints, job_topic
from gateway.jobs import records
from gateway.jobs.records import Glimpse
from gateway.jobs.states import Kind
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

_LOOK_S = 1.0
"""Longest time to miss a change whose hint was lost."""

_END_S = 10.0
"""Longest time that the end of a process waits for a look."""

_HINT_WAIT = timedelta(seconds=60)
_READERS = 4
"""Callers whose wait is over that read their result at once: the other connections are for those who did not wait."""


@dataclass(frozen=True)
class Subject:
    """A job that somebody follows: its owner and kind are part of its name, here as everywhere."""

    tenant_id: str
    kind: Kind
    id: str


class Feed:
    """What one follower sees: always the latest, never each step in between."""

    def __init__(self) -> None:
        """Start before the first look."""
        self.latest: Glimpse | None = None
        self._news = asyncio.Event()
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tell(self, glimpse: Glimpse | None) -> None:
        """Take what was seen; None: there is no such job, or not any more."""
        if not self._first.done():
            self.latest = glimpse
            self._first.set_result(None)
        elif glimpse != self.latest:
            self.latest = glimpse
            self._news.set()

    def fail(self, error: ServiceError) -> None:
        """Take that nothing could be seen; whoever has seen something goes on waiting."""
        if not self._first.done():
            self._first.set_exception(error)

    async def first(self) -> None:
        """Return when there was a first look. Raises `ServiceError` (unavailable)."""
        await self._first

    def wake(self) -> None:
        """End the present wait."""
        self._news.set()

    async def change(self, patience: timedelta) -> None:
        """Return when there is something new, or after `patience`."""
        try:
            async with asyncio.timeout(patience.total_seconds()):
                await self._news.wait()
        except TimeoutError:
            return
        finally:
            self._news.clear()


@dataclass
class _Followed:
    feeds: set[Feed]
    listener: asyncio.Task[None]


class Watch:
    """Looks at every followed job once a second, in one query, and at once at those that a hint names.

    It runs only while somebody follows. `close` ends all waits, for a process that stops, and `aclose` the work.
    """

    def __init__(self, db: Database, hints: Hints, look_s: float = _LOOK_S) -> None:
        """Follow nothing yet."""
        self._db = db
        self._hints = hints
        self._look_s = look_s
        self._followed: dict[Subject, _Followed] = {}
        self._by_tenant: Counter[str] = Counter()
        self._hinted: set[Subject] = set()
        self._due = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self.reading = asyncio.Semaphore(_READERS)
        self.closed = False

    @property
    def followers(self) -> int:
        """How many wait."""
        return sum(len(one.feeds) for one in self._followed.values())

    def followers_of(self, tenant_id: str) -> int:
        """How many wait of one tenant."""
        return self._by_tenant[tenant_id]

    def close(self) -> None:
        """Send everybody home, and whoever comes later at once."""
        self.closed = True
        for followed in self._followed.values():
            for feed in followed.feeds:
                feed.wake()

    async def aclose(self) -> None:
        """Send everybody home, and wait for a look that is under way: it has a connection of the database."""
        self.close()
        if self._loop is not None:
            await asyncio.wait([self._loop], timeout=_END_S)

    @asynccontextmanager
    async def follow(self, subject: Subject) -> AsyncIterator[Feed]:
        """Give a feed of a job, which has its present state already. Raises `ServiceError` (unavailable)."""
        feed = Feed()
        self._enter(subject, feed)
        try:
            # Together with all who come at the same time, and after the listener is there: nothing is missed.
            await asyncio.sleep(0)
            self._hinted.add(subject)
            self._due.set()
            await feed.first()
            yield feed
        finally:
            self._leave(subject, feed)

    def _enter(self, subject: Subject, feed: Feed) -> None:
        followed = self._followed.get(subject)
        if followed is None:
            followed = self._followed[subject] = _Followed(set(), _own_task(self._listen(subject)))
        followed.feeds.add(feed)
        self._by_tenant[subject.tenant_id] += 1
        metrics.WAITING.inc()
        if self._loop is None or self._loop.done():
            self._loop = _own_task(self._run())

    def _leave(self, subject: Subject, feed: Feed) -> None:
        followed = self._followed[subject]
        followed.feeds.discard(feed)
        self._by_tenant[subject.tenant_id] -= 1
        if not self._by_tenant[subject.tenant_id]:
            del self._by_tenant[subject.tenant_id]
        metrics.WAITING.dec()
        if not followed.feeds:
            followed.listener.cancel()
            del self._followed[subject]
        if not self._followed:
            self._due.set()

    async def _listen(self, subject: Subject) -> None:
        while True:
            await self._hints.wait(job_topic(subject.id), _HINT_WAIT)
            self._hinted.add(subject)
            self._due.set()

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        next_look = clock() + self._look_s
        while self._followed:
            try:
                async with asyncio.timeout_at(next_look):
                    await self._due.wait()
            except TimeoutError:
                next_look = clock() + self._look_s
                self._hinted.update(self._followed)
            self._due.clear()
            wanted = [subject for subject in self._hinted if subject in self._followed]
            self._hinted.clear()
            await self._look(wanted)

    async def _look(self, subjects: Iterable[Subject]) -> None:
        wanted = list(subjects)
        if not wanted:
            return
        try:
            async with self._db.read() as db:
                seen = await records.glimpses(db, list({subject.id for subject in wanted}))
        except ServiceError as error:
            # Who has seen something keeps waiting, and is told by the look at the end of its own wait.
            log.warning("watch_failed", reason=error.reason)
            for feed in self._feeds(wanted):
                feed.fail(error)
            return
        except Exception:  # outermost: who waits must not wait for a loop that is dead
            log.exception("watch_failed")
            return
        for subject in wanted:
            for feed in self._feeds([subject]):
                feed.tell(seen.get((subject.tenant_id, subject.kind, subject.id)))

    def _feeds(self, subjects: Iterable[Subject]) -> list[Feed]:
        return [feed for one in subjects if one in self._followed for feed in self._followed[one].feeds]


def _own_task(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    """Begin what serves all tenants outside of the request that happened to need it first.

    Inside, it would be narrowed to that request's tenant, and carry its ids in every line of the log.
    """
    return asyncio.create_task(work, context=Context())
