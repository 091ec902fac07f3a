"""Fifty copies of a page that kills browsers, and what becomes of the browsers."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta

import pytest

from contracts.errors import ErrorCode
from renderer.cdp import BrowserGone
from renderer.isolation import Isolation
from renderer.poison import Verdict
from runtime.errors import ServiceError

from .test_pool import LONG, Factory, Fake, Job, Limits, at_once, code_of, started, until

BAD, GOOD = "http://bad.test/", "http://good.test/"


class Kills:
    """What the kernel says about memory."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        return self.count


async def isolated(limits: Limits) -> tuple[Isolation[Fake], Factory, Kills]:
    pool, factory = await started(limits)
    kills = Kills()
    return Isolation(pool, 600, limits.renderer_queue, kills), factory, kills


def check(test: Callable[[], Coroutine[object, object, None]]) -> None:
    asyncio.run(test())


class Deadly:
    """A page that ends every browser, or the first few."""

    def __init__(self, times: int = 1_000) -> None:
        self.victims: list[Fake] = []
        self._times = times

    async def __call__(self, resource: Fake) -> str:
        if len(self.victims) >= self._times:
            return "survived"
        self.victims.append(resource)
        resource.dead.set()
        await resource.closed.wait()
        raise BrowserGone("it ended")


def test_a_page_that_ends_one_browser_is_done_again_in_a_fresh_one() -> None:
    async def test() -> None:
        isolation, factory, _ = await isolated(Limits(renderer_slots=2))
        worn = await isolation.run(GOOD, at_once, LONG)
        page = Deadly(times=1)
        used: list[Fake] = []

        async def work(resource: Fake) -> str:
            used.append(resource)
            return await page(resource)

        assert await isolation.run(BAD, work, LONG) == "survived"
        assert len(used) == 2
        assert used[1].resets == 0, "the second attempt had a browser that had served others"
        assert used[1] is not worn
        assert isolation.poison.verdict(BAD) is Verdict.UNKNOWN, "it did no harm alone"
        assert len(factory.made) >= 3
        await isolation.pool.drain(LONG)

    check(test)


def test_the_second_time_it_is_the_pages_fault_and_stays_so() -> None:
    async def test() -> None:
        isolation, _, _ = await isolated(Limits())
        page = Deadly()
        assert await code_of(isolation.run(BAD, page, LONG)) is ErrorCode.PAGE_CRASHED
        assert len(page.victims) == 2
        assert await code_of(isolation.run(BAD, page, LONG)) is ErrorCode.PAGE_CRASHED
        assert len(page.victims) == 2, "a condemned page was opened"
        assert await isolation.run(GOOD, at_once, LONG) is not None
        await isolation.pool.drain(LONG)

    check(test)


def test_fifty_copies_end_no_more_browsers_than_there_are_slots_and_one() -> None:
    async def test() -> None:
        slots = 3
        isolation, _, _ = await isolated(Limits(renderer_slots=slots, renderer_queue=50))
        page = Deadly()
        codes = await asyncio.gather(*(code_of(isolation.run(BAD, page, LONG)) for _ in range(50)))
        assert set(codes) == {ErrorCode.PAGE_CRASHED}
        assert len(page.victims) <= slots + 1
        assert await isolation.run(GOOD, at_once, LONG) is not None
        await isolation.pool.drain(LONG)

    check(test)


def test_more_than_the_queue_do_not_wait_for_their_turn_alone() -> None:
    async def test() -> None:
        isolation, _, _ = await isolated(Limits(renderer_slots=2, renderer_queue=1))
        isolation.poison.suspect(BAD)
        job = Job()
        first = asyncio.create_task(isolation.run(BAD, job, LONG))
        await job.begun.wait()
        others = [asyncio.create_task(isolation.run(BAD, job, LONG)) for _ in range(4)]
        await until(lambda: sum(task.done() for task in others) == 2)
        refused = [task for task in others if task.done()]
        assert {await code_of(task) for task in refused} == {ErrorCode.RENDERER_BUSY}
        job.finish.set()
        assert await first == "done"
        waiting = [task for task in others if task not in refused]
        assert await asyncio.gather(*waiting) == ["done", "done"]
        await isolation.pool.drain(LONG)

    check(test)


