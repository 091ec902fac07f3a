"""A small page of our own, always the same: how long it takes says how fast the browser still is."""

import asyncio
import time
from dataclasses import dataclass

from renderer.cdp import Connection, ProtocolError, Session

_PAGE = (
    "<!doctype html><title>canary</title><style>div{float:left;width:40px;height:40px;border-radius:8px;"
    "box-shadow:0 0 4px #999}</style>" + "<div></div>" * 40
)
_CLIP = {"x": 0, "y": 0, "width": 320, "height": 200, "scale": 1}


_ATTEMPTS, _PAUSE_S = 5, 0.02


@dataclass(frozen=True)
class Reading:
    """What was measured, and the context in which it was."""

    seconds: float
    context: str


async def measure(connection: Connection) -> Reading:
    """Open the page in a context of its own, photograph and close it. Raises `ServiceError`; has no time limit."""
    begun, browser = time.perf_counter(), connection.browser
    context = str((await browser.call("Target.createBrowserContext", disposeOnDetach=True))["browserContextId"])
    try:
        target = await browser.call("Target.createTarget", url="about:blank", browserContextId=context)
        frame = target["targetId"]
        session = connection.session(
            (await browser.call("Target.attachToTarget", targetId=frame, flatten=True))["sessionId"]
        )
        try:
            await session.call("Page.setDocumentContent", frameId=frame, html=_PAGE)
            await _shoot(session)
        finally:
            connection.drop(session.id)
    finally:
        await browser.call("Target.disposeBrowserContext", browserContextId=context)
    return Reading(time.perf_counter() - begun, context)


async def _shoot(session: Session) -> None:
    """Photograph the page; one that was opened just now may have no frame to show yet."""
    for _ in range(_ATTEMPTS - 1):
        try:
            await session.call("Page.captureScreenshot", format="jpeg", quality=50, clip=_CLIP)
        except ProtocolError:
            await asyncio.sleep(_PAUSE_S)
        else:
            return
    await session.call("Page.captureScreenshot", format="jpeg", quality=50, clip=_CLIP)
