import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import pytest

from contracts.errors import ErrorCode
from contracts.render import PoolState
from renderer import fleet as fleet_module
from renderer import pool as pool_module
from renderer.fleet import KILLS
from renderer.pool import Pool
from runtime.errors import ServiceError

T = TypeVar("T")
LONG = timedelta(seconds=30)
BRIEF = timedelta(milliseconds=20)


@dataclass(frozen=True)
class Limits:
    renderer_slots: int = 1
    renderer_queue: int = 4
    renderer_wait_s: float = 30
    renderer_recycle_uses: int = 1_000
    renderer_recycle_mb: int = 1_000
    renderer_canary_s: float = 0
    renderer_start_s: float = 30


class Fake:
    """A slot's resource whose every await is a gate."""

    def __init__(self) -> None:
        self.tainted = False
        self.killed = False
        self.closed = asyncio.Event()
        self.dead = asyncio.Event()
        self.may_reset = asyncio.Event()
        self.may_reset.set()
        self.resets = 0
        self.reset_error: ServiceError | None = None
        self.megabytes = 1
        self.cpu = 0.0
        self.yielded = False
        self.canaries = 0
        self.canary_error: ServiceError | None = None
        self.seconds = 0.2

    async def gone(self) -> None:
        await self.dead.wait()

    async def reset(self) -> None:
        await self.may_reset.wait()
        self.resets += 1
        if self.reset_error:
            raise self.reset_error

    async def canary(self) -> float:
        self.canaries += 1
        if self.canary_error:
            raise self.canary_error
        return self.seconds

    def cpu_s(self) -> float:
        return self.cpu

    def yield_cpu(self) -> None:
        self.yielded = True

    def memory_mb(self) -> int:
        return self.megabytes

    def kill(self) -> None:
        self.killed = True
        self.dead.set()

    async def aclose(self) -> None:
        self.dead.set()
        self.closed.set()


@dataclass
class Factory:
    """Makes fakes, one at a time when its gate is closed, and fails while it has errors left."""

    made: list[Fake] = field(default_factory=list)
    errors: list[ServiceError] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def __call__(self) -> Fake:
        self.asked.release()
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.made.append(Fake())
        return self.made[-1]


