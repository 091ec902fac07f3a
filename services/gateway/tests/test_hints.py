"""Wake-ups inside one process."""

import asyncio
import threading
import time
from datetime import timedelta

import pytest

from gateway.hints import LocalHints

pytestmark = pytest.mark.anyio

LONG = timedelta(seconds=60)


async def _waiting(hints: LocalHints, topic: str, count: int = 1) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(hints.wait(topic, LONG)) for _ in range(count)]
    await asyncio.sleep(0)  # lets each of them run up to its wait
    assert len(hints._waiting[topic]) == count
    return tasks


async def test_everybody_who_waits_on_a_topic_is_woken_and_nobody_else() -> None:
    hints = LocalHints()
    ours, other = await _waiting(hints, "a", 3), await _waiting(hints, "b")
    await hints.notify("a")
    await asyncio.gather(*ours)
    assert not other[0].done()
    other[0].cancel()
    await asyncio.gather(*other, return_exceptions=True)
    assert hints._waiting == {}


async def test_a_hint_that_comes_first_is_kept_once() -> None:
    hints = LocalHints()
    await hints.notify("a")
    await hints.notify("a")
    await hints.wait("a", LONG)
    begun = time.monotonic()
    await hints.wait("a", timedelta(milliseconds=20))
    assert time.monotonic() - begun >= 0.02


async def test_hints_that_nobody_wants_do_not_pile_up() -> None:
    hints = LocalHints()
    for number in range(5_000):
        await hints.notify(f"job:{number}")
    assert len(hints._pending) == 1_024


async def test_a_waiter_that_gives_up_leaves_nothing() -> None:
    hints = LocalHints()
    await hints.wait("a", timedelta())
    assert hints._waiting == {}


async def test_a_hint_crosses_event_loops() -> None:
    hints = LocalHints()
    waiting = threading.Event()
    woken = threading.Event()

    async def sleeper() -> None:
        task = (await _waiting(hints, "a"))[0]
        waiting.set()
        await task
        woken.set()

    thread = threading.Thread(target=lambda: asyncio.run(sleeper()))
    thread.start()
    await asyncio.to_thread(waiting.wait, 10)
    await hints.notify("a")
    assert await asyncio.to_thread(woken.wait, 10)
    thread.join()
