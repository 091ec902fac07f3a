"""The slots that exist: started, watched, weighed, replaced when worn (the replacement first), killed when stuck."""

import asyncio
import contextvars
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from itertools import count
from typing import Any, Generic, Protocol, TypeVar

import structlog
from prometheus_client import Counter

from contracts.errors import ErrorCode
from renderer.slots import SLOTS, Resource, Slot, State
from renderer.wear import Recycle
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

RECYCLES = Counter("cro_renderer_recycles_total", "Browsers replaced", ["reason"])
KILLS = Counter("cro_renderer_kills_total", "Browsers killed because they were stuck or could not be trusted")
START_FAILURES = Counter("cro_renderer_start_failures_total", "Browsers that did not start")

_CLOSE = timedelta(seconds=10)
_BACKOFF_S = (0.25, 30.0)
_WEIGH_EVERY_S = 10.0
"""Seconds between two looks at all slots' memory, beside the looks after every few jobs."""

_RATION_EVERY_S = 0.5
_RATION_S = 2.0
"""CPU seconds that a job may take, after its first two seconds, before others go first.

A whole analysis of a heavy page takes two to three, its first ones included: an honest page rarely gets there.
"""

_EXTRA = 2
"""Slots for each browser more than there are slots, while others stand back with a job that takes too much."""

T = TypeVar("T", bound=Resource)


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
    def renderer_canary_s(self) -> float: ...  # noqa: D102
    @property
    def renderer_start_s(self) -> float: ...  # noqa: D102


