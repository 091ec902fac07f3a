"""When a page is ready to be photographed, and how all of it is made to load.

Everything is measured from outside: a page's own timers may be frozen, and its promises may never settle.
"""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from contracts.outputs import MAX_CAPTURE_PX
from contracts.render import (
    Settle,
    Warning,  # noqa: A004  # the contract's word
)
from renderer.page import Page

_POLL_S = 0.05
_FRAME_S = 0.25
_DECODE_S = 1.5
_RETURN_S = 0.15
_SCROLL_S = 8.0
_SCROLL_PX = 20_000

# What a picture needs of a document, in one synchronous look.
_LOOK = """
(() => {
  const body = document.body, root = document.documentElement;
  const near = (box) => box.top < 2 * innerHeight && box.bottom > -innerHeight && box.width > 0;
  const pending = [];
  for (const image of document.images) {
    if (image.complete || !image.currentSrc && !image.src) continue;
    if (image.loading === 'lazy' && !near(image.getBoundingClientRect())) continue;
    pending.push(image.currentSrc || image.src);
  }
  const shown = (node) => {
    const box = node.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && getComputedStyle(node).visibility === 'visible';
  };
  const filled = () => {
    if (!body) return false;
    const texts = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
    for (let node; (node = texts.nextNode());) {
      const holder = node.parentElement;
      if (node.data.trim() && !/^(SCRIPT|STYLE|NOSCRIPT|TEMPLATE)$/.test(holder.tagName) && shown(holder)) return true;
    }
    for (const node of body.querySelectorAll('img,svg,canvas,video,iframe,object,embed,input')) {
      if (shown(node)) return true;
    }
    for (const node of [root, body, ...body.querySelectorAll('*')].slice(0, 500)) {
      if (getComputedStyle(node).backgroundImage !== 'none' && shown(node)) return true;
    }
    return root.shadowRoot !== null || [...body.querySelectorAll('*')].some((node) => node.shadowRoot);
  };
  return JSON.stringify({
    title: document.title.slice(0, 500),
    status: performance.getEntriesByType('navigation')[0]?.responseStatus ?? 0,
    ready: document.readyState,
    fonts: document.fonts.status,
    images: pending.slice(0, 20).map((url) => url.slice(0, 500)),
    height: Math.max(root.scrollHeight, body ? body.scrollHeight : 0),
    x: scrollX, y: scrollY,
    empty: !filled(),
  });
})()
"""
_DECODE = """
Promise.all([...document.images].filter((image) => image.complete && image.naturalWidth)
  .map((image) => image.decode().catch(() => 0))).then(() => 'done')
"""
_FRAME = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done('done'))))"
_SCROLL = "(() => {{ scrollTo({{top: {y}, left: 0, behavior: 'instant'}}); return '' + scrollY }})()"
# Reveals end where they were heading; what repeats for ever stops where it is. And nothing glides any more: to take a
# clip, Chromium resizes the page for a moment, and rules that depend on its width would glide away and back.
_FREEZE = """
(() => {
  if (!globalThis.croStill) {
    globalThis.croStill = new CSSStyleSheet();
    croStill.replaceSync('*, *::before, *::after { transition: none !important }');
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, croStill];
  }
  for (const animation of document.getAnimations()) {
    try { Number.isFinite(animation.effect.getComputedTiming().endTime) ? animation.finish() : animation.pause() }
    catch { animation.cancel() }
  }
  for (const video of document.querySelectorAll('video')) video.pause();
  return '';
})()
"""


@dataclass(frozen=True)
class Look:
    """What a document looked like at one moment. Lengths are CSS pixels."""

    title: str = ""
    status: int = 0
    ready: str = ""
    fonts: str = ""
    images: tuple[str, ...] = ()
    height: float = 0
    x: float = 0
    y: float = 0
    empty: bool = False


@dataclass
class Settled:
    """How a wait ended and what was still missing then."""

    by: Literal["quiet", "cap"] = "cap"
    warnings: list[Warning] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)


async def look(page: Page) -> Look:
    """Look at the document once."""
    seen = json.loads(await page.evaluate(_LOOK))
    return Look(**{**seen, "images": tuple(seen["images"])})


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
            await _within(_DECODE_S, page, _DECODE)
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


async def scroll_through(page: Page, step_px: int, longest: timedelta) -> None:
    """Scroll to the end in steps of a screen, so that what loads lazily begins to, and return to the top."""
    loop = asyncio.get_running_loop()
    end = loop.time() + min(_SCROLL_S, longest.total_seconds())
    wanted, reached = 0, -1.0
    while wanted < _SCROLL_PX and loop.time() < end:
        here = float(await page.evaluate(_SCROLL.format(y=wanted)))
        if here <= reached:
            break
        reached = here
        await _within(_FRAME_S, page, _FRAME)
        wanted += step_px
    await page.evaluate(_SCROLL.format(y=0))
    # Headers that shrink or hide return to what they were; what they do is often delayed by a timer.
    await asyncio.sleep(_RETURN_S)


async def freeze(page: Page) -> None:
    """End or pause what moves, so that facts and pixels are of one moment."""
    for _ in range(2):  # ending one movement may begin another
        await page.evaluate(_FREEZE)
        await _within(_FRAME_S, page, _FRAME)


async def _within(seconds: float, page: Page, promise: str) -> None:
    # A page whose frames or decoders stand still is photographed as it is.
    try:
        async with asyncio.timeout(seconds):
            await page.evaluate(promise, promise=True)
    except TimeoutError:
        pass


def visible_height(height: float) -> float:
    """Return how much of a page of that height a picture may show."""
    return min(height, MAX_CAPTURE_PX)