@dataclass
class Job:
    """Work that says when it has begun and ends when it is told to."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    finish: asyncio.Event = field(default_factory=asyncio.Event)
    used: Fake | None = None

    async def __call__(self, resource: Fake) -> str:
        self.used = resource
        self.begun.set()
        await self.finish.wait()
        return "done"


async def at_once(resource: Fake) -> Fake:
    return resource


async def until(condition: Callable[[], bool]) -> None:
    """Let everything that can run, run, until the condition holds."""
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0)
    pytest.fail("it never came true")


async def started(limits: Limits, overloaded: Callable[[], bool] = lambda: False) -> tuple[Pool[Fake], Factory]:
    factory = Factory()
    factory.gate.set()
    pool = Pool(factory, limits, overloaded)
    await pool.start()
    return pool, factory


def check(test: Callable[[], Coroutine[object, object, None]]) -> None:
    asyncio.run(test())


async def code_of(work: Awaitable[object]) -> ErrorCode:
    with pytest.raises(ServiceError) as caught:
        await work
    return caught.value.code


def test_a_slot_is_reset_and_serves_again() -> None:
    async def test() -> None:
        pool, factory = await started(Limits())
        first = await pool.run(at_once, LONG)
        second = await pool.run(at_once, LONG)
        assert first is second is factory.made[0]
        await until(lambda: pool.state() == PoolState(slots=1, free=1, queued=0))
        assert first.resets == 2
        await pool.drain(LONG)
        assert first.closed.is_set()

    check(test)


def test_a_slot_is_not_free_before_its_reset_is_done() -> None:
    async def test() -> None:
        pool, factory = await started(Limits())
        factory.made[0].may_reset.clear()
        await pool.run(at_once, LONG)
        assert pool.state().free == 0
        later = asyncio.create_task(pool.run(at_once, LONG))
        await until(lambda: pool.state().queued == 1)
        factory.made[0].may_reset.set()
        await later
        await pool.drain(LONG)

    check(test)


def test_a_full_queue_says_when_to_come_back() -> None:
    async def test() -> None:
        pool, _ = await started(Limits(renderer_queue=1))
        running, waiting = Job(), Job()
        tasks = [asyncio.create_task(pool.run(job, LONG)) for job in (running, waiting)]
        await until(lambda: pool.state().queued == 1)
        with pytest.raises(ServiceError) as caught:
            await pool.run(at_once, LONG)
        assert caught.value.code is ErrorCode.RENDERER_BUSY
        assert caught.value.retry_after_s is not None
        assert caught.value.retry_after_s >= 1
        running.finish.set()
        waiting.finish.set()
        assert await asyncio.gather(*tasks) == ["done", "done"]
        await pool.drain(LONG)

    check(test)


def test_who_waits_longest_is_served_first() -> None:
    async def test() -> None:
        pool, _ = await started(Limits())
        jobs = [Job(), Job(), Job()]
        tasks = [asyncio.create_task(pool.run(job, LONG)) for job in jobs]
        await jobs[0].begun.wait()
        for now, following in itertools.pairwise(jobs):
            now.finish.set()
            await following.begun.wait()
        jobs[-1].finish.set()
        await asyncio.gather(*tasks)
        await pool.drain(LONG)

    check(test)


def test_waiting_too_long_ends_in_renderer_busy() -> None:
    async def test() -> None:
        pool, _ = await started(Limits(renderer_wait_s=0.01))
        job = Job()
        running = asyncio.create_task(pool.run(job, LONG))
        await job.begun.wait()
        assert await code_of(pool.run(at_once, LONG)) is ErrorCode.RENDERER_BUSY
        assert pool.state().queued == 0
        job.finish.set()
        await running
        await pool.drain(LONG)

    check(test)


def test_a_slot_handed_to_somebody_who_has_just_left_is_not_lost() -> None:
    async def test() -> None:
        pool, _ = await started(Limits())
        job = Job()
        running = asyncio.create_task(pool.run(job, LONG))
        leaver = asyncio.create_task(pool.run(at_once, LONG))
        await until(lambda: pool.state().queued == 1)
        job.finish.set()
        await until(lambda: pool.state().queued == 0)  # handed over, but the leaver has not run since
        leaver.cancel()
        await asyncio.wait([leaver, running])
        await until(lambda: pool.state().free == 1)
        await pool.drain(LONG)

    check(test)


def test_cancelling_the_caller_cancels_the_job_and_frees_the_slot() -> None:
    async def test() -> None:
        pool, factory = await started(Limits())
        job = Job()
        task = asyncio.create_task(pool.run(job, LONG))
        await job.begun.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await until(lambda: pool.state().free == 1)
        assert not factory.made[0].killed
        await pool.drain(LONG)

    check(test)


def test_the_deadline_kills_and_replaces() -> None:
    async def test() -> None:
        pool, factory = await started(Limits())
        kills = KILLS._value.get()
        assert await code_of(pool.run(Job(), BRIEF)) is ErrorCode.DEADLINE_EXCEEDED
        assert factory.made[0].killed
        assert KILLS._value.get() == kills + 1
        assert await pool.run(at_once, LONG) is factory.made[1]
        await pool.drain(LONG)

    check(test)


def test_a_job_that_resists_its_cancellation_ends_with_its_browser() -> None:
    async def test() -> None:
        pool, factory = await started(Limits())

        async def stubborn(resource: Fake) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await resource.gone()  # what a closing page does that waits for a browser which is stuck

        assert await code_of(pool.run(stubborn, BRIEF)) is ErrorCode.DEADLINE_EXCEEDED
        assert factory.made[0].killed
        await pool.drain(LONG)

    check(test)


def test_a_crash_while_idle_is_noticed_and_replaced() -> None:
    async def test() -> None:
        pool, factory = await started(Limits())
        factory.made[0].dead.set()
        await until(lambda: len(factory.made) == 2)
        assert factory.made[0].closed.is_set()
        assert await pool.run(at_once, LONG) is factory.made[1]
        await pool.drain(LONG)

    check(test)


def test_a_crash_during_a_job_gives_the_job_its_error_and_nobody_the_slot() -> None:
    async def test() -> None:
        pool, factory = await started(Limits())

        async def crashing(resource: Fake) -> None:
            resource.dead.set()
            await resource.closed.wait()
            raise ServiceError(ErrorCode.BROWSER_FAILED, "It ended.")

        assert await code_of(pool.run(crashing, LONG)) is ErrorCode.BROWSER_FAILED
        assert await pool.run(at_once, LONG) is factory.made[1]
        assert factory.made[0].resets == 0
        await pool.drain(LONG)

    check(test)


def test_a_worn_slot_serves_until_its_replacement_stands() -> None:
    async def test() -> None:
        pool, factory = await started(Limits(renderer_recycle_uses=2))
        old = factory.made[0]
        factory.gate.clear()
        for _ in range(4):
            assert await pool.run(at_once, LONG) is old
        assert len(factory.made) == 1
        factory.gate.set()
        await old.closed.wait()
        assert not old.killed
        assert await pool.run(at_once, LONG) is factory.made[1]
        assert pool.state().slots == 1
        await pool.drain(LONG)

    check(test)


def test_a_worn_slot_that_is_busy_when_its_replacement_stands_finishes_its_job() -> None:
    async def test() -> None:
        pool, factory = await started(Limits(renderer_recycle_uses=1))
        factory.gate.clear()
        old = await pool.run(at_once, LONG)
        await until(lambda: pool.state().free == 1)
        job = Job()
        task = asyncio.create_task(pool.run(job, LONG))
        await job.begun.wait()
        factory.gate.set()
        await until(lambda: len(factory.made) == 2)
        assert job.used is old
        assert not old.closed.is_set()
        job.finish.set()
        assert await task == "done"
        await old.closed.wait()
        await pool.drain(LONG)

    check(test)


def test_memory_above_the_mark_recycles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_WEIGH_EVERY", 1)

    async def test() -> None:
        pool, factory = await started(Limits(renderer_recycle_mb=100))
        factory.made[0].megabytes = 101
        await pool.run(at_once, LONG)
        await factory.made[0].closed.wait()
        assert await pool.run(at_once, LONG) is factory.made[1]
        await pool.drain(LONG)

    check(test)


def test_a_tainted_slot_gets_no_further_job() -> None:
    async def test() -> None:
        pool, factory = await started(Limits())

        async def spoil(resource: Fake) -> None:
            resource.tainted = True

        await pool.run(spoil, LONG)
        assert await pool.run(at_once, LONG) is factory.made[1]
        assert factory.made[0].killed
        assert factory.made[0].resets == 0
        await pool.drain(LONG)

    check(test)


def test_a_failed_or_stuck_reset_costs_the_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_RESET", BRIEF)

    async def test() -> None:
        pool, factory = await started(Limits())
        factory.made[0].reset_error = ServiceError(ErrorCode.BROWSER_FAILED, "It does not close.")
        await pool.run(at_once, LONG)
        assert await pool.run(at_once, LONG) is factory.made[1]
        await until(lambda: pool.state().free == 1)
        factory.made[1].may_reset.clear()
        await pool.run(at_once, LONG)
        assert await pool.run(at_once, LONG) is factory.made[2]
        assert factory.made[0].killed
        assert factory.made[1].killed
        await pool.drain(LONG)

    check(test)


def test_a_pool_in_which_nothing_starts_says_why() -> None:
    async def test() -> None:
        reason = ServiceError(ErrorCode.UNAVAILABLE, "No Chromium was found.")
        pool, _ = Pool(factory := Factory(errors=[reason, reason]), Limits(renderer_slots=2)), None
        factory.gate.set()
        with pytest.raises(ServiceError, match=r"No Chromium was found\."):
            await pool.start()
        with pytest.raises(ServiceError, match=r"No Chromium was found\."):
            await pool.ready()
        await pool.drain(LONG)

    check(test)


def test_failing_starts_are_repeated_until_one_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "_BACKOFF_S", (0.0, 0.0))

    async def test() -> None:
        pool, factory = await started(Limits())
        reason = ServiceError(ErrorCode.UNAVAILABLE, "Out of memory.")
        factory.errors = [reason] * 3
        factory.made[0].dead.set()
        await until(lambda: len(factory.errors) == 2)
        with pytest.raises(ServiceError, match=r"Out of memory\."):
            await pool.ready()
        assert await pool.run(at_once, LONG) is factory.made[1]
        await pool.ready()
        await pool.drain(LONG)

    check(test)


def test_a_drain_refuses_the_new_and_finishes_the_running() -> None:
    async def test() -> None:
        pool, factory = await started(Limits())
        job = Job()
        running = asyncio.create_task(pool.run(job, LONG))
        await job.begun.wait()
        waiting = asyncio.create_task(pool.run(at_once, LONG))
        await until(lambda: pool.state().queued == 1)
        drain = asyncio.create_task(pool.drain(LONG))
        assert await code_of(waiting) is ErrorCode.RENDERER_BUSY
        assert await code_of(pool.run(at_once, LONG)) is ErrorCode.RENDERER_BUSY
        assert await code_of(pool.ready()) is ErrorCode.RENDERER_BUSY
        assert not drain.done()
        job.finish.set()
        assert await running == "done"
        await drain
        assert factory.made[0].closed.is_set()
        assert pool.state().slots == 0

    check(test)


def test_a_drain_whose_grace_is_over_ends_what_still_runs() -> None:
    async def test() -> None:
        pool, factory = await started(Limits())

        async def until_its_end(resource: Fake) -> None:
            begun.set()
            await resource.gone()
            raise ServiceError(ErrorCode.BROWSER_FAILED, "It ended.")

        begun = asyncio.Event()
        running = asyncio.create_task(pool.run(until_its_end, LONG))
        await begun.wait()
        await pool.drain(BRIEF)
        assert await code_of(running) is ErrorCode.BROWSER_FAILED
        assert factory.made[0].closed.is_set()
        assert len(factory.made) == 1

    check(test)