class Fleet(Generic[T]):
    """All slots, and the tasks that keep them whole."""

    def __init__(
        self,
        factory: Callable[[], Awaitable[T]],
        limits: Limits,
        joined: Callable[[Slot[T]], None],
        left: Callable[[Slot[T]], None],
    ) -> None:
        """`joined` gets each slot that can take its first job, `left` each that takes no more."""
        self.slots: set[Slot[T]] = set()
        self.problem: ServiceError | None = None
        self.ending = False
        self._factory = factory
        self._limits = limits
        self._joined = joined
        self._left = left
        self._starting = 0
        self._tasks: set[asyncio.Task[object]] = set()
        self._endings: set[asyncio.Task[None]] = set()
        self._replacements = asyncio.Semaphore(1)
        self._context = contextvars.copy_context()

    async def start(self) -> None:
        """Start all slots. Raises the first failure if not one of them starts."""
        wanted = self._limits.renderer_slots
        results = await asyncio.gather(*(self._add() for _ in range(wanted)), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if len(failures) == wanted:
            raise failures[0]
        for _ in failures:
            self.spawn(self._refill())
        self.spawn(self._weigh_all())
        self.spawn(self._ration())

    async def end(self) -> None:
        """End every slot and every task."""
        self.ending = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for slot in list(self.slots):
            self.retire(slot)
        await asyncio.gather(*self._endings)

    def mark(self, slot: Slot[T], state: State) -> Slot[T]:
        """Note what a slot does now."""
        slot.state, slot.since = state, time.monotonic()
        self._count()
        return slot

    async def launch(self) -> Slot[T]:
        """Start one slot, for the caller to use. Raises `ServiceError`."""
        self._starting += 1
        self._count()
        try:
            async with asyncio.timeout(self._limits.renderer_start_s):
                resource = await self._factory()
        except TimeoutError as exc:
            error = ServiceError(ErrorCode.UNAVAILABLE, "A browser did not start in time.", retry_after_s=5)
            self._failed(error)
            raise error from exc
        except ServiceError as exc:
            self._failed(exc)
            raise
        finally:
            self._starting -= 1
            self._count()
        self.problem = None
        slot = Slot(resource, self._number(), time.monotonic())
        self.slots.add(slot)
        self.spawn(self._watch(slot))
        return slot

    async def exchange(self, slot: Slot[T], reason: Recycle) -> Slot[T]:
        """End a slot and return a new one in its place. Raises `ServiceError`; another is started all the same."""
        RECYCLES.labels(reason.value).inc()
        self.retire(slot)
        try:
            return await self.launch()
        except BaseException:
            self.refill()
            raise

    def replace(self, slot: Slot[T], reason: Recycle) -> None:
        """Let a worn slot go as soon as another stands in its place."""
        if not (slot.replacing or self.ending):
            slot.replacing = True
            self.spawn(self._replace(slot, reason))

    def discard(self, slot: Slot[T], reason: Recycle) -> None:
        """Kill a slot that cannot be trusted and start another at once."""
        if slot not in self.slots:
            return
        slot.resource.kill()
        KILLS.inc()
        if not slot.followed:
            RECYCLES.labels(reason.value).inc()
        log.warning("slot_discarded", reason=reason.value, uses=slot.wear.uses)
        self.retire(slot)
        if not slot.followed:
            self.refill()

    def retire(self, slot: Slot[T]) -> None:
        """Take a slot out of service and end it, even if the pool stops meanwhile."""
        self.slots.discard(slot)
        slot.unaccount()
        self._left(slot)
        self._count()
        ending = asyncio.create_task(self._end(slot))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    def refill(self) -> None:
        """Start one slot, however long that takes."""
        if not self.ending:
            self.spawn(self._refill())

    async def weigh(self, slot: Slot[T]) -> None:
        """Look how much memory a slot holds, and let it go when that is too much."""
        megabytes = await asyncio.to_thread(slot.resource.memory_mb)
        if slot not in self.slots:
            return
        slot.weighed(megabytes)
        if megabytes > self._limits.renderer_recycle_mb:
            self.replace(slot, Recycle.MEMORY)

    async def ration(self, slot: Slot[T]) -> None:
        """Look how much CPU time the present job has taken, and let others go first when that is a lot."""
        since, used = slot.since, await asyncio.to_thread(slot.resource.cpu_s)
        if slot.since != since or slot not in self.slots:
            return  # another job has begun meanwhile
        if slot.rationed_at != since:
            slot.rationed_at, slot.cpu_s = since, used
        elif used - slot.cpu_s >= _RATION_S:
            log.warning("slot_greedy", cpu_s=round(used - slot.cpu_s, 1))
            slot.resource.yield_cpu()
            slot.greedy = True
            # Its browser serves no other: the one that comes after it need not wait for its end.
            if sum(one.greedy for one in self.slots) <= max(1, self._limits.renderer_slots // _EXTRA):
                self.replace(slot, Recycle.GREEDY)

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Run `work` in the fleet's own context: a browser outlives the request in whose course it was started."""
        task = asyncio.create_task(work, context=self._context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_report)

    async def _add(self) -> None:
        self._joined(await self.launch())

    async def _refill(self) -> None:
        shortest, longest = _BACKOFF_S
        wait = shortest
        while True:
            try:
                await self._add()
            except ServiceError:
                await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311  # jitter needs no secrecy
                wait = min(2 * wait, longest)
            else:
                return

    async def _replace(self, slot: Slot[T], reason: Recycle) -> None:
        # One at a time, so that a full pool stays nearly full and starts do not pile up.
        async with self._replacements:
            if slot not in self.slots:
                return
            slot.followed = True
            await self._refill()
            RECYCLES.labels(reason.value).inc()
            log.info("slot_recycled", reason=reason.value, uses=slot.wear.uses, memory_mb=slot.wear.memory_mb)
            slot.retired = True
            if slot.state is State.IDLE:
                self.retire(slot)

    async def _watch(self, slot: Slot[T]) -> None:
        await slot.resource.gone()
        self.discard(slot, Recycle.CRASH)

    async def _weigh_all(self) -> None:
        while True:
            for slot in list(self.slots):
                await self.weigh(slot)
            await asyncio.sleep(_WEIGH_EVERY_S)

    async def _ration(self) -> None:
        """Let a job that has had its share of the CPU stand back behind the others; its browser serves no other."""
        while True:
            await asyncio.sleep(_RATION_EVERY_S)
            now = time.monotonic()
            for slot in [slot for slot in self.slots if slot.state is State.BUSY and not slot.greedy]:
                if now - slot.since >= _RATION_S:
                    await self.ration(slot)

    async def _end(self, slot: Slot[T]) -> None:
        try:
            async with asyncio.timeout(_CLOSE.total_seconds()):
                await slot.resource.aclose()
        except TimeoutError:
            slot.resource.kill()
            KILLS.inc()
            log.exception("slot_close_stuck")

    def _failed(self, error: ServiceError) -> None:
        START_FAILURES.inc()
        log.error("slot_start_failed", reason=error.reason)
        self.problem = error

    def _number(self) -> int:
        taken = {slot.number for slot in self.slots}
        return next(number for number in count() if number not in taken)

    def _count(self) -> None:
        for state in State:
            SLOTS.labels(state.value).set(sum(slot.state is state for slot in self.slots))
        SLOTS.labels(State.STARTING.value).set(self._starting)


def _report(task: asyncio.Task[object]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("pool_task_failed", exc_info=error)
