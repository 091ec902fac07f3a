"""Which part of the page each wanted picture shows, and the taking of them, one after the other."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.geometry import Box, Viewport
from contracts.outputs import MAX_CAPTURE_PX, Area, ImageFormat, ScreenshotOutput
from contracts.render import Section
from renderer import areas
from renderer.page import Page
from renderer.plan import Stage
from renderer.rows import SHRINK, Rows
from renderer.rows import read as read_rows
from renderer.scroll import visible_height
from renderer.stopwatch import Lap
from renderer.view import Shot

_DRAFT: Final = ScreenshotOutput(name="draft", format=ImageFormat.JPEG, quality=60)


@dataclass(frozen=True)
class Frame:
    """One picture to take. Without `clip` it is what the screen shows; `scale` shrinks it."""

    name: str
    output: ScreenshotOutput
    box: Box
    clip: Box | None = None
    scale: float = 1.0


class Camera:
    """Takes pictures of one page in one viewport."""

    def __init__(self, page: Page, viewport: Viewport, watch: Lap) -> None:
        """Nothing happens before `shoot`."""
        self._page = page
        self._viewport = viewport
        self._watch = watch

    def page_box(self, height: float) -> Box:
        """Return the part of a page of that height that pictures may show."""
        return Box(x=0, y=0, width=self._viewport.width, height=max(visible_height(height), 1))

    def screens(self, outputs: Sequence[ScreenshotOutput]) -> list[Frame]:
        """Return the frames of first screens among `outputs`."""
        box = Box(x=0, y=0, width=self._viewport.width, height=self._viewport.height)
        return [Frame(output.name, output, box) for output in outputs if output.area is Area.FIRST_SCREEN]

    def pages(self, stage: Stage, height: float) -> list[Frame]:
        """Return the frames of the full page."""
        box = self.page_box(height)
        return [self._frame(output.name, output, box) for output in stage.of(Area.FULL_PAGE)]

    def sections(self, stage: Stage, sections: Sequence[Section]) -> list[Frame]:
        """Return the frames of all sections."""
        boxes = [_clamped(section.box) for section in sections]
        return [
            Frame(f"{output.name}.{number}", output, box, box)
            for output in stage.of(Area.SECTIONS)
            for number, box in enumerate(boxes, 1)
            if box.height >= 1
        ]

    def parts(self, stage: Stage, height: float) -> list[Frame]:
        """Return the frames of tiles and clips. Raises `ServiceError` for a clip that lies outside the page."""
        tiles = [
            self._frame(f"{output.name}.{number}", output, box)
            for output in stage.of(Area.TILES)
            for number, box in enumerate(areas.tiles(output.tiles, self._viewport.width, height), 1)
        ]
        clips = [
            self._frame(output.name, output, areas.clip(output, self._viewport, height))
            for output in stage.of(Area.CLIP)
        ]
        return tiles + clips

    async def elements(self, stage: Stage, into: list[Shot]) -> None:
        """Take the elements that were named. Raises `ServiceError` for one that is not there."""
        for output in stage.of(Area.ELEMENT):
            async with areas.element(self._page, output) as box:
                await self.shoot([self._frame(output.name, output, box)], into)

    async def shoot(self, frames: Iterable[Frame], into: list[Shot]) -> None:
        """Take them in turn; what was taken is in `into` even if the next one fails. Raises `ServiceError`."""
        with self._watch.browser("capture"):
            for frame in frames:
                into.append(await self._one(frame))  # noqa: PERF401  # each is kept as it comes

    async def rows(self, shots: Sequence[Shot], height: float) -> Rows:
        """Read the rows of the page from a picture of all of it; a small one is taken where there is none."""
        box = self.page_box(height)
        whole = next((shot for shot in shots if shot.output.area is Area.FULL_PAGE), None)
        if whole is None:
            scale = 1 / SHRINK / self._viewport.device_scale_factor
            with self._watch.browser("capture"):
                picture = await self._page.shoot(_DRAFT, box, scale)
            return await read_rows(picture.data, box, self._viewport.height, shrink=1)
        return await read_rows(whole.picture.data, whole.box, self._viewport.height)

    def _frame(self, name: str, output: ScreenshotOutput, box: Box) -> Frame:
        return Frame(name, output, box, box, areas.scale(box, self._viewport.device_scale_factor))

    async def _one(self, frame: Frame) -> Shot:
        picture = await self._page.shoot(frame.output, frame.clip, frame.scale)
        factor = frame.scale * self._viewport.device_scale_factor
        width, height = round(frame.box.width * factor), round(frame.box.height * factor)
        return Shot(frame.name, frame.output, picture, frame.box, width, height)


def _clamped(box: Box) -> Box:
    height = math.floor(min(box.y + box.height, MAX_CAPTURE_PX) - box.y)
    return box.model_copy(update={"height": max(0, height)})
