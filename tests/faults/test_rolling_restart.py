"""Two real API processes behind a balancer, replaced one after the other under load (F34)."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.fixtures.balancer import Balancer, balancing
from tests.fixtures.programs import Program, running

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CLIENTS = 8
BODY = {"url": "https://shop.test/", "preset": "rules"}


class Load:
    """Clients that submit, read and wait, without a single retry."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.stop = False
        self.accepted: list[str] = []
        self.wrong: list[str] = []

    async def client(self) -> None:
        async with httpx2.AsyncClient(base_url=self.origin, trust_env=False, timeout=30) as http:
            while not self.stop:
                made = await http.post("/v1/analyses", json=BODY, headers={"prefer": "wait=1"})
                self.check(made)
                if made.status_code in {200, 202}:
                    self.accepted.append(made.json()["id"])
                    self.check(await http.get(f"/v1/analyses/{made.json()['id']}"))

    async def goes_on(self) -> None:
        """Wait until one more is accepted."""
        seen = len(self.accepted)
        async with asyncio.timeout(60):
            while len(self.accepted) == seen:
                await asyncio.sleep(0.02)

    def check(self, answer: httpx2.Response) -> None:
        if answer.status_code not in {200, 202}:
            self.wrong.append(f"{answer.status_code} {answer.text[:200]}")


async def started(stack: ExitStack, command: str, world: dict[str, str], log: Path) -> Program:
    return await asyncio.to_thread(stack.enter_context, running(command, world, log))


@pytest.mark.timeout(170)
async def test_replacing_every_process_fails_no_request(world: dict[str, str], tmp_path: Path) -> None:
    balancer = Balancer()
    with ExitStack() as stack:
        async with balancing(balancer) as origin:
            world["BLOBS_BASE_URL"] = origin
            commands = ["api", "api", "api", "api", "worker"]
            programs = await asyncio.gather(*(started(stack, name, world, tmp_path / "log") for name in commands))
            old, new = programs[:2], programs[2:4]
            for program in old:
                balancer.add(program.port)
            load = Load(origin)
            clients = [asyncio.create_task(load.client()) for _ in range(CLIENTS)]
            for leaving, coming in zip(old, new, strict=True):
                balancer.add(coming.port)
                await load.goes_on()
                leaving.terminate()
                assert await asyncio.to_thread(leaving.end) == 0
                balancer.remove(balancer.backends[0])
                await load.goes_on()
            load.stop = True
            await asyncio.gather(*clients)
            async with httpx2.AsyncClient(base_url=origin, trust_env=False, timeout=70) as http:
                for job_id in load.accepted:
                    end = (await http.get(f"/v1/analyses/{job_id}", params={"wait": 60})).json()
                    assert end["status"] == "succeeded", end
    assert balancer.failures == []
    assert load.wrong == []


@pytest.mark.timeout(170)
async def test_workers_share_a_port_and_are_replaced(world: dict[str, str], tmp_path: Path) -> None:
    with ExitStack() as stack:
        program = await started(
            stack, "api", {**world, "WORKERS": "2", "SHUTDOWN_GRACE_SECONDS": "0"}, tmp_path / "log"
        )
        parent = psutil.Process(program.process.pid)
        port = program.port
        async with httpx2.AsyncClient(base_url=program.origin, trust_env=False, timeout=60) as http:
            assert (await http.get("/livez")).status_code == 200
        victim = parent.children()[0]
        assert len(parent.children()) == 2
        victim.kill()
        async with httpx2.AsyncClient(base_url=program.origin, trust_env=False, timeout=60) as http:
            assert (await http.get("/livez")).status_code == 200
        async with asyncio.timeout(60):
            while len(parent.children()) < 2 or victim.pid in {child.pid for child in parent.children()}:
                await asyncio.sleep(0.1)
        program.terminate()
        assert await asyncio.to_thread(program.end, 60) == 0
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


@pytest.mark.timeout(170)
async def test_no_process_outlives_its_group(world: dict[str, str], tmp_path: Path) -> None:
    with ExitStack() as stack:
        program = await started(
            stack, "api", {**world, "WORKERS": "2", "SHUTDOWN_GRACE_SECONDS": "0"}, tmp_path / "log"
        )
        members = psutil.Process(program.process.pid).children()
        assert len(members) == 2
        program.process.kill()
        _, alive = await asyncio.to_thread(psutil.wait_procs, members, 60)
        assert alive == []
