"""Whether the first screen moves by itself: two pictures some seconds apart, only where something suggests it."""

import asyncio
from datetime import timedelta
from typing import Final

from contracts.facts import Motion
from contracts.geometry import Box, Viewport
from contracts.outputs import ImageFormat, ScreenshotOutput
from renderer import raw
from renderer.page import Page
from renderer.probing import script

INTERVAL_S: Final = 6.0
"""WCAG 2.2.2 allows five seconds of movement; a picture a second later shows what goes on."""

_LEAST_S: Final = 3.0
_LOOK: Final = timedelta(seconds=1)
_SCALE: Final = 0.25
_SIGNS: Final = frozenset({"video", "animation", "carousel", "marquee", "image", "canvas", "script"})
_RUN: Final = script.read("probing/motion.js")
_DIFFERENCE: Final = script.read("probing/difference.js")


async def look(page: Page) -> Motion | None:
    """Return what may move or sound; None where the page does not answer."""
    answer = await script.run(page, _RUN, _LOOK)
    if answer is None:
        return None
    signs = [word for one in raw.items(answer.get("suspected"), 10) if (word := raw.token(one)) in _SIGNS]
    selectors = [raw.text(one, 100) for one in raw.items(answer.get("sounding_selectors"), 5)]
    return Motion(
        suspected=signs,
        native_controls=answer.get("native_controls") is True,
        sounding=raw.count(answer.get("sounding"), 1_000),
        sounding_selectors=[one for one in selectors if one],
    )


async def run(page: Page, viewport: Viewport, longest_s: float) -> Motion | None:
    """Look, and where something is suspected, compare two pictures 6 s apart (less, where less time is left)."""
    motion = await look(page)
    interval = min(INTERVAL_S, longest_s)
    if motion is None or not motion.suspected or interval < _LEAST_S:
        return motion
    first = await _picture(page, viewport)
    await asyncio.sleep(interval)
    after = await look(page)
    if after is None:
        return motion
    if not after.suspected:  # it came to rest by itself
        return motion.model_copy(update={"changed": 0.0, "interval_ms": interval * 1000})
    source = script.with_values(_DIFFERENCE, FIRST=first, SECOND=await _picture(page, viewport))
    answer = await script.run(page, source, _LOOK)
    if answer is None:
        return motion
    changed = round(raw.number(answer.get("changed"), 0, 1), 4)
    return motion.model_copy(update={"changed": changed, "interval_ms": interval * 1000})


async def _picture(page: Page, viewport: Viewport) -> str:
    box = Box(x=0, y=0, width=viewport.width, height=viewport.height)
    scale = _SCALE / viewport.device_scale_factor
    return (await page.shoot(ScreenshotOutput(format=ImageFormat.PNG), box, scale)).text
