"""The renderer as a process with a temporary folder of its own, and what the system says about its tree."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import psutil

_MOMENT_S = 2.0
_IDLE_S = 2.0
_SWEPT_S = 10.0
VIEWPORT = {"width": 1280, "height": 800}


@dataclass(frozen=True)
class Answer:
    """What became of one request."""

    status: int
    code: str
    seconds: float
    retry_after_s: float | None

    @property
    def good(self) -> bool:
        return self.status == httpx2.codes.OK


@dataclass(frozen=True)
class Service:
    """A running renderer."""

    client: httpx2.AsyncClient
    pid: int
    temp: Path

    async def shoot(self, url: str, budget_ms: int = 30_000, **output: Any) -> Answer:  # noqa: ANN401  # a request body
        wanted = {"kind": "screenshot", "format": "jpeg", "viewport": VIEWPORT, **output}
        begun = time.perf_counter()
        try:
            answer = await self.client.post("/render", json={"url": url, "outputs": [wanted], "budget_ms": budget_ms})
        except httpx2.TransportError as exc:
            return Answer(0, type(exc).__name__, time.perf_counter() - begun, None)
        seconds = time.perf_counter() - begun
        retry_after = answer.headers.get("retry-after")
        typed = answer.headers["content-type"] == "application/problem+json"
        code = str(answer.json()["code"]) if typed else ""
        return Answer(answer.status_code, code, seconds, float(retry_after) if retry_after else None)

    async def pressure(self) -> dict[str, Any]:
        read: dict[str, Any] = (await self.client.get("/pressure")).json()
        return read

    async def quiet(self) -> None:
        """Wait until every browser is there and idle."""
        give_up = time.monotonic() + 60
        while (pressure := await self.pressure())["free"] != slots() or pressure["slots"] != slots():
            assert time.monotonic() < give_up, pressure
            await asyncio.sleep(0.1)

    def tree(self) -> list[psutil.Process]:
        root = psutil.Process(self.pid)
        return [root, *root.children(recursive=True)]

    def pss_mb(self) -> float:
        total = 0
        for process in self.tree():
            try:
                total += process.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
        return total / 2**20

    async def zombies(self) -> int:
        """Return how many ended processes nobody clears away; one that has ended just now is no such."""
        seen = {process.pid for process in self.tree() if _is_zombie(process)}
        if not seen:
            return 0
        await asyncio.sleep(_MOMENT_S)
        return len(seen & {process.pid for process in self.tree() if _is_zombie(process)})

    async def folders(self, usual: int) -> int:
        """Return the entries of the temporary folder; those of a browser that is just being replaced get time to go."""
        give_up = time.monotonic() + _SWEPT_S
        while (found := self._folders()) > usual and time.monotonic() < give_up:
            await asyncio.sleep(0.1)
        return found

    def _folders(self) -> int:
        return len([*self.temp.glob("*"), *self.temp.glob("cro-renderer-*/*")])


def slots() -> int:
    return int(os.environ.get("LOAD_SLOTS", "4"))


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@asynccontextmanager
async def service(host: str, **settings: str) -> AsyncIterator[Service]:
    """Start the renderer with pages of `host` allowed; end it with SIGTERM."""
    with TemporaryDirectory(prefix="load-") as folder:
        temp = Path(folder)
        temp.chmod(0o755)
        env = {**os.environ, "TMPDIR": folder, "PORT": "0", "RENDERER_SLOTS": str(slots()), "LOG_LEVEL": "ERROR"}
        env |= {"EGRESS_ALLOW_PRIVATE": host, **settings}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "renderer", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=env
        )
        try:
            assert process.stdout is not None
            line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
            # Shorter than the server's: else a request meets a connection that is just being closed.
            limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=_IDLE_S)
            base = line.strip().rsplit(" ", 1)[-1]
            async with httpx2.AsyncClient(base_url=base, timeout=180, trust_env=False, limits=limits) as client:
                yield Service(client, process.pid, temp)
        finally:
            process.send_signal(signal.SIGTERM)
            await process.wait()
