"""Several renderers, each at an address of its own: who gets which order, and who is passed over."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
from fastapi import FastAPI, Request, Response
from starlette.middleware.base import RequestResponseEndpoint

from contracts.errors import ErrorCode
from contracts.outputs import ScreenshotOutput
from contracts.render import PoolState, RenderRequest, RenderResult
from gateway.renderers import Renderers
from runtime.errors import ServiceError
from tests.fixtures.fleet import Fleet, served
from tests.fixtures.programs import free_port

pytestmark = pytest.mark.anyio

ORDER = RenderRequest(job_id="an_1", url="https://shop.test/", outputs=[ScreenshotOutput(name="screenshot")])
BUDGET = timedelta(seconds=60)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Stub(Fleet):
    """A renderer that holds its orders as long as it is told to, and knows how many it has had."""

    def __init__(self, pool: PoolState | None = None) -> None:
        super().__init__(before_render=self._hold)
        self.change_render = {"pool": pool or PoolState(slots=4, free=4)}
        self.orders = 0
        self.hosts: set[str] = set()
        self.refuses = False
        self.arrived = threading.Semaphore(0)
        self.go = threading.Event()
        self.go.set()

    async def _hold(self, _: RenderRequest) -> None:
        if self.refuses:
            raise ServiceError(ErrorCode.RENDERER_BUSY, "No room.", retry_after_s=1)
        self.orders += 1
        self.arrived.release()
        await asyncio.to_thread(self.go.wait, 60)

    def renderer(self) -> FastAPI:
        app = super().renderer()

        @app.middleware("http")
        async def note(request: Request, call_next: RequestResponseEndpoint) -> Response:
            self.hosts.add(request.headers["host"])
            return await call_next(request)

        return app

    async def has(self, orders: int) -> None:
        for _ in range(orders):
            assert await asyncio.to_thread(self.arrived.acquire, timeout=60)

    async def _uploaded(self, *_: object) -> dict[str, object]:  # type: ignore[override]  # nothing is stored here
        return {}


@contextmanager
def running(*stubs: Stub) -> Iterator[list[str]]:
    with ExitStack() as stack:
        yield [stack.enter_context(served(stub.renderer())) for stub in stubs]


async def post(renderers: Renderers) -> RenderResult:
    return await renderers.post("/render", ORDER, RenderResult, BUDGET)


async def test_orders_go_to_whom_has_least_to_do() -> None:
    stubs = [Stub(), Stub()]
    with running(*stubs) as origins:
        async with Renderers(",".join(origins)) as renderers:
            for stub in stubs:
                stub.go.clear()
            orders = [asyncio.create_task(post(renderers)) for _ in range(8)]
            for stub in stubs:
                await stub.has(4)
            for stub in stubs:
                stub.go.set()
            await asyncio.gather(*orders)
    assert [stub.orders for stub in stubs] == [4, 4]


async def test_the_work_of_other_workers_counts() -> None:
    crowded, free = Stub(PoolState(slots=4, free=0, queued=4)), Stub()
    with running(crowded, free) as origins:
        async with Renderers(",".join(origins), clock=Clock()) as renderers:
            for _ in range(6):
                await post(renderers)
    assert (crowded.orders, free.orders) == (1, 5)


async def test_what_a_renderer_said_about_others_is_soon_forgotten() -> None:
    clock, crowded, free = Clock(), Stub(PoolState(slots=4, free=0, queued=4)), Stub()
    with running(crowded, free) as origins:
        async with Renderers(",".join(origins), clock=clock) as renderers:
            for _ in range(3):
                await post(renderers)
            clock.now += 4
            await post(renderers)
    assert (crowded.orders, free.orders) == (2, 2)


async def test_an_order_that_one_refuses_goes_to_the_next() -> None:
    full, free = Stub(), Stub()
    full.refuses = True
    with running(full, free) as origins:
        async with Renderers(",".join(origins)) as renderers:
            for _ in range(3):
                await post(renderers)
            free.refuses = True
            with pytest.raises(ServiceError) as refused:
                await post(renderers)
    assert (full.orders, free.orders) == (0, 3)
    assert (refused.value.code, refused.value.retry_after_s) == (ErrorCode.RENDERER_BUSY, 1)


async def test_one_that_takes_no_connection_is_passed_over() -> None:
    there = Stub()
    with running(there) as origins:
        async with Renderers(f"http://127.0.0.1:{free_port()},{origins[0]}") as renderers:
            for _ in range(3):
                assert (await post(renderers)).pool == PoolState(slots=4, free=4)
    assert there.orders == 3


async def test_nobody_there_is_an_outage() -> None:
    async with Renderers(f"http://127.0.0.1:{free_port()}") as renderers:
        with pytest.raises(ServiceError) as failed:
            await post(renderers)
    assert failed.value.code is ErrorCode.UNAVAILABLE


async def test_an_order_that_was_begun_is_not_given_to_another() -> None:
    broken, other = Stub(), Stub()
    broken.change_render = {"pool": "nonsense"}
    with running(broken, other) as origins:
        async with Renderers(",".join(origins)) as renderers:
            with pytest.raises(ServiceError) as failed:
                await post(renderers)
    assert (failed.value.code, other.orders) == (ErrorCode.INTERNAL, 0)


async def test_the_room_is_that_of_all_together() -> None:
    with running(Stub(), Stub(PoolState(slots=2, free=1, queued=0))) as origins:
        async with Renderers(",".join(origins)) as renderers:
            assert (await post(renderers)).pool == PoolState(slots=8, free=4), (
                "the second is thought to be like the first"
            )
            assert (await post(renderers)).pool == PoolState(slots=6, free=5)


async def test_every_address_of_a_name_is_a_renderer_and_comes_and_goes_with_it() -> None:
    clock, first, second = Clock(), Stub(), Stub()
    found = ["127.0.0.1"]

    async def resolve(host: str, at: int) -> list[str]:
        assert (host, at) == ("renderer", port)
        if not found:
            raise socket.gaierror(socket.EAI_AGAIN, "away")
        return list(found)

    with running(first) as origins:
        port = int(origins[0].rpartition(":")[2])
        with served(second.renderer(), ("127.0.0.2", port)):
            async with Renderers(f"http://renderer:{port}", resolve, clock) as renderers:
                await post(renderers)
                found.append("127.0.0.2")
                await post(renderers)
                assert second.orders == 0, "a name is not looked up for every order"
                clock.now += 6
                await post(renderers)
                assert (first.orders, second.orders) == (2, 1)
                del found[:]
                clock.now += 6
                await post(renderers)
                assert (first.orders, second.orders) == (2, 2), "a name server that is away takes nobody along"
                found.append("127.0.0.2")
                clock.now += 6
                await post(renderers)
                await post(renderers)
    assert (first.orders, second.orders) == (2, 4)
    assert first.hosts | second.hosts == {f"renderer:{port}"}


async def test_one_that_is_gone_may_finish() -> None:
    clock, leaving, staying = Clock(), Stub(), Stub()
    found = ["127.0.0.1"]

    async def resolve(_: str, __: int) -> list[str]:
        return list(found)

    with running(leaving) as origins:
        port = int(origins[0].rpartition(":")[2])
        with served(staying.renderer(), ("127.0.0.2", port)):
            async with Renderers(f"http://renderer:{port}", resolve, clock) as renderers:
                leaving.go.clear()
                order = asyncio.create_task(post(renderers))
                await leaving.has(1)
                found[:] = ["127.0.0.2"]
                clock.now += 6
                await post(renderers)
                leaving.go.set()
                assert (await order).job_id == "an_1"
    assert (leaving.orders, staying.orders) == (1, 1)


async def test_this_machines_name_is_one_renderer() -> None:
    stub = Stub()
    with running(stub) as origins:
        port = origins[0].rpartition(":")[2]
        async with Renderers(f"http://localhost:{port}") as renderers:
            for _ in range(3):
                assert (await post(renderers)).pool == PoolState(slots=4, free=4)
    assert stub.orders == 3
