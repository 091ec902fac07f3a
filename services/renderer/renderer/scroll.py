"""How all of a page is made to load and to show: its window, or the box that scrolls in its place, is gone through."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from contracts.outputs import MAX_CAPTURE_PX
from renderer import scripts
from renderer.look import frame
from renderer.page import Page

_RETURN_S = 0.15
_SCROLL_PX = 20_000
_PLACE: Final = "__Y__"
_SCROLL: Final = scripts.joined("acting/scroll.js", answer=f"scrollToY({_PLACE})")
_UNROLL: Final = scripts.joined("acting/scroll.js", answer=f"unrolled({MAX_CAPTURE_PX})")


@dataclass(frozen=True)
class Pace:
    """How far each step goes, in screens, how long it rests there, and how long all of them may take, in seconds."""

    step: float = 1.0
    rest_s: float = 0.0
    longest_s: float = 8.0


BRISK: Final = Pace()
PATIENT: Final = Pace(step=0.4, rest_s=0.12, longest_s=12.0)
"""For content that missed its cue: what appears when a third of it is in view, and what a slow script adds."""


async def scroll_through(page: Page, screen_px: int, pace: Pace, longest: timedelta) -> None:
    """Scroll to the end, so that what loads lazily begins to, and return to the top."""
    loop = asyncio.get_running_loop()
    end = loop.time() + min(pace.longest_s, longest.total_seconds())
    wanted, reached = 0.0, -1.0
    while wanted < _SCROLL_PX and loop.time() < end:
        here = await _to(page, wanted)
        if here <= reached:
            break
        reached = here
        await frame(page)
        await asyncio.sleep(pace.rest_s)
        wanted += screen_px * pace.step
    await _to(page, 0)
    # Headers that shrink or hide return to what they were; what they do is often delayed by a timer.
    await asyncio.sleep(_RETURN_S)


async def _to(page: Page, y: float) -> float:
    return float(await page.evaluate(_SCROLL.replace(_PLACE, str(round(y)))))


async def unroll(page: Page) -> float:
    """Give an inner scroller the height of its content; return by how much the page grew, in CSS pixels."""
    return float(await page.evaluate(_UNROLL))


def visible_height(height: float) -> float:
    """Return how much of a page of that height a picture may show."""
    return min(height, MAX_CAPTURE_PX)
