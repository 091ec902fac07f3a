"""Contrast of text on photographs: the letters are taken off for one picture, and its pixels are compared with them.

The result is an estimate: of all pixels behind a text, a tenth has less contrast than what is reported.
"""

import math
from datetime import timedelta
from typing import Final

from contracts.facts import Element, PageFacts, Style
from contracts.geometry import Box
from contracts.outputs import ImageFormat, ScreenshotOutput
from renderer import raw
from renderer.page import Page
from renderer.probing import script

_LONGEST: Final = timedelta(seconds=1.5)
_SCREENS: Final = 3
_MOST: Final = 60
_SHARE: Final = 0.1
_LETTERS: Final = script.read("probing/letters.js")
_BEHIND: Final = script.read("probing/behind.js")


def _unknown(element: Element, lowest: float) -> bool:
    style, box = element.style, element.box
    if style is None or not element.visible or not element.text or element.covered:
        return False
    placed = box.x >= 0 and box.y >= 0 and box.y + box.height <= lowest
    return placed and style.background_is_image and style.contrast is None and bool(style.color)


def wanted(facts: PageFacts) -> list[Element]:
    """Return texts on pictures within the first three screens."""
    lowest = facts.viewport.height * _SCREENS
    return [element for element in facts.elements if _unknown(element, lowest)][:_MOST]


def _around(elements: list[Element]) -> Box:
    left = min(e.box.x for e in elements)
    top = min(e.box.y for e in elements)
    right = max(e.box.x + e.box.width for e in elements)
    bottom = max(e.box.y + e.box.height for e in elements)
    return Box(
        x=math.floor(left), y=math.floor(top), width=math.ceil(right - left) + 1, height=math.ceil(bottom - top) + 1
    )


async def run(page: Page, facts: PageFacts) -> PageFacts:
    """Return the facts with the estimated contrasts. A page without such texts pays nothing."""
    texts = wanted(facts)
    if not texts:
        return facts
    clip = _around(texts)
    await script.ask(page, script.with_values(_LETTERS, HIDE=True), _LONGEST)
    try:
        scale = 1 / facts.viewport.device_scale_factor
        picture = await page.shoot(ScreenshotOutput(format=ImageFormat.PNG), clip, scale)
    finally:
        await script.ask(page, script.with_values(_LETTERS, HIDE=False), _LONGEST)
    rows = [[_ink(e), [e.box.x - clip.x, e.box.y - clip.y, e.box.width, e.box.height]] for e in texts]
    source = script.with_values(_BEHIND, PICTURE=picture.text, TEXTS=rows, SHARE=_SHARE)
    ratios = await _ratios(page, source)
    return _filled(facts, {e.id: ratio for e, ratio in zip(texts, ratios, strict=False) if ratio is not None})


async def _ratios(page: Page, source: str) -> list[float | None]:
    answer = await script.run(page, f'{source}.then((list) => `{{"ratios":${{list}}}}`)', _LONGEST)
    return [raw.measured(one, 21) for one in raw.items(answer.get("ratios"), _MOST)] if answer else []


def _ink(element: Element) -> list[int]:
    colour = element.style.color if element.style else "#000000"
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]


def fails(style: Style, ratio: float) -> bool:
    """Say whether a ratio is below WCAG 1.4.3 for this size of text."""
    large = style.font_px >= 24 or (style.font_px >= 18.66 and style.font_weight >= 700)  # noqa: PLR2004  # WCAG's "large text"
    return ratio < (3.0 if large else 4.5)


def _filled(facts: PageFacts, ratios: dict[str, float]) -> PageFacts:
    elements, failing = [], 0
    counted: list[Box] = []
    for element in facts.elements:
        ratio, style = ratios.get(element.id), element.style
        if ratio is None or style is None:
            elements.append(element)
            continue
        known = style.model_copy(
            update={"contrast": math.floor(max(1.0, ratio) * 100) / 100, "contrast_estimated": True}
        )
        elements.append(element.model_copy(update={"style": known}))
        if fails(style, ratio) and not any(_inside(element.box, box) for box in counted):
            counted.append(element.box)
            failing += element.characters or len(element.text)
    stats = facts.text_stats
    failing = min(failing, stats.characters_on_image)
    stats = stats.model_copy(update={"characters_on_image_failing_aa": failing})
    return facts.model_copy(update={"elements": elements, "text_stats": stats})


def _inside(box: Box, outer: Box) -> bool:
    x, y = box.x + box.width / 2, box.y + box.height / 2
    return outer.x <= x <= outer.x + outer.width and outer.y <= y <= outer.y + outer.height
