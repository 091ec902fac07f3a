"""What keeps slots whole: their wear, their memory, what the pool says of itself, and the exchange of a slot."""

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest
from prometheus_client import REGISTRY

from contracts.errors import ErrorCode
from renderer import fleet as fleet_module
from renderer import pool as pool_module
from renderer.pool import Pool
from runtime.errors import ServiceError

from .test_pool import LONG, Factory, Fake, Job, Limits, at_once, check, code_of, started, until


def measuring(**more: Any) -> Limits:  # noqa: ANN401  # any limit
    return Limits(renderer_canary_s=0.000_001, **more)


async def readings(pool: Pool[Fake], resource: Fake, *seconds: float) -> None:
    for reading in seconds:
        before = resource.canaries
        resource.seconds = reading
        assert await pool.run(at_once, LONG) is resource
        await until(lambda: pool.state().free == 1)
        assert resource.canaries == before + 1


def test_a_slot_that_has_become_slow_twice_is_replaced_first() -> None:
    async def test() -> None:
        pool, factory = await started(measuring(), overloaded=lambda: False)
        old = factory.made[0]
        await readings(pool, old, 0.2, 0.2, 0.2, 0.7)
        assert len(factory.made) == 1
        factory.gate.clear()
        await readings(pool, old, 0.7)
        assert await pool.run(at_once, LONG) is old, "it serves until its replacement stands"
        factory.gate.set()
        await old.closed.wait()
        assert not old.killed
        assert await pool.run(at_once, LONG) is factory.made[1]
        await pool.drain(LONG)

    check(test)


def test_an_overloaded_machine_is_not_measured() -> None:
    async def test() -> None:
        pool, factory = await started(measuring(), overloaded=lambda: True)
        await pool.run(at_once, LONG)
        await until(lambda: pool.state().free == 1)
        assert factory.made[0].canaries == 0
        await pool.drain(LONG)

    check(test)


def test_a_slot_whose_canary_fails_is_killed() -> None:
    async def test() -> None:
        pool, factory = await started(measuring(), overloaded=lambda: False)
        factory.made[0].canary_error = ServiceError(ErrorCode.BROWSER_FAILED, "It does not answer.")
        await pool.run(at_once, LONG)
        await factory.made[0].closed.wait()
        assert factory.made[0].killed
        assert await pool.run(at_once, LONG) is factory.made[1]
        await pool.drain(LONG)

    check(test)


def memory_of(number: int) -> float | None:
    return REGISTRY.get_sample_value("cro_renderer_slot_memory_bytes", {"slot": str(number)})


def test_memory_is_accounted_for_each_slot_and_no_longer_when_it_has_gone() -> None:
    async def test() -> None:
        pool, factory = await started(Limits(renderer_slots=2))
        for slot in pool._fleet.slots:
            await pool._fleet.weigh(slot)
        assert pool.pressure().memory_mb == [1, 1]
        assert memory_of(0) == memory_of(1) == 1024 * 1024
        factory.gate.clear()
        factory.made[0].dead.set()
        await until(lambda: pool.state().slots == 1)
        assert [memory_of(0), memory_of(1)].count(None) == 1
        factory.gate.set()
        await pool.drain(LONG)
        assert memory_of(0) is memory_of(1) is None

    check(test)


def test_pressure_says_what_uses_the_pool_and_whether_there_is_room() -> None:
    async def test() -> None:
        pool, _ = await started(Limits(renderer_queue=1))
        assert pool.pressure().accepting
        running, waiting = Job(), Job()
        tasks = [asyncio.create_task(pool.run(running, LONG))]
        await running.begun.wait()
        assert pool.pressure().busy == 1
        assert pool.pressure().accepting, "one may wait"
        tasks.append(asyncio.create_task(pool.run(waiting, LONG)))
        await until(lambda: pool.state().queued == 1)
        full = pool.pressure()
        assert not full.accepting
        assert full.reason == "full"
        assert full.retry_after_s >= 1
        next(iter(pool._fleet.slots)).since -= 7
        assert 7 <= pool.pressure().oldest_job_s < 30
        drain = asyncio.create_task(pool.drain(LONG))
        await until(lambda: pool.pressure().reason == "draining")
        running.finish.set()
        await asyncio.gather(*tasks, drain, return_exceptions=True)

    check(test)


