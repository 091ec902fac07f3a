"""One look at a document from outside: a page's own timers may be frozen, and its promises may never settle."""

import asyncio
import json
from dataclasses import dataclass
from typing import Final

from renderer import scripts
from renderer.page import Page

SCRIPT: Final = scripts.joined("reading/look.js", answer="looked()")
_FRAME: Final = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done('done'))))"
_DECODE: Final = """
Promise.all([...document.images].filter((image) => image.complete && image.naturalWidth)
  .map((image) => image.decode().catch(() => 0))).then(() => 'done')
"""
_FRAME_S, _DECODE_S = 0.25, 1.5


@dataclass(frozen=True)
class Look:
    """What a document looked like at one moment. Lengths are CSS pixels."""

    title: str = ""
    status: int = 0
    ready: str = ""
    fonts: str = ""
    images: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    height: float = 0
    x: float = 0
    y: float = 0
    empty: bool = False


async def look(page: Page) -> Look:
    """Look at the document once."""
    seen = json.loads(await page.evaluate(SCRIPT))
    return Look(**{**seen, "images": tuple(seen["images"]), "broken": tuple(seen["broken"])})


async def frame(page: Page) -> None:
    """Wait until what was changed has been drawn, or a quarter of a second."""
    await _within(_FRAME_S, page, _FRAME)


async def decode(page: Page) -> None:
    """Have the pictures that arrived decoded, or give up after one and a half seconds."""
    await _within(_DECODE_S, page, _DECODE)


async def _within(seconds: float, page: Page, promise: str) -> None:
    # A page whose frames or decoders stand still is photographed as it is.
    try:
        async with asyncio.timeout(seconds):
            await page.evaluate(promise, promise=True)
    except TimeoutError:
        pass
