"""The ways to take one viewport JPEG that are compared: the old way, bare Playwright, and our renderer over HTTP."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil
from playwright.async_api import Browser, Playwright, async_playwright

Shoot = Callable[[str], Awaitable[bytes]]

SHELL = Path(os.environ.get("CHROMIUM_PATH", "/usr/lib/chromium/chromium-headless-shell"))
FULL = Path(os.environ.get("FULL_CHROMIUM_PATH", "/usr/lib/chromium/chromium"))
VIEWPORT = {"width": 1920, "height": 1080}

# The pages name outside hosts. Refused at once for everybody: otherwise the ratios would measure name look-ups.
NO_OUTSIDE = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"


@dataclass(frozen=True)
class Contender:
    """A name, the function that takes one picture, and the process whose tree does the work."""

    name: str
    shoot: Shoot
    pid: int
    base: str = ""


def cpu_seconds(pid: int) -> float:
    """CPU time of a process tree so far, ended children included."""
    root = psutil.Process(pid)
    total = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def driver_pid() -> int:
    children = psutil.Process().children()
    return next(child.pid for child in reversed(children) if "node" in child.name())


async def _launch(playwright: Playwright, executable: Path, *flags: str) -> Browser:
    return await playwright.chromium.launch(executable_path=str(executable), args=[NO_OUTSIDE, *flags])


@asynccontextmanager
async def bare() -> AsyncIterator[Contender]:
    """One warm headless shell, a fresh context for each job, Playwright's own screenshot call."""
    async with async_playwright() as playwright:
        browser = await _launch(playwright, SHELL)

        async def shoot(url: str) -> bytes:
            context = await browser.new_context(viewport=VIEWPORT)  # type: ignore[arg-type]  # a plain dict is a size
            try:
                page = await context.new_page()
                await page.goto(url, wait_until="load")
                return await page.screenshot(type="jpeg", quality=80)
            finally:
                await context.close()

        yield Contender("bare Playwright", shoot, driver_pid())
        await browser.close()


@asynccontextmanager
async def launch_per_request() -> AsyncIterator[Contender]:
    """The old way: a full Chromium launched for each request, PNG."""
    async with async_playwright() as playwright:
        full = FULL.exists()
        flags = ("--headless=new",) if full else ()

        async def shoot(url: str) -> bytes:
            browser = await _launch(playwright, FULL if full else SHELL, *flags)
            try:
                page = await browser.new_page(viewport=VIEWPORT)  # type: ignore[arg-type]  # a plain dict is a size
                await page.goto(url, wait_until="load")
                return await page.screenshot(type="png")
            finally:
                await browser.close()

        name = "launch per request" if full else "launch per request (headless shell: no full Chromium here)"
        yield Contender(name, shoot, driver_pid())


@asynccontextmanager
async def renderer(host: str, slots: int, in_flight: int = 4) -> AsyncIterator[Contender]:
    """Our renderer as its own process, asked over HTTP for the same picture; whoever finds no slot free waits."""
    own = {"EGRESS_ALLOW_PRIVATE": host, "RENDERER_SLOTS": str(slots), "RENDERER_QUEUE": str(in_flight), "PORT": "0"}
    env = {**os.environ, **own}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "renderer", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=env
    )
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        base = line.strip().rsplit(" ", 1)[-1]
        async with httpx2.AsyncClient(base_url=base, timeout=120, trust_env=False) as client:

            async def shoot(url: str) -> bytes:
                output = {"kind": "screenshot", "format": "jpeg", "quality": 80, "viewport": VIEWPORT}
                answer = await client.post("/render", json={"url": url, "outputs": [output]})
                answer.raise_for_status()
                return answer.content

            yield Contender("our renderer over HTTP", shoot, process.pid, base)
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()
