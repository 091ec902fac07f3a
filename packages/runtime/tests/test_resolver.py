import asyncio
import ipaddress
import socket

import pytest

from contracts.errors import ErrorCode
from runtime.addresses import IPAddress
from runtime.errors import ServiceError
from runtime.resolver import CachingResolver, SystemResolver

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Counting:
    """Answers names that start with `good`, when the gate is open, and counts the questions."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def resolve(self, host: str) -> list[IPAddress]:
        self.asked.append(host)
        await self.gate.wait()
        if not host.startswith("good"):
            raise ServiceError(ErrorCode.TARGET_DNS, "no address")
        return [ipaddress.ip_address("93.184.216.34")]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_answers_are_kept_for_their_time() -> None:
    inner, clock = Counting(), Clock()
    resolver = CachingResolver(inner, keep_s=30, clock=clock)
    for clock.now in (0, 29.9, 30, 31):
        assert await resolver.resolve("good.example") == [ipaddress.ip_address("93.184.216.34")]
    assert len(inner.asked) == 2


async def test_failures_are_kept_for_less() -> None:
    inner, clock = Counting(), Clock()
    resolver = CachingResolver(inner, keep_failure_s=10, clock=clock)
    for clock.now in (0, 9.9, 10):
        with pytest.raises(ServiceError) as caught:
            await resolver.resolve("dead.example")
        assert caught.value.code is ErrorCode.TARGET_DNS
    assert len(inner.asked) == 2


async def test_the_oldest_name_makes_room() -> None:
    inner = Counting()
    resolver = CachingResolver(inner, size=2)
    for host in ("good1", "good2", "good3", "good3", "good2", "good1"):
        await resolver.resolve(host)
    assert inner.asked == ["good1", "good2", "good3", "good1"]


async def test_a_caller_cannot_change_the_kept_answer() -> None:
    resolver = CachingResolver(Counting())
    (await resolver.resolve("good")).clear()
    assert len(await resolver.resolve("good")) == 1


async def test_those_who_wait_share_one_question_even_if_the_first_leaves() -> None:
    inner = Counting()
    inner.gate.clear()
    resolver = CachingResolver(inner)
    waiting = [asyncio.create_task(resolver.resolve("good")) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    inner.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert all(result == [ipaddress.ip_address("93.184.216.34")] for result in results[1:])
    assert inner.asked == ["good"]


async def test_closing_ends_open_questions() -> None:
    inner = Counting()
    inner.gate.clear()
    resolver = CachingResolver(inner)
    waiting = asyncio.create_task(resolver.resolve("good"))
    await asyncio.sleep(0)
    await resolver.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_the_system_knows_its_own_host() -> None:
    resolver = SystemResolver()
    answers = await resolver.resolve("localhost")
    resolver.close()
    assert ipaddress.ip_address("127.0.0.1") in answers or ipaddress.ip_address("::1") in answers
    assert len(answers) == len(set(answers))


@pytest.mark.parametrize("failure", [socket.gaierror(-2, "unknown"), UnicodeError("label"), ValueError("fe80::1%9x")])
async def test_every_failure_of_the_system_is_a_name_without_address(
    failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    resolver = SystemResolver()
    with pytest.raises(ServiceError) as caught:
        await resolver.resolve("a.example")
    resolver.close()
    assert caught.value.code is ErrorCode.TARGET_DNS


async def test_a_lookup_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    never: asyncio.Future[list[IPAddress]] = loop.create_future()
    monkeypatch.setattr(loop, "run_in_executor", lambda *_: never)
    resolver = SystemResolver(limit_s=0.01)
    with pytest.raises(ServiceError, match="no address"):
        await resolver.resolve("slow.example")
    resolver.close()
