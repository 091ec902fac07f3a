import asyncio
from pathlib import Path

from renderer.browser import Listener, start
from renderer.launcher import Launcher
from renderer.settings import RendererSettings

from .test_launcher import Nowhere


def test_a_browser_can_be_measured_again_and_again_and_keeps_nothing(scratch: Path) -> None:
    async def test() -> None:
        async with Launcher(RendererSettings(renderer_scratch=scratch)) as launching:
            browser = await start(launching, listener, sandboxed=True)
            call = browser._connection.browser.call
            before = (await call("Target.getBrowserContexts"))["browserContextIds"]
            readings = [await browser.canary() for _ in range(4)]
            assert all(0 < reading < 60 for reading in readings)
            assert (await call("Target.getBrowserContexts"))["browserContextIds"] == before
            assert set(browser._first) <= set(before)
            assert browser.memory_mb() > 50
            assert browser.cpu_s() > 0
            await browser.aclose()

    async def listener() -> Listener:
        return Nowhere([])

    asyncio.run(test())


def test_folders_that_come_back_are_swept(scratch: Path) -> None:
    async def test() -> None:
        async with Launcher(RendererSettings(renderer_scratch=scratch)) as launching:
            browser = await start(launching, listener, sandboxed=True)
            stray = browser.folder.with_name("slot-stray")
            (stray / "profile").mkdir(parents=True)
            await launching.tidy()
            assert not stray.exists()
            assert browser.folder.exists()
            await browser.aclose()
            assert not browser.folder.exists()

    async def listener() -> Listener:
        return Nowhere([])

    asyncio.run(test())
