"""A page that holds still: facts and all pictures are of one moment."""

import asyncio
from typing import Final

from renderer import scripts
from renderer.look import frame
from renderer.page import Page

_STILL: Final = scripts.joined("acting/still.js", answer='"still"')


async def quieten(page: Page) -> None:
    """End or pause what style sheets, animations, videos and marquees move; scripts go on."""
    for _ in range(2):  # ending one movement may begin another
        await page.evaluate(_STILL)
        await frame(page)


async def hold(page: Page) -> None:
    """Stop scripts as well, with their timers and frames: carousels, counters, drawings. Nothing stops a GIF.

    From here on only expressions that need no timer can be evaluated.
    """
    await asyncio.gather(
        page.session.call("Animation.setPlaybackRate", playbackRate=0),
        page.session.call("Emulation.setScriptExecutionDisabled", value=True),
    )


async def release(page: Page) -> None:
    """Let it move again."""
    await asyncio.gather(
        page.session.call("Emulation.setScriptExecutionDisabled", value=False),
        page.session.call("Animation.setPlaybackRate", playbackRate=1),
    )
