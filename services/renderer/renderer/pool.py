"""A supervisor of slots. It knows neither Playwright nor CDP: a slot is whatever the injected factory starts.

One slot serves one job at a time. Slots are started ahead of time, replaced (the replacement first) when they are worn,
killed when they are stuck, and freed by this module only, never by an event from what runs in them.
"""

import asyncio
import contextvars
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

import structlog
from prometheus_client import Counter, Gauge, Histogram

from contracts.errors import ErrorCode
from contracts.render import PoolState
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)
_RESET = timedelta(seconds=5)
_CLOSE = timedelta(seconds=10)
_WEIGH_EVERY = 5
"""Uses between two looks at a slot's memory: a look costs milliseconds, and growth is slower than that."""

_BACKOFF_S = (0.25, 30.0)


class State(StrEnum):
    """What a slot is doing."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    RESETTING = "resetting"


class Recycle(StrEnum):
    """Why a slot was replaced."""

    USES = "uses"
    MEMORY = "memory"
    ANOMALY = "anomaly"
    CRASH = "crash"
    DEADLINE = "deadline"


SLOTS = Gauge("cro_renderer_slots", "Browsers by what they do", ["state"])
WAITING = Gauge("cro_renderer_waiting_jobs", "Jobs that wait for a browser")
WAIT_SECONDS = Histogram("cro_renderer_wait_seconds", "Wait for a browser", buckets=_SECONDS)
JOB_SECONDS = Histogram("cro_renderer_job_seconds", "Time that a job held a browser", buckets=_SECONDS)
RECYCLES = Counter("cro_renderer_recycles_total", "Browsers replaced", ["reason"])
KILLS = Counter("cro_renderer_kills_total", "Browsers killed because they were stuck or could not be trusted")
START_FAILURES = Counter("cro_renderer_start_failures_total", "Browsers that did not start")


class Resource(Protocol):
    """What a slot holds."""

    tainted: bool
    """True once a job has seen it misbehave: it gets no further job."""

    async def gone(self) -> None:
        """Return when it has ended by itself."""

    async def reset(self) -> None:
        """Remove what a job left behind. Raises `ServiceError` when that fails."""

    def memory_mb(self) -> int:
        """Return the memory that it holds now."""

    def kill(self) -> None:
        """End it at once; cannot fail and does not wait."""

    async def aclose(self) -> None:
        """End it and remove all that it kept."""


T = TypeVar("T", bound=Resource)
R = TypeVar("R")


class Slot(Generic[T]):
    """A started resource and its history."""

    def __init__(self, resource: T) -> None:
        """Begin with no uses."""
        self.resource = resource
        self.state = State.STARTING
        self.uses = 0
        self.retired = False
        self.replacing = False


class Limits(Protocol):
    """The settings that a pool needs; `RendererSettings` has them."""

    @property
    def renderer_slots(self) -> int: ...  # noqa: D102  # described in RendererSettings
    @property
    def renderer_queue(self) -> int: ...  # noqa: D102
    @property
    def renderer_wait_s(self) -> float: ...  # noqa: D102
    @property
    def renderer_recycle_uses(self) -> int: ...  # noqa: D102
    @property
    def renderer_recycle_mb(self) -> int: ...  # noqa: D102
    @property
    def renderer_start_s(self) -> float: ...  # noqa: D102


class Pool(Generic[T]):
    """Slots, the queue before them, and the tasks that keep them whole."""

    def __init__(self, factory: Callable[[], Awaitable[T]], limits: Limits) -> None:
        """`factory` starts one resource; it raises `ServiceError` when it cannot."""
        self._factory = factory
        self._limits = limits
        self._slots: set[Slot[T]] = set()
        self._idle: list[Slot[T]] = []
        self._waiters: deque[asyncio.Future[Slot[T]]] = deque()
        self._tasks: set[asyncio.Task[object]] = set()
        self._endings: set[asyncio.Task[None]] = set()
        self._running = 0
        self._job_s = 1.0
        self._starting = 0
        self._draining = False
        self._quiet = asyncio.Event()
        self._problem: ServiceError | None = None
        self._replacements = asyncio.Semaphore(1)
        self._context = contextvars.copy_context()

    async def start(self) -> None:
        """Start all slots. Raises the first failure if not one of them starts."""
        wanted = self._limits.renderer_slots
        results = await asyncio.gather(*(self._launch() for _ in range(wanted)), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if len(failures) == wanted:
            raise failures[0]
        for _ in failures:
            self._spawn(self._refill())

    async def drain(self, grace: timedelta) -> None:
        """Refuse new jobs, let the running ones finish for up to `grace`, then end everything."""
        self._draining = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(_stopping())
        try:
            async with asyncio.timeout(grace.total_seconds()):
                while self._running:
                    self._quiet.clear()
                    await self._quiet.wait()
        except TimeoutError:
            log.warning("drain_cut_short", running=self._running)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for slot in list(self._slots):
            self._retire(slot)
        await asyncio.gather(*self._endings)

    async def run(self, work: Callable[[T], Awaitable[R]], within: timedelta) -> R:
        """Run `work` with a slot of its own, waiting included, and end it by force when `within` is over.

        Raises `ServiceError`: renderer_busy when there is no room, deadline_exceeded, or what `work` raises.
        Cancelling the caller cancels the job.
        """
        deadline = time.monotonic() + within.total_seconds()
        begun = time.monotonic()
        slot = await self._take(min(self._limits.renderer_wait_s, within.total_seconds()))
        WAIT_SECONDS.observe(time.monotonic() - begun)
        return await self._use(slot, work, deadline)

    def state(self) -> PoolState:
        """Return how much room there is."""
        return PoolState(slots=len(self._slots), free=len(self._idle), queued=len(self._waiters))

    async def ready(self) -> None:
        """Raise `ServiceError` while there is no slot that could take a job."""
        if self._draining:
            raise _stopping()
        if not self._slots:
            raise self._problem or ServiceError(ErrorCode.UNAVAILABLE, "No browser is running.", retry_after_s=5)

    async def _take(self, longest_s: float) -> Slot[T]:
        if self._draining:
            raise _stopping()
        if self._idle:
            return self._mark(self._idle.pop(), State.BUSY)
        if len(self._waiters) >= self._limits.renderer_queue:
            raise self._busy()
        waiter: asyncio.Future[Slot[T]] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        WAITING.set(len(self._waiters))
        try:
            async with asyncio.timeout(longest_s):
                return await waiter
        except TimeoutError as exc:
            self._give_back(waiter)
            raise self._busy() from exc
        except asyncio.CancelledError:
            self._give_back(waiter)
            raise
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            WAITING.set(len(self._waiters))

    def _give_back(self, waiter: asyncio.Future[Slot[T]]) -> None:
        # The slot may have been handed over in the very moment in which its taker gave up.
        if waiter.done() and not waiter.cancelled() and not waiter.exception():
            self._offer(waiter.result())

    async def _use(self, slot: Slot[T], work: Callable[[T], Awaitable[R]], deadline: float) -> R:
        begun = time.monotonic()
        self._running += 1
        slot.uses += 1
        # The kill does not depend on the job's cooperation: with the resource dead, whatever the job waits for fails.
        killer = asyncio.get_running_loop().call_later(deadline - begun, self._discard, slot, Recycle.DEADLINE)
        try:
            async with asyncio.timeout(deadline - begun):
                return await work(slot.resource)
        except TimeoutError as exc:
            self._discard(slot, Recycle.DEADLINE)
            raise ServiceError(ErrorCode.DEADLINE_EXCEEDED, "The page took longer than the time budget.") from exc
        finally:
            killer.cancel()
            self._running -= 1
            self._quiet.set()
            self._finish(slot, time.monotonic() - begun)

    def _finish(self, slot: Slot[T], seconds: float) -> None:
        JOB_SECONDS.observe(seconds)
        self._job_s += 0.1 * (seconds - self._job_s)
        if slot in self._slots:
            self._mark(slot, State.RESETTING)
            self._spawn(self._reset(slot))

    async def _reset(self, slot: Slot[T]) -> None:
        """Make a slot fit for its next job, after the caller has got its answer."""
        if slot.resource.tainted:
            self._discard(slot, Recycle.ANOMALY)
            return
        try:
            async with asyncio.timeout(_RESET.total_seconds()):
                await slot.resource.reset()
        except (ServiceError, TimeoutError) as exc:
            log.warning("slot_reset_failed", reason=str(exc))
            self._discard(slot, Recycle.ANOMALY)
            return
        if slot in self._slots:
            self._judge(slot)

    def _judge(self, slot: Slot[T]) -> None:
        if slot.retired:
            self._retire(slot)
            return
        worn = self._worn(slot)
        if worn and not slot.replacing and not self._draining:
            slot.replacing = True
            self._spawn(self._replace(slot, worn))
        self._offer(slot)

    def _worn(self, slot: Slot[T]) -> Recycle | None:
        if slot.uses >= self._limits.renderer_recycle_uses:
            return Recycle.USES
        if slot.uses % _WEIGH_EVERY == 0 and slot.resource.memory_mb() > self._limits.renderer_recycle_mb:
            return Recycle.MEMORY
        return None

    def _offer(self, slot: Slot[T]) -> None:
        if slot not in self._slots:
            return
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(self._mark(slot, State.BUSY))
                return
        self._idle.append(self._mark(slot, State.IDLE))

    def _mark(self, slot: Slot[T], state: State) -> Slot[T]:
        slot.state = state
        self._count()
        return slot

    def _count(self) -> None:
        for state in State:
            SLOTS.labels(state.value).set(sum(slot.state is state for slot in self._slots))
        SLOTS.labels(State.STARTING.value).set(self._starting)

    async def _launch(self) -> None:
        self._starting += 1
        self._count()
        try:
            async with asyncio.timeout(self._limits.renderer_start_s):
                slot = Slot(await self._factory())
        except TimeoutError as exc:
            self._failed(ServiceError(ErrorCode.UNAVAILABLE, "A browser did not start in time.", retry_after_s=5))
            raise self._problem or exc from exc
        except ServiceError as exc:
            self._failed(exc)
            raise
        finally:
            self._starting -= 1
            self._count()
        self._problem = None
        self._slots.add(slot)
        self._spawn(self._watch(slot))
        self._offer(slot)

    def _failed(self, error: ServiceError) -> None:
        START_FAILURES.inc()
        log.error("slot_start_failed", reason=error.reason)
        self._problem = error

    async def _refill(self) -> None:
        """Start one slot, however long that takes."""
        shortest, longest = _BACKOFF_S
        wait = shortest
        while True:
            try:
                await self._launch()
            except ServiceError:
                await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311  # jitter needs no secrecy
                wait = min(2 * wait, longest)
            else:
                return

    async def _replace(self, slot: Slot[T], reason: Recycle) -> None:
        """Retire a worn slot once its replacement stands; one at a time, so that a full pool stays nearly full."""
        async with self._replacements:
            if slot not in self._slots:
                return
            await self._refill()
            RECYCLES.labels(reason.value).inc()
            log.info("slot_recycled", reason=reason.value, uses=slot.uses)
            slot.retired = True
            if slot in self._idle:
                self._retire(slot)

    async def _watch(self, slot: Slot[T]) -> None:
        await slot.resource.gone()
        self._discard(slot, Recycle.CRASH)

    def _discard(self, slot: Slot[T], reason: Recycle) -> None:
        """Kill a slot that cannot be trusted and start another at once."""
        if slot not in self._slots:
            return
        self._drop(slot)
        slot.resource.kill()
        KILLS.inc()
        RECYCLES.labels(reason.value).inc()
        log.warning("slot_discarded", reason=reason.value, uses=slot.uses)
        self._retire(slot)
        if not (self._draining or slot.retired):
            self._spawn(self._refill())

    def _retire(self, slot: Slot[T]) -> None:
        """Take a slot out of service and end it, even if the pool stops meanwhile."""
        self._drop(slot)
        ending = asyncio.create_task(self._end(slot))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    def _drop(self, slot: Slot[T]) -> None:
        self._slots.discard(slot)
        if slot in self._idle:
            self._idle.remove(slot)
        self._count()

    async def _end(self, slot: Slot[T]) -> None:
        try:
            async with asyncio.timeout(_CLOSE.total_seconds()):
                await slot.resource.aclose()
        except TimeoutError:
            slot.resource.kill()
            KILLS.inc()
            log.exception("slot_close_stuck")

    def _busy(self) -> ServiceError:
        ahead = len(self._waiters) + 1
        estimate = ahead * self._job_s / max(1, len(self._slots))
        detail = "Every browser is busy. Try again later."
        return ServiceError(ErrorCode.RENDERER_BUSY, detail, retry_after_s=min(60, max(1, estimate)))

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        # In the pool's own context: a browser outlives the request in whose course it was started.
        task = asyncio.create_task(work, context=self._context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_report)


def _report(task: asyncio.Task[object]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("pool_task_failed", exc_info=error)


def _stopping() -> ServiceError:
    return ServiceError(ErrorCode.RENDERER_BUSY, "The renderer is shutting down.", retry_after_s=1)
