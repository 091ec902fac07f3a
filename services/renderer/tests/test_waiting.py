import asyncio

import pytest

from contracts.errors import ErrorCode
from renderer.waiting import LONGEST_S, Line, Promises, retry_after_s
from runtime.errors import ServiceError

from .test_pool import until


@pytest.mark.parametrize(
    ("queued", "promised", "slots", "turnaround_s", "expected"),
    [
        (0, 0, 4, 2.0, 1.0),  # half a second, rounded up to the header's grain
        (15, 0, 4, 2.0, 8.0),  # sixteen jobs, two a second
        (15, 20, 4, 2.0, 16.0),  # and sixteen of the twenty that were sent away
        (15, 0, 1, 2.0, 32.0),
        (15, 0, 0, 2.0, 32.0),  # no browser runs: count on one
        (500, 0, 4, 2.0, 60.0),
        (3, 0, 2, 0.0, 1.0),
    ],
)
def test_retry_after_is_what_waits_over_the_drain_rate(
    queued: int, promised: int, slots: int, turnaround_s: float, expected: float
) -> None:
    assert retry_after_s(queued, promised, slots, turnaround_s) == pytest.approx(expected)


def test_who_was_told_to_come_back_counts_until_then() -> None:
    now = [0.0]
    promises = Promises(lambda: now[0])
    for seconds in (3.0, 1.0, LONGEST_S):
        promises.add(seconds)
    assert len(promises) == 2, "beyond a minute nothing is promised, so the memory is bounded"
    now[0] = 1.0
    assert len(promises) == 1
    now[0] = 3.0
    assert len(promises) == 0


def test_ending_the_line_refuses_all_who_wait() -> None:
    async def test() -> None:
        line: Line[str] = Line(2, lambda _slot: None)
        waiting = [asyncio.create_task(line.wait(30)) for _ in range(2)]
        await until(lambda: len(line) == 2)
        assert line.full
        line.end(ServiceError(ErrorCode.RENDERER_BUSY, "It stops."))
        for outcome in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(outcome, ServiceError)
        assert len(line) == 0
        assert not line.hand("slot")

    asyncio.run(test())
