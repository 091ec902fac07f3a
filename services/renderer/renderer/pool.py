"""A supervisor of slots. It knows neither Playwright nor CDP: a slot is whatever the injected factory starts.

One slot serves one job at a time. Slots are started ahead of time, replaced (the replacement first) when they are worn,
killed when they are stuck, and freed by this module only, never by an event from what runs in them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Generic, Literal, TypeVar

import structlog
from prometheus_client import Histogram

from contracts.errors import ErrorCode
from contracts.render import PoolState, Pressure
from renderer import machine
from renderer.fleet import Fleet, Limits
from renderer.slots import Resource, Slot, State
from renderer.waiting import Line, Promises, retry_after_s
from renderer.wear import Pace, Recycle
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)
_RESET = timedelta(seconds=5)
_CANARY = timedelta(seconds=5)
_WEIGH_EVERY = 5
"""Uses between two looks at a slot's memory: a look costs milliseconds, and growth is slower than that."""

_HOLD_S = 30.0
"""Longest time that one job may keep all others from starting."""

WAIT_SECONDS = Histogram("cro_renderer_wait_seconds", "Wait for a browser", buckets=_SECONDS)
JOB_SECONDS = Histogram("cro_renderer_job_seconds", "Time that a job held a browser", buckets=_SECONDS)
CANARY_SECONDS = Histogram("cro_renderer_canary_seconds", "Time of the page that measures a browser", buckets=_SECONDS)

T = TypeVar("T", bound=Resource)
R = TypeVar("R")


