"""When a page is ready to be photographed."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from contracts.render import (
    Settle,
    Warning,  # noqa: A004  # the contract's word
)
from renderer.look import Look, decode, look
from renderer.page import Page

_POLL_S = 0.05


@dataclass
class Settled:
    """How a wait ended and what was still missing then."""

    by: Literal["quiet", "cap"] = "cap"
    warnings: list[Warning] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)


async def settle(page: Page, rule: Settle, longest: timedelta, *, loaded: bool) -> Settled:
    """Wait until DOM, fonts and images are there and the network is quiet, for at most `longest`.

    A document whose load was given up (`loaded` is false) never becomes complete: the rest must do.
    """
    end = asyncio.get_running_loop().time() + longest.total_seconds()
    seen = Look()
    while (left := end - asyncio.get_running_loop().time()) > 0:
        try:
            async with asyncio.timeout(left):
                seen = await look(page)
        except TimeoutError:
            break
        noise_left = rule.quiet_ms / 1000 - page.network.quiet_s()
        ready = seen.ready == "complete" or not loaded
        if noise_left <= 0 and ready and seen.fonts == "loaded" and not seen.images:
            await decode(page)
            return Settled("quiet")
        await asyncio.sleep(min(left, max(_POLL_S, noise_left)))
    return _unsettled(page, seen)


def _unsettled(page: Page, seen: Look) -> Settled:
    warnings = [Warning.NOT_SETTLED]
    if seen.fonts != "loaded":
        warnings.append(Warning.FONTS_PENDING)
    if seen.images:
        warnings.append(Warning.IMAGES_PENDING)
    return Settled("cap", warnings, list(dict.fromkeys([*seen.images, *page.network.pending()])))
