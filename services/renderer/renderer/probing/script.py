"""One of our scripts in the page's isolated world, for a limited time; its answer is hostile data."""

import asyncio
import json
from datetime import timedelta
from importlib.resources import files
from typing import Final

import structlog

from renderer import raw
from renderer.cdp import ProtocolError
from renderer.page import Page
from renderer.raw import Object

log = structlog.get_logger(__name__)

PROBE_FAILED: Final = "probe_failed"
_CAP = 2_000_000
_FOLDER: Final = files("renderer")


def read(path: str) -> str:
    """Return a packaged script."""
    return (_FOLDER / path).read_text("utf-8")


def with_values(source: str, **values: object) -> str:
    """Put constants before a script."""
    constants = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items())
    return f"(() => {{\n{constants}return (\n{source.strip()}\n);\n}})()"


async def run(page: Page, source: str, longest: timedelta) -> "Object | None":
    """Return the object that a script answers with; None where it failed or took too long.

    A script that is still running is ended: what comes next needs the page's main thread.
    """
    answer = await ask(page, source, longest)
    try:
        document = json.loads(answer) if answer and len(answer) <= _CAP else None
    except (ValueError, RecursionError):
        return None
    return raw.child(document) if document is not None else None


async def ask(page: Page, source: str, longest: timedelta) -> str:
    """Return the text that a script answers with; nothing where it failed or took too long."""
    try:
        async with asyncio.timeout(max(0.0, longest.total_seconds())):
            return await page.evaluate(source, promise=True)
    except TimeoutError:
        page.session.post("Runtime.terminateExecution")
        log.info(PROBE_FAILED, reason="too slow")
    except ProtocolError as exc:
        log.info(PROBE_FAILED, reason=exc.message[:300])
    return ""