class Pool(Generic[T]):
    """Slots and the line before them."""

    def __init__(
        self,
        factory: Callable[[], Awaitable[T]],
        limits: Limits,
        overloaded: Callable[[], bool] = machine.overloaded,
    ) -> None:
        """`factory` starts one resource; it raises `ServiceError` when it cannot.

        While `overloaded` says so, no slot is measured: all would be slow.
        """
        self._limits = limits
        self._overloaded = overloaded
        self._fleet: Fleet[T] = Fleet(factory, limits, self._offer, self._forget)
        self._idle: list[Slot[T]] = []
        self._line: Line[Slot[T]] = Line(limits.renderer_queue, self._offer)
        self._promises = Promises()
        self._pace = Pace()
        self._running = 0
        self._turnaround_s = 1.0
        self._draining = False
        self._held = False
        self._quiet = asyncio.Event()

    async def start(self) -> None:
        """Start all slots. Raises the first failure if not one of them starts."""
        await self._fleet.start()

    async def drain(self, grace: timedelta) -> None:
        """Refuse new jobs, let the running ones finish for up to `grace`, then end everything."""
        self._draining = self._fleet.ending = True
        self._line.end(_stopping())
        try:
            async with asyncio.timeout(grace.total_seconds()):
                while self._running:
                    self._quiet.clear()
                    await self._quiet.wait()
        except TimeoutError:
            log.warning("drain_cut_short", running=self._running)
        await self._fleet.end()

    async def run(self, work: Callable[[T], Awaitable[R]], within: timedelta) -> R:
        """Run `work` with a slot of its own, waiting included, and end it by force when `within` is over.

        Raises `ServiceError`: renderer_busy when there is no room, deadline_exceeded, or what `work` raises.
        Cancelling the caller cancels the job.
        """
        deadline = time.monotonic() + within.total_seconds()
        return await self._use(await self._take(within), work, deadline)

    async def run_alone(
        self, work: Callable[[T], Awaitable[R]], within: timedelta, meanwhile: AbstractContextManager[None]
    ) -> R:
        """Do the same in a slot that has served nobody; `meanwhile` is entered while the job runs."""
        deadline = time.monotonic() + within.total_seconds()
        slot = await self._take(within)
        if slot.wear.uses:
            slot = self._fleet.mark(await self._fleet.exchange(slot, Recycle.SOLO), State.BUSY)
        with meanwhile:
            return await self._use(slot, work, deadline)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Start no job meanwhile, for half a minute at most; those that run go on, new ones wait in the line."""
        self._held = True
        release = asyncio.get_running_loop().call_later(_HOLD_S, self._release)
        try:
            yield
        finally:
            release.cancel()
            self._release()

    def state(self) -> PoolState:
        """Return how much room there is."""
        return PoolState(slots=len(self._fleet.slots), free=len(self._idle), queued=len(self._line))

    def pressure(self) -> Pressure:
        """Return how much room there is, and what uses it."""
        slots = sorted(self._fleet.slots, key=lambda slot: slot.number)
        busy = [slot for slot in slots if slot.state is State.BUSY]
        reason = self._reason()
        return Pressure(
            **self.state().model_dump(),
            busy=len(busy),
            memory_mb=[slot.wear.memory_mb for slot in slots],
            oldest_job_s=round(max((time.monotonic() - slot.since for slot in busy), default=0.0), 3),
            accepting=not reason,
            reason=reason,
            retry_after_s=0 if not reason else self._retry_after_s(),
        )

    async def ready(self) -> None:
        """Raise `ServiceError` while there is no slot that could take a job."""
        if self._draining:
            raise _stopping()
        if not self._fleet.slots:
            raise self._fleet.problem or ServiceError(ErrorCode.UNAVAILABLE, "No browser is running.", retry_after_s=5)

    def busy(self) -> ServiceError:
        """Return the refusal of a job for which there is no room, and remember when it will be back."""
        retry_after = self._retry_after_s()
        self._promises.add(retry_after)
        detail = "Every browser is busy. Try again later."
        return ServiceError(ErrorCode.RENDERER_BUSY, detail, retry_after_s=retry_after)

    async def _take(self, within: timedelta) -> Slot[T]:
        if self._draining:
            raise _stopping()
        if self._idle and not self._held:
            WAIT_SECONDS.observe(0)
            return self._fleet.mark(self._idle.pop(), State.BUSY)
        if self._line.full:
            raise self.busy()
        begun = time.monotonic()
        try:
            slot = await self._line.wait(min(self._limits.renderer_wait_s, within.total_seconds()))
        except TimeoutError as exc:
            raise self.busy() from exc
        WAIT_SECONDS.observe(time.monotonic() - begun)
        return slot

    async def _use(self, slot: Slot[T], work: Callable[[T], Awaitable[R]], deadline: float) -> R:
        begun = time.monotonic()
        self._running += 1
        slot.wear.uses += 1
        discard = self._fleet.discard
        # The kill does not depend on the job's cooperation: with the resource dead, whatever the job waits for fails.
        killer = asyncio.get_running_loop().call_later(deadline - begun, discard, slot, Recycle.DEADLINE)
        try:
            async with asyncio.timeout(deadline - begun):
                return await work(slot.resource)
        except TimeoutError as exc:
            discard(slot, Recycle.DEADLINE)
            raise ServiceError(ErrorCode.DEADLINE_EXCEEDED, "The page took longer than the time budget.") from exc
        finally:
            killer.cancel()
            self._running -= 1
            self._quiet.set()
            self._finish(slot, begun)

    def _finish(self, slot: Slot[T], begun: float) -> None:
        JOB_SECONDS.observe(time.monotonic() - begun)
        if slot in self._fleet.slots:
            self._fleet.mark(slot, State.RESETTING)
            self._fleet.spawn(self._reset(slot, begun))
        else:
            self._turned_around(begun)

    def _turned_around(self, begun: float) -> None:
        self._turnaround_s += 0.1 * (time.monotonic() - begun - self._turnaround_s)

    async def _reset(self, slot: Slot[T], begun: float) -> None:
        """Make a slot fit for its next job, after the caller has got its answer."""
        if slot.resource.tainted:
            self._fleet.discard(slot, Recycle.ANOMALY)
            return
        if slot.greedy:
            self._fleet.discard(slot, Recycle.GREEDY)
            return
        try:
            async with asyncio.timeout(_RESET.total_seconds()):
                await slot.resource.reset()
        except (ServiceError, TimeoutError) as exc:
            log.warning("slot_reset_failed", reason=str(exc))
            self._fleet.discard(slot, Recycle.ANOMALY)
            return
        self._turned_around(begun)
        if slot.wear.due(time.monotonic(), self._limits.renderer_canary_s) and not self._overloaded():
            await self._measure(slot)
        if slot in self._fleet.slots:
            self._judge(slot)

    async def _measure(self, slot: Slot[T]) -> None:
        """Run the canary between two jobs: nobody waits for an answer, and a busy slot gets its turn as well."""
        self._fleet.mark(slot, State.MEASURED)
        try:
            async with asyncio.timeout(_CANARY.total_seconds()):
                seconds = await slot.resource.canary()
        except (ServiceError, TimeoutError) as exc:
            log.warning("slot_canary_failed", reason=str(exc))
            self._fleet.discard(slot, Recycle.ANOMALY)
            return
        CANARY_SECONDS.observe(seconds)
        if verdict := slot.wear.measured(seconds, time.monotonic(), self._pace):
            log.warning("slot_slow", seconds=round(seconds, 3), uses=slot.wear.uses)
            self._fleet.replace(slot, verdict)

    def _judge(self, slot: Slot[T]) -> None:
        if slot.retired:
            self._fleet.retire(slot)
            return
        if slot.wear.uses >= self._limits.renderer_recycle_uses:
            self._fleet.replace(slot, Recycle.USES)
        elif slot.wear.uses % _WEIGH_EVERY == 0:
            self._fleet.spawn(self._fleet.weigh(slot))
        self._offer(slot)

    def _offer(self, slot: Slot[T]) -> None:
        if slot not in self._fleet.slots:
            return
        if not self._held and self._line.hand(slot):
            self._fleet.mark(slot, State.BUSY)
        else:
            self._idle.append(self._fleet.mark(slot, State.IDLE))

    def _forget(self, slot: Slot[T]) -> None:
        if slot in self._idle:
            self._idle.remove(slot)

    def _release(self) -> None:
        self._held = False
        while self._idle and self._line.hand(self._idle[-1]):
            self._fleet.mark(self._idle.pop(), State.BUSY)

    def _reason(self) -> Literal["", "full", "draining", "no_browser"]:
        if self._draining:
            return "draining"
        if not self._fleet.slots:
            return "no_browser"
        if self._line.full and (self._held or not self._idle):
            return "full"
        return ""

    def _retry_after_s(self) -> float:
        return retry_after_s(len(self._line), len(self._promises), len(self._fleet.slots), self._turnaround_s)


def _stopping() -> ServiceError:
    return ServiceError(ErrorCode.RENDERER_BUSY, "The renderer is shutting down.", retry_after_s=1)
