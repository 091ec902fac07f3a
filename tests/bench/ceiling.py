"""What each layer of the renderer costs: a client of forty lines, and then one part of ours after the other."""

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import async_playwright

from renderer.cdp import Connection, ProtocolError
from renderer.egress import EgressProxy
from runtime.netguard import AddressPolicy
from tests.bench.contenders import NO_OUTSIDE, SHELL, VIEWPORT, Contender, driver_pid

_START = """#!/bin/sh
for flag; do shift; case $flag in --user-data-dir=*) ;; *) set -- "$@" "$flag" ;; esac; done
exec {shell} --user-data-dir={folder}/profile --remote-debugging-port=0 "$@"
"""


@dataclass(frozen=True)
class Layers:
    """Which parts of the renderer take part. `browsers`: one for all jobs, or one for each."""

    name: str
    browsers: int = 1
    proxy: bool = False
    events: bool = False


def ladder(in_flight: int) -> list[Layers]:
    """Return the steps from the smallest client to what the renderer is made of."""
    return [
        Layers("protocol client alone, one browser"),
        Layers("+ a browser for each job", in_flight),
        Layers("+ the address-judging proxy", in_flight, proxy=True),
        Layers("+ events of every request", in_flight, proxy=True, events=True),
    ]


@asynccontextmanager
async def contender(layers: Layers, host: str) -> AsyncIterator[Contender]:
    """Start the browsers; take pictures with nothing but what `layers` names."""
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        flags = [NO_OUTSIDE]
        if layers.proxy:
            proxy = EgressProxy(AddressPolicy.from_setting(host))
            stack.push_async_callback(proxy.aclose)
        connections = []
        for _ in range(layers.browsers):
            folder = Path(stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True)))
            script = folder / "start"
            script.write_text(_START.format(shell=SHELL, folder=folder))
            script.chmod(0o755)
            if layers.proxy:
                listener = await proxy.listener()
                stack.push_async_callback(listener.aclose)
                listener.begin("bench")
                flags = [f"--proxy-server=http://127.0.0.1:{listener.port}", "--proxy-bypass-list=<-loopback>"]
            browser = await playwright.chromium.launch(executable_path=str(script), args=flags)
            stack.push_async_callback(browser.close)
            connection = await _connect(folder / "profile" / "DevToolsActivePort")
            stack.push_async_callback(connection.aclose)
            connections.append(connection)
        turn = itertools.cycle(connections)

        async def shoot(url: str) -> bytes:
            return await _shoot(next(turn), url, events=layers.events)

        yield Contender(layers.name, shoot, driver_pid())


async def _connect(port_file: Path) -> Connection:
    for _ in range(500):
        if port_file.exists() and len(parts := port_file.read_text().split()) == 2:  # a bench
            return await Connection.open(f"ws://127.0.0.1:{parts[0]}{parts[1]}")
        await asyncio.sleep(0.01)
    raise TimeoutError


async def _shoot(connection: Connection, url: str, *, events: bool) -> bytes:
    browser = connection.browser
    context = (await browser.call("Target.createBrowserContext", disposeOnDetach=True))["browserContextId"]
    target = await browser.call("Target.createTarget", url="about:blank", browserContextId=context, **VIEWPORT)
    answer = await browser.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
    page = connection.session(answer["sessionId"])
    loaded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    page.on("Page.loadEventFired", lambda _event: None if loaded.done() else loaded.set_result(None))
    commands = [
        page.call("Page.enable"),
        page.call("Emulation.setDeviceMetricsOverride", **VIEWPORT, deviceScaleFactor=1, mobile=False),
    ]
    if events:
        commands.append(page.call("Network.enable"))
    await asyncio.gather(*commands)
    await page.call("Page.navigate", url=url)
    await loaded
    try:
        picture = await page.call("Page.captureScreenshot", format="jpeg", quality=80)
    except ProtocolError:  # once in a thousand it has no frame yet
        await asyncio.sleep(0.05)
        picture = await page.call("Page.captureScreenshot", format="jpeg", quality=80)
    connection.drop(page.id)
    browser.post("Target.disposeBrowserContext", browserContextId=context)
    return base64.b64decode(picture["data"])
