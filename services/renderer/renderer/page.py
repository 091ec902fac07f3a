"""One page in a context of its own, driven over CDP: opening, navigating, evaluating, photographing."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from contracts.errors import ErrorCode
from contracts.geometry import Box, Viewport
from contracts.outputs import ImageFormat, ScreenshotOutput
from renderer import errors
from renderer.cdp import Connection, Message, ProtocolError, Session
from renderer.network import NetworkLog
from renderer.visiting import Guise, calm
from runtime.errors import ServiceError

MAX_NAVIGATIONS = 10
"""Main-frame navigations that a page may make before it counts as unstable."""

MAX_DIALOGS = 20
"""Dialogs that are dismissed before a page counts as hung: a loop of them never ends by itself."""

WORLD = "cro-renderer"
_ATTEMPTS, _PAUSE_S = 3, 0.05
_ELSEWHERE = (
    "Not attached to an active page",
    "Cannot find context with specified id",
    "Cannot find default execution context",
    "Execution context was destroyed",
    "Inspected target navigated or closed",
    "No frame for given id found",
)
_PASSING = ("Unable to capture screenshot", *_ELSEWHERE)
# The shell opens every window that a script asks for, whatever its flags: 200 of them ruin a job.
_NO_POPUPS = "window.open = function open() { return null }"
_WIDE = 1440, 900
_BLANK = "about:blank"
_REFUSALS = frozenset({403, 502, 503, 504})
"""Statuses with which the way out refuses a plain HTTP request."""


class Verdicts(Protocol):
    """What the way out knows of hosts that could not be reached."""

    def verdict(self, host: str, port: int | None = None) -> ErrorCode | None:
        """Return the latest failure of that host."""


@dataclass(frozen=True)
class Picture:
    """Encoded pixels. `text` is the same in base64, as Chromium sent it."""

    data: bytes
    text: str


@dataclass(frozen=True)
class Visit:
    """Whom a page is shown to. `observer` runs first, out of the page's reach; `guise` is what else was asked for.

    Without `watched`, Chromium does not report each request: a fifteenth of a plain picture's CPU time.
    """

    url: str
    viewport: Viewport
    agent: Message
    observer: str = ""
    guise: Guise | None = None
    watched: bool = True


class Page:
    """A page that was opened and not yet closed."""

    def __init__(self, session: Session, connection: Connection, context: str, target: str, agent: Message) -> None:
        """Use `open_page`."""
        self.session = session
        self.network = NetworkLog(target)
        self.url = ""
        self.context = context
        self._connection = connection
        self._target = target
        self._verdicts: Verdicts | None = None
        self._load = session.future()
        self._navigations = 0
        self._dialogs = 0
        self._agent = agent
        self._guise: Guise | None = None
        self._leaving = False
        self._answered = False
        self._arrival: asyncio.Future[Any] | None = None
        self._world: int | None = None
        self._children: set[str] = set()
        self._camera = asyncio.Lock()
        self.network.listen(session)
        session.on("Page.frameNavigated", self._navigated)
        session.on("Page.frameRequestedNavigation", self._requested)
        session.on("Page.frameStoppedLoading", self._stopped)
        session.on("Page.loadEventFired", self._loaded)
        session.on("Page.javascriptDialogOpening", self._dialog)
        session.on("Page.downloadWillBegin", self._download)
        session.on("Inspector.targetCrashed", lambda _event: session.fail(errors.crashed()))
        session.on("Target.attachedToTarget", self._attached)
        session.on("Target.detachedFromTarget", lambda event: connection.drop(event["sessionId"]))

    @property
    def committed(self) -> bool:
        """Whether a document has arrived."""
        return self._navigations > 0

    @property
    def navigations(self) -> int:
        """How many documents the main frame has shown."""
        return self._navigations

    async def go_back(self) -> None:
        """Return to the document before this one and wait for its load event; do nothing where there is none."""
        history = await self.session.call("Page.getNavigationHistory")
        entries, at = history["entries"], history["currentIndex"]
        if at > 0 and entries[at - 1]["url"] != _BLANK:
            await self.session.call("Page.navigateToHistoryEntry", entryId=entries[at - 1]["id"])
            self._leaving = True
            await self.loaded()

    async def navigate(self, visit: "Visit", verdicts: Verdicts) -> None:
        """Show the page; return when its document has begun to arrive. Raises `ServiceError` when it cannot be had."""
        self._verdicts, self._guise = verdicts, visit.guise
        self.network.main.url = visit.url
        metrics = [self.session.call("Emulation.setDeviceMetricsOverride", **_metrics(visit.viewport))]
        if preparations := self._preparations(visit):
            # What the page's process has to know must have reached it: a document that overtakes it runs its first
            # scripts as somebody else. The metrics are the browser's own business and need not be waited for.
            await asyncio.gather(*metrics, *preparations)
            metrics = []
        *_, answer = await asyncio.gather(*metrics, self.session.call("Page.navigate", url=visit.url))
        self._answered = True
        if answer.get("isDownload"):
            raise errors.download()
        if "errorText" in answer:
            raise self._failure(answer["errorText"])

    def _preparations(self, visit: Visit) -> list[Coroutine[Any, Any, Message]]:
        call, commands = self.session.call, []
        if visit.watched:
            commands += self._watch()
        if visit.agent != self._agent:
            self._agent = visit.agent
            commands.append(call("Emulation.setUserAgentOverride", **visit.agent))
        if visit.viewport.mobile:
            commands.append(call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=5))
        if visit.observer:
            source = visit.observer
            commands.append(call("Page.addScriptToEvaluateOnNewDocument", source=source, worldName=WORLD))
        if visit.guise:
            commands += visit.guise.put_on(self.session, self._target, self._connection.browser, self.context)
        elif visit.observer:
            # Frames in processes of their own count towards the cost of loading, which only facts report.
            commands.append(call("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=False, flatten=True))
        return commands

    def _watch(self) -> list[Coroutine[Any, Any, Message]]:
        # Bodies are never asked for: without a buffer, Chromium keeps none.
        enable = self.session.call("Network.enable", maxTotalBufferSize=0, maxResourceBufferSize=0)
        return [enable, self.session.call("Network.setBypassServiceWorker", bypass=True)]

    async def loaded(self) -> None:
        """Wait for the load event of the present document."""
        while not self._load.done() or self._leaving:
            self._leaving = False
            await asyncio.shield(self._load)
            await asyncio.sleep(0)
        self._load.result()

    async def evaluate(self, expression: str, *, promise: bool = False) -> str:
        """Run our script in a world of its own, where the page cannot reach it; return the string it returns."""
        answer = await self._patiently(lambda: self._evaluate(expression, promise=promise))
        if "exceptionDetails" in answer:
            raise ProtocolError("Runtime.evaluate", json.dumps(answer["exceptionDetails"])[:500])
        return str(answer["result"].get("value", ""))

    async def run_script(self, expression: str, longest: float) -> Message:
        """Run a trusted caller's script in the page's own world, for at most `longest` seconds; return CDP's answer."""
        return await self._patiently(
            lambda: self.session.call(
                "Runtime.evaluate",
                expression=expression,
                returnByValue=True,
                awaitPromise=True,
                timeout=max(1, round(longest * 1000)),
            )
        )

    async def reduce_motion(self) -> None:
        """Tell the page that its visitor wants less motion; what else the visitor prefers stays."""
        await self.session.call("Emulation.setEmulatedMedia", features=calm(self._guise))

    async def press(self, x: float, y: float) -> None:
        """Click there as a visitor does; `x` and `y` are CSS pixels of the screen."""
        self._arrival = None
        for kind, clicks in (("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 1)):
            button = "left" if clicks else "none"
            await self.session.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=clicks)

    async def followed(self) -> None:
        """Wait until the navigation that a click has begun, if any, has brought its document and loaded it."""
        if self._arrival:
            await asyncio.shield(self._arrival)
            await self.loaded()

    async def shoot(self, output: ScreenshotOutput, clip: Box | None = None, scale: float = 1) -> Picture:
        """Photograph the screen, or the part of the page that `clip` names. One refusal is forgiven."""
        self._check()
        params: Message = {"format": output.format.value}
        if output.format is ImageFormat.PNG:
            params["optimizeForSpeed"] = True  # a third of the time for a third more bytes
        else:
            params["quality"] = output.quality
        if clip:
            params |= {"clip": {**clip.model_dump(), "scale": scale}, "captureBeyondViewport": True}
        # One after the other: pictures of different parts taken together come back with each other's pixels.
        async with self._camera:
            answer = await self._patiently(lambda: self.session.call("Page.captureScreenshot", **params))
        self._check()
        if not answer["data"]:
            raise errors.no_picture()
        return Picture(base64.b64decode(answer["data"]), answer["data"])

    def answered(self, status: int) -> None:
        """Take the document's own word for its HTTP status, where requests are not followed. Raises `ServiceError`."""
        if self.network.main.loader:
            return
        self.network.main.status = status
        if status in _REFUSALS and self.url.startswith("http:") and (verdict := self._verdict(self.url)):
            raise errors.refused(verdict)

    async def stop_loading(self) -> None:
        """Give up what has not arrived, so that what has can be painted."""
        await self.session.call("Page.stopLoading")
        self.network.give_up()

    async def close(self) -> None:
        """Dispose the context with all that is in it."""
        for session in (*self._children, self.session.id):
            self._connection.drop(session)
        await self._connection.browser.call("Target.disposeBrowserContext", browserContextId=self.context)

    async def _evaluate(self, expression: str, *, promise: bool) -> Message:
        if self._world is None:
            world = await self.session.call("Page.createIsolatedWorld", frameId=self._target, worldName=WORLD)
            self._world = world["executionContextId"]
        return await self.session.call(
            "Runtime.evaluate",
            expression=expression,
            contextId=self._world,
            returnByValue=True,
            awaitPromise=promise,
        )

    async def _patiently(self, attempt: Callable[[], Awaitable[Message]]) -> Message:
        """Try again where Chromium was between two documents or had no frame yet. Raises `ServiceError`."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return await attempt()
            except ProtocolError as exc:
                if not exc.message.startswith(_PASSING):
                    raise
            self._world = None
            await asyncio.sleep(_PAUSE_S)
            await self.loaded()
        try:
            return await attempt()
        except ProtocolError as exc:
            raise (errors.unstable() if exc.message.startswith(_ELSEWHERE) else exc) from exc

    def _check(self) -> None:
        # Chromium shows a page of its own after a failed navigation, and would photograph that just as well.
        if self.url.startswith("chrome-error:"):
            raise self._failure(self.network.main.error)

    def _unreachable(self, error: str) -> None:
        # Chromium's error page may come before the answer to our navigation, which says why it is shown.
        if error or self._answered:
            self.session.fail(self._failure(error))

    def _failure(self, text: str) -> ServiceError:
        main = self.network.main
        if text == "net::ERR_ABORTED":
            return errors.empty()
        return errors.navigation(text, self._verdict(main.url))

    def _verdict(self, url: str) -> ErrorCode | None:
        parts = urlsplit(url)
        return self._verdicts.verdict(parts.hostname or "", parts.port) if self._verdicts else None

    def _navigated(self, event: Message) -> None:
        frame = event["frame"]
        if "parentId" in frame or frame["url"] == _BLANK:
            return
        self._navigations += 1
        self._world, self._leaving = None, False
        self.url = frame["url"] + frame.get("urlFragment", "")
        if self._load.done():
            self._load = self.session.future()
        self._arrived()
        if frame.get("unreachableUrl"):
            self.url = "chrome-error://chromewebdata/"
            self._unreachable(self.network.main.error)
        elif self.network.main.refusal:
            self.session.fail(errors.refused(self.network.main.refusal))
        elif self._navigations > MAX_NAVIGATIONS:
            self.session.fail(errors.unstable())

    def _requested(self, event: Message) -> None:
        if event["frameId"] == self._target and event["disposition"] == "currentTab":
            self._leaving = True
            # Where the page goes now, it goes by itself: what fails there is known from its requests alone.
            self.session.post("Network.enable", maxTotalBufferSize=0, maxResourceBufferSize=0)
            self._arrival = self._arrival or self.session.future()

    def _stopped(self, event: Message) -> None:
        # A navigation that ends in a download or in no content brings no document.
        if event["frameId"] == self._target:
            self._arrived()

    def _arrived(self) -> None:
        if self._arrival and not self._arrival.done():
            self._arrival.set_result(None)

    def _loaded(self, _event: Message) -> None:
        if self.committed and not self._load.done():
            self._load.set_result(None)

    def _dialog(self, _event: Message) -> None:
        self._dialogs += 1
        if self._dialogs > MAX_DIALOGS:
            self.session.fail(errors.hung("dialogs without end"))
        else:
            self.session.post("Page.handleJavaScriptDialog", accept=False)

    def _download(self, event: Message) -> None:
        if event["frameId"] == self._target and not self.committed:
            self.session.fail(errors.download())

    def _attached(self, event: Message) -> None:
        self._children.add(event["sessionId"])
        child = self._connection.session(event["sessionId"])
        self.network.listen(child)
        child.post("Network.enable")
        if self._guise:
            self._connection.spawn(self._guise.put_on_child(child, self._agent))


async def open_page(connection: Connection, agent: Message) -> Page:
    """Open a blank page in a fresh context and prepare it for a visit as `agent`, which another may replace."""
    browser = connection.browser
    context = (await browser.call("Target.createBrowserContext", disposeOnDetach=True))["browserContextId"]
    width, height = _WIDE
    target = await browser.call("Target.createTarget", url=_BLANK, browserContextId=context, width=width, height=height)
    answer = await browser.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
    page = Page(connection.session(answer["sessionId"]), connection, context, target["targetId"], agent)
    call = page.session.call
    await asyncio.gather(
        call("Page.enable"),
        call("Inspector.enable"),
        call("Emulation.setUserAgentOverride", **agent),
        call("Emulation.setFocusEmulationEnabled", enabled=True),
        call("Page.addScriptToEvaluateOnNewDocument", source=_NO_POPUPS),
        browser.call("Browser.setDownloadBehavior", behavior="deny", browserContextId=context),
    )
    return page


def _metrics(viewport: Viewport) -> Message:
    return {
        "width": viewport.width,
        "height": viewport.height,
        "deviceScaleFactor": viewport.device_scale_factor,
        "mobile": viewport.mobile,
        "screenWidth": viewport.width,
        "screenHeight": viewport.height,
    }