def test_suspects_run_one_after_the_other() -> None:
    async def test() -> None:
        isolation, _, _ = await isolated(Limits(renderer_slots=2))
        jobs = [Job(), Job()]
        for number in (0, 1):
            isolation.poison.suspect(f"{BAD}{number}")
        tasks = [asyncio.create_task(isolation.run(f"{BAD}{number}", jobs[number], LONG)) for number in (0, 1)]
        await jobs[0].begun.wait()
        assert isolation.pool.state().free == 1
        assert not jobs[1].begun.is_set()
        jobs[0].finish.set()
        await jobs[1].begun.wait()
        jobs[1].finish.set()
        await asyncio.gather(*tasks)
        await isolation.pool.drain(LONG)

    check(test)


async def _second_chance(isolation: Isolation[Fake], kills: Kills, *, starved: bool) -> tuple[Job, asyncio.Task[str]]:
    """Let a page end a browser, for want of memory or not; return when its second attempt runs."""
    page, job = Deadly(times=1), Job()

    async def work(resource: Fake) -> str:
        if not page.victims:
            kills.count += starved
            return await page(resource)
        return await job(resource)

    task = asyncio.create_task(isolation.run(BAD, work, LONG))
    await job.begun.wait()
    return job, task


def test_where_memory_ran_out_nothing_starts_beside_the_second_attempt() -> None:
    async def test() -> None:
        isolation, _, kills = await isolated(Limits(renderer_slots=2))
        job, task = await _second_chance(isolation, kills, starved=True)
        good = asyncio.create_task(isolation.run(GOOD, at_once, LONG))
        await until(lambda: isolation.pool.state().queued == 1)
        await until(lambda: isolation.pool.state().free >= 1)
        assert not good.done()
        job.finish.set()
        await task
        await good
        await isolation.pool.drain(LONG)

    check(test)


def test_where_it_did_not_others_go_on() -> None:
    async def test() -> None:
        isolation, _, kills = await isolated(Limits(renderer_slots=2))
        job, task = await _second_chance(isolation, kills, starved=False)
        assert await isolation.run(GOOD, at_once, LONG) is not None
        job.finish.set()
        await task
        await isolation.pool.drain(LONG)

    check(test)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (ErrorCode.TARGET_TIMEOUT, Verdict.UNKNOWN),  # it ran alone and ended no browser
        (ErrorCode.DEADLINE_EXCEEDED, Verdict.SUSPECT),  # nobody knows
    ],
)
def test_other_failures_of_a_suspect(code: ErrorCode, verdict: Verdict) -> None:
    async def test() -> None:
        isolation, _, _ = await isolated(Limits())
        isolation.poison.suspect(BAD)

        async def failing(_resource: Fake) -> None:
            raise ServiceError(code, "No.")

        assert await code_of(isolation.run(BAD, failing, LONG)) is code
        assert isolation.poison.verdict(BAD) is verdict
        await isolation.pool.drain(LONG)

    check(test)


def test_failures_that_end_no_browser_are_not_repeated() -> None:
    async def test() -> None:
        isolation, _, _ = await isolated(Limits())
        runs = []

        async def failing(resource: Fake) -> None:
            runs.append(resource)
            raise ServiceError(ErrorCode.BROWSER_FAILED, "The browser refused a command.")

        assert await code_of(isolation.run(BAD, failing, LONG)) is ErrorCode.BROWSER_FAILED
        assert len(runs) == 1
        await isolation.pool.drain(LONG)

    check(test)


def test_without_budget_there_is_no_second_attempt_but_the_page_is_a_suspect() -> None:
    async def test() -> None:
        isolation, _, _ = await isolated(Limits())
        page = Deadly()
        assert await code_of(isolation.run(BAD, page, timedelta(seconds=0.5))) is ErrorCode.BROWSER_FAILED
        assert len(page.victims) == 1
        assert isolation.poison.verdict(BAD) is Verdict.SUSPECT
        await isolation.pool.drain(LONG)

    check(test)
