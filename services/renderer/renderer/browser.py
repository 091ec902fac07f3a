"""A slot's browser: the process, our connection to it, its own way out, and a page opened ahead of the next job."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Protocol

import structlog

from contracts.errors import ErrorCode
from contracts.geometry import DESKTOP
from renderer import canary, processes, sandbox
from renderer.agents import agent
from renderer.cdp import Connection, Message
from renderer.launcher import Launcher, Started, sandbox_failure
from renderer.page import Page, open_page
from runtime.errors import ServiceError

_CONNECTS = 5
_LOOKS, _LOOK_S = 50, 0.02

log = structlog.get_logger(__name__)


class Refusal(Protocol):
    """One connection that was refused, or that failed."""

    @property
    def code(self) -> ErrorCode:
        """Why."""


class Traffic(Protocol):
    """What went through the way out during one job."""

    @property
    def blocked(self) -> Sequence[Refusal]:
        """What was refused."""

    def verdict(self, host: str, port: int | None = None) -> ErrorCode | None:
        """Return the latest failure of that host."""


class Listener(Protocol):
    """A way out for one browser."""

    @property
    def port(self) -> int:
        """The loopback port that the browser uses as its proxy."""

    def begin(self, job_id: str) -> Traffic:
        """Start counting anew."""

    async def aclose(self) -> None:
        """Close it."""


class Browser:
    """One running browser. It serves one job at a time; `renderer.pool` sees to that."""

    def __init__(self, started: Started, connection: Connection, listener: Listener) -> None:
        """Use `start`."""
        self.tainted = False
        self.pid = started.pid
        self.folder = started.folder
        self.version = started.browser.version
        self._started = started
        self._connection = connection
        self._listener = listener
        self._pages: list[Page] = []
        self._first: dict[str, str] = {}
        self._spare: asyncio.Task[Page] | None = self._prepare()
        connection.browser.on("Target.targetCreated", self._created)

    def begin(self, job_id: str) -> Traffic:
        """Begin a job: its traffic is counted from here."""
        return self._listener.begin(job_id)

    async def page(self) -> Page:
        """Return a fresh page; the first is there already. Raises `ServiceError` (browser_failed)."""
        opened, self._spare = self._spare, None
        try:
            page = await (opened or self._prepare())
        except asyncio.CancelledError:
            self.tainted = True  # a context may be left that nobody would close
            raise
        self._pages.append(page)
        return page

    async def gone(self) -> None:
        """Return when the browser has ended."""
        await self._connection.closed.wait()

    async def reset(self) -> None:
        """Close the job's pages and open the next one ahead."""
        pages, self._pages = self._pages, []
        self._spare = self._spare or self._prepare()
        await asyncio.gather(*(page.close() for page in pages))
        for page in pages:
            self._first.pop(page.context, None)

    async def canary(self) -> float:
        """Return the seconds that our own small page takes now. Raises `ServiceError`."""
        reading = await canary.measure(self._connection)
        self._first.pop(reading.context, None)
        return reading.seconds

    def memory_mb(self) -> int:
        """Return the memory of all its processes."""
        return processes.memory_mb(self.pid)

    def cpu_s(self) -> float:
        """Return the CPU time that all its processes have taken, in seconds."""
        return processes.cpu_s(self.pid)

    def yield_cpu(self) -> None:
        """Let every other process on the machine go first."""
        processes.yield_cpu(self.pid)

    def kill(self) -> None:
        """Kill all its processes."""
        processes.kill_group(self.pid)

    async def aclose(self) -> None:
        """End it and delete its folder."""
        self.kill()
        if self._spare:
            self._spare.cancel()
            with suppress(ServiceError, asyncio.CancelledError):
                await self._spare
        await self._connection.aclose()
        await self._started.aclose()
        await self._listener.aclose()

    async def discover(self) -> None:
        """Ask to be told of pages that pages open."""
        await self._connection.browser.call("Target.setDiscoverTargets", discover=True, filter=[{"type": "page"}])

    async def check_sandbox(self) -> None:
        """Raise `ServiceError` unless the page that is open runs behind a filter, in namespaces of its own."""
        assert self._spare, "checked after a job"
        await asyncio.shield(self._spare)
        for _ in range(_LOOKS):
            lacking = sandbox.gaps(self.pid)
            if lacking == []:
                return
            await asyncio.sleep(_LOOK_S)  # a process that has just been forked has no filter yet
        raise sandbox_failure(f"page processes lack: {lacking}")

    def _prepare(self) -> asyncio.Task[Page]:
        task = asyncio.create_task(open_page(self._connection, agent(DESKTOP, self.version)))
        task.add_done_callback(_seen)
        return task

    def _created(self, event: Message) -> None:
        info = event["targetInfo"]
        # The first page of a context is ours; others were opened by it, with or without an opener to tell them by.
        if self._first.setdefault(info.get("browserContextId", ""), info["targetId"]) != info["targetId"]:
            self._connection.browser.post("Target.closeTarget", targetId=info["targetId"])


def _seen(task: asyncio.Task[Page]) -> None:
    # A page that could not be opened ahead is reported to the job that needs it, or to nobody when the browser ends.
    if not task.cancelled():
        task.exception()


async def _connect(started: Started) -> Connection:
    for _ in range(_CONNECTS):
        # Chromium writes the address in pieces, and before it listens: what was read may be half of it.
        with suppress(ServiceError):
            return await Connection.open(await started.devtools())
        await asyncio.sleep(_LOOK_S)
    return await Connection.open(await started.devtools())


async def start(launcher: Launcher, way_out: Callable[[], Awaitable[Listener]], *, sandboxed: bool) -> Browser:
    """Start a browser and prove that its pages are sandboxed. Raises `ServiceError`, leaving nothing behind."""
    async with AsyncExitStack() as undo:
        listener = await way_out()
        undo.push_async_callback(listener.aclose)
        started = await launcher.launch(listener.port)
        undo.push_async_callback(started.aclose)
        browser = Browser(started, await _connect(started), listener)
        undo.push_async_callback(browser.aclose)
        await browser.discover()
        if sandboxed:
            await browser.check_sandbox()
        undo.pop_all()
    return browser
