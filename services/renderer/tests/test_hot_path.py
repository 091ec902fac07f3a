"""What a plain picture costs in commands: each one more is time that every caller pays."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import ErrorCode
from contracts.geometry import DESKTOP
from contracts.outputs import ScreenshotOutput
from contracts.visit import FailIf, Visit
from renderer.agents import agent
from renderer.browser import Browser
from renderer.capture import Capture
from renderer.cdp import Connection, Message
from renderer.egress import EgressProxy
from renderer.launcher import Launcher
from renderer.plan import Limits, Plan
from renderer.stopwatch import Stopwatch
from renderer.view import View
from renderer.visiting import guise
from runtime.errors import ServiceError
from runtime.netguard import AddressPolicy
from tests.fixtures.site import Site

from .conftest import settings_for


class Recording(Connection):
    """A connection that remembers what was done for it: Chromium may refuse a picture once, before its first frame."""

    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401  # the base class's own
        self.methods: list[str] = []
        super().__init__(*arguments)

    async def send(self, session_id: str, method: str, params: Message, answer: asyncio.Future[Any]) -> None:
        def done(answered: asyncio.Future[Any]) -> None:
            if not answered.cancelled() and answered.exception() is None:
                self.methods.append(method)

        answer.add_done_callback(done)
        await super().send(session_id, method, params, answer)


class Lagging(Recording):
    """A connection on which the answer to a navigation comes last, after every event that belongs to it."""

    async def send(self, session_id: str, method: str, params: Message, answer: asyncio.Future[Any]) -> None:
        if method != "Page.navigate":
            await super().send(session_id, method, params, answer)
            return
        early: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        stopped = asyncio.Event()
        self.session(session_id).on("Page.frameStoppedLoading", lambda _event: stopped.set())
        await super().send(session_id, method, params, early)
        await stopped.wait()
        if not answer.done():
            answer.set_result(await early)


async def sent(
    site: Site, scratch: Path, plan: Plan, connections: type[Recording] = Recording
) -> tuple[list[str], View]:
    """Make one view in a browser of its own; return the commands that it took, in alphabetical order."""
    settings = settings_for(site, scratch)
    egress = EgressProxy(AddressPolicy.from_setting(settings.egress_allow_private))
    async with AsyncExitStack() as stack:
        launcher = await stack.enter_async_context(Launcher(settings))
        stack.push_async_callback(egress.aclose)
        listener = await egress.listener()
        started = await launcher.launch(listener.port)
        connection = await connections.open(await started.devtools())
        browser = Browser(started, connection, listener)
        stack.push_async_callback(browser.aclose)
        page = await browser.page()
        connection.methods.clear()
        now = asyncio.get_running_loop().time()
        lap = Stopwatch().view()
        limits = Limits(load=now + 20, end=now + 30)
        view = await Capture(page, plan, lap).run(agent(DESKTOP, browser.version), browser.begin("job"), limits)
        return sorted(connection.methods), view


def test_a_plain_picture_takes_these_commands_and_no_more(site: Site, scratch: Path) -> None:
    url = site.url("/static")
    plan = Plan(url, DESKTOP, (ScreenshotOutput(),), None, watched=False)
    methods, view = asyncio.run(sent(site, scratch, plan))
    assert methods == [
        "Emulation.setDeviceMetricsOverride",
        "Page.captureScreenshot",
        "Page.createIsolatedWorld",
        "Page.navigate",
        "Runtime.evaluate",
    ]
    assert view.warnings == []


def test_an_error_page_that_comes_before_the_answer_does_not_hide_why(site: Site, scratch: Path) -> None:
    plan = Plan(site.url("/redirect?to=chrome://crash"), DESKTOP, (ScreenshotOutput(),), None, watched=False)
    with pytest.raises(ServiceError) as refused:
        asyncio.run(sent(site, scratch, plan, Lagging))
    assert refused.value.code is ErrorCode.URL_FORBIDDEN


def test_an_option_costs_what_it_needs(site: Site, scratch: Path) -> None:
    url = site.url("/static")
    worn = guise(Visit(timezone="Asia/Tokyo"), url)
    plan = Plan(url, DESKTOP, (ScreenshotOutput(),), None, guise=worn, fail_if=FailIf(statuses=[404]))
    methods, _view = asyncio.run(sent(site, scratch, plan))
    assert methods == [
        "Emulation.setDeviceMetricsOverride",
        "Emulation.setTimezoneOverride",
        "Network.enable",
        "Network.setBypassServiceWorker",
        "Page.captureScreenshot",
        "Page.createIsolatedWorld",
        "Page.navigate",
        "Runtime.evaluate",
        "Target.setAutoAttach",
    ]
