"""Parts of a page that a caller names: one element, a clip, or the whole page in tiles."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from contracts.errors import ErrorCode, FieldError
from contracts.geometry import Box, Viewport
from contracts.outputs import MANY_AT_MOST, MAX_CAPTURE_PX, ScreenshotOutput, Tiles
from renderer import selectors
from renderer.page import Page
from runtime.errors import ServiceError

_PICTURES_S = 3.0
"""How long an element's own pictures are waited for once it has been scrolled to."""

# Layers that stay where they are while a visitor scrolls would lie over the element: they are out of the way until
# the picture is taken. What holds the element, or is part of it, stays.
_REACH = """
(() => {
  %(shown)s
  const node = [...document.querySelectorAll(%(selector)s)].find(shown);
  if (!node) return 'null';
  const hidden = globalThis.croHidden = [];
  for (const layer of document.querySelectorAll('*')) {
    if (!/^(fixed|sticky)$/.test(getComputedStyle(layer).position)) continue;
    if (layer.contains(node) || node.contains(layer)) continue;
    hidden.push([layer, layer.style.getPropertyValue('visibility'), layer.style.getPropertyPriority('visibility')]);
    layer.style.setProperty('visibility', 'hidden', 'important');
  }
  globalThis.croScroll = [scrollX, scrollY];
  node.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
  globalThis.croElement = node;
  return 'true';
})()
"""
_LOADED = """
(() => {
  const node = croElement, images = node.localName === 'img' ? [node] : [...node.querySelectorAll('img')];
  return Promise.all(images.map((image) => image.decode().catch(() => 0))).then(() => 'done');
})()
"""
_BOX = """
(() => {
  const box = croElement.getBoundingClientRect();
  return JSON.stringify({x: box.left + scrollX, y: box.top + scrollY, width: box.width, height: box.height});
})()
"""
_LEAVE = """
(() => {
  for (const [layer, value, priority] of globalThis.croHidden || []) {
    layer.style.removeProperty('visibility');
    if (value) layer.style.setProperty('visibility', value, priority);
  }
  const [left, top] = globalThis.croScroll || [0, 0];
  scrollTo({left, top, behavior: 'instant'});
  return '';
})()
"""


@asynccontextmanager
async def element(page: Page, output: ScreenshotOutput) -> AsyncIterator[Box]:
    """Scroll to the element, with nothing lying over it, and give its box in whole pixels; then put all back.

    Raises `ServiceError`: capture_refused when nothing visible matches, invalid_request for what is no selector.
    """
    await selectors.check(page, {f"outputs.{output.name}.selector": output.selector})
    filled = {"shown": selectors.SHOWN, "selector": json.dumps(output.selector)}
    if await page.evaluate(_REACH % filled) != "true":
        raise _not_found(output)
    with suppress(TimeoutError):
        async with asyncio.timeout(_PICTURES_S):
            await page.evaluate(_LOADED, promise=True)
    yield _whole_pixels(Box(**json.loads(await page.evaluate(_BOX))))
    # Not in a `finally`: a page that has stopped answering would be waited for past every deadline.
    await page.evaluate(_LEAVE)


def clip(output: ScreenshotOutput, viewport: Viewport, height: float) -> Box:
    """Return the clip that `output` names. Raises `ServiceError` (invalid_request) where the page has nothing there."""
    assert output.clip, "the contract sees to that"
    if output.clip.x >= viewport.width or output.clip.y >= height:
        name = f"outputs.{output.name}.clip"
        message = f"The page is {viewport.width} × {round(height)} pixels: nothing of it is there."
        fields = [FieldError(field=name, message=message)]
        raise ServiceError(ErrorCode.INVALID_REQUEST, f"{name}: {message}", errors=fields)
    return output.clip


def tiles(rule: Tiles, width: float, height: float) -> list[Box]:
    """Cut a page of that size from the top; the last tile ends where the page does, however low it is."""
    end = max(1, math.ceil(min(height, MAX_CAPTURE_PX)))
    boxes: list[Box] = []
    top = 0
    while len(boxes) < MANY_AT_MOST:
        boxes.append(Box(x=0, y=top, width=width, height=min(rule.height, end - top)))
        if top + rule.height >= end:
            break
        top += rule.height - rule.overlap
    return boxes


def scale(box: Box, density: float) -> float:
    """Return what a picture of `box` is shrunk by so that no side has more pixels than a browser survives.

    The limit is below WebP's own, above which Chromium would answer with nothing.
    """
    return min(1.0, MAX_CAPTURE_PX / (max(box.width, box.height) * density))


def _whole_pixels(box: Box) -> Box:
    # Each edge goes to the nearest pixel, which is where Chromium paints it.
    x, y = max(0, math.floor(box.x + 0.5)), max(0, math.floor(box.y + 0.5))
    right, bottom = math.floor(box.x + box.width + 0.5), math.floor(box.y + box.height + 0.5)
    width = min(right - x, MAX_CAPTURE_PX)
    return Box(x=x, y=y, width=max(1, width), height=max(1, min(bottom - y, MAX_CAPTURE_PX)))


def _not_found(output: ScreenshotOutput) -> ServiceError:
    name, message = f"outputs.{output.name}.selector", f"Selector not found: “{output.selector}”."
    detail = f"{message} Nothing that a visitor can see matches it."
    return ServiceError(ErrorCode.CAPTURE_REFUSED, detail, errors=[FieldError(field=name, message=message)])