def test_pressure_without_a_browser() -> None:
    async def test() -> None:
        pool: Pool[Fake] = Pool(Factory(), Limits())
        assert pool.pressure().reason == "no_browser"

    check(test)


def test_who_is_refused_in_a_drain_is_told_when_to_come_back() -> None:
    async def test() -> None:
        pool, _ = await started(Limits())
        job = Job()
        running = asyncio.create_task(pool.run(job, LONG))
        await job.begun.wait()
        waiting = asyncio.create_task(pool.run(at_once, LONG))
        await until(lambda: pool.state().queued == 1)
        drain = asyncio.create_task(pool.drain(LONG))
        for refused in (waiting, pool.run(at_once, LONG)):
            with pytest.raises(ServiceError) as caught:
                await refused
            assert caught.value.code.status == 503
            assert caught.value.retry_after_s == 1
        job.finish.set()
        assert await running == "done"
        await drain

    check(test)


def test_a_slot_that_cannot_be_exchanged_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "_BACKOFF_S", (0.0, 0.0))

    async def test() -> None:
        pool, factory = await started(Limits())
        await pool.run(at_once, LONG)
        factory.errors = [ServiceError(ErrorCode.UNAVAILABLE, "Out of memory.")]
        assert await code_of(pool.run_alone(at_once, LONG, nullcontext())) is ErrorCode.UNAVAILABLE
        assert await pool.run(at_once, LONG) is factory.made[1]
        await pool.drain(LONG)

    check(test)


def test_a_hold_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_HOLD_S", 0.01)

    async def test() -> None:
        pool, _ = await started(Limits())
        with pool.hold():
            assert await pool.run(at_once, LONG) is not None
        await pool.drain(LONG)

    check(test)


def test_a_job_that_takes_more_than_its_share_stands_back_and_its_browser_serves_no_other() -> None:
    async def test() -> None:
        pool, factory = await started(Limits())
        greedy, job = factory.made[0], Job()
        task = asyncio.create_task(pool.run(job, LONG))
        await job.begun.wait()
        (slot,) = pool._fleet.slots
        for cpu, yielded in ((50.0, False), (51.9, False), (52.0, True)):
            greedy.cpu = cpu
            await pool._fleet.ration(slot)
            assert greedy.yielded is yielded
        assert await pool.run(at_once, LONG) is factory.made[1], "its successor does not wait for its end"
        job.finish.set()
        assert await task == "done"
        await greedy.closed.wait()
        assert await pool.run(at_once, LONG) is factory.made[1]
        assert len(factory.made) == 2
        await pool.drain(LONG)


def test_jobs_that_take_too_much_do_not_multiply_browsers() -> None:
    async def test() -> None:
        pool, factory = await started(Limits(renderer_slots=2))
        jobs = [Job() for _ in range(3)]
        tasks = []
        for job in jobs:
            tasks.append(asyncio.create_task(pool.run(job, LONG)))
            await job.begun.wait()
            (slot,) = (slot for slot in pool._fleet.slots if slot.resource is job.used)
            await pool._fleet.ration(slot)
            slot.resource.cpu = 3.0
            await pool._fleet.ration(slot)
        assert len(factory.made) == 3
        for job in jobs:
            job.finish.set()
        await asyncio.gather(*tasks)
        await until(lambda: pool.state().free == 2)
        assert len(factory.made) == 5
        await pool.drain(LONG)

    check(test)

    check(test)


def test_each_job_has_a_share_of_its_own() -> None:
    async def test() -> None:
        pool, factory = await started(Limits())
        for turn in range(4):
            job = Job()
            task = asyncio.create_task(pool.run(job, LONG))
            await job.begun.wait()
            (slot,) = pool._fleet.slots
            factory.made[0].cpu = 1.5 * turn
            await pool._fleet.ration(slot)
            job.finish.set()
            await task
            await until(lambda: pool.state().free == 1)
        assert not factory.made[0].yielded
        await pool.drain(LONG)

    check(test)
