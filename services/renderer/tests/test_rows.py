import asyncio
import io

import pytest
from PIL import Image, ImageDraw

from contracts.geometry import Box
from contracts.outputs import ScreenshotOutput
from renderer import likeness, rows
from renderer.page import Picture
from renderer.view import Shot

PAGE = Box(x=0, y=0, width=1440, height=4_000)


def drawn(*boxes: tuple[int, int, int, int], scale: float = 1.0, form: str = "JPEG") -> bytes:
    """Draw letters' worth of noise into boxes on white."""
    picture = Image.new("RGB", (round(1440 * scale), round(4_000 * scale)), "#fff")
    pen = ImageDraw.Draw(picture)
    for left, top, right, bottom in boxes:
        for x in range(round(left * scale), round(right * scale), round(18 * scale)):
            pen.rectangle((x, round(top * scale), x + round(6 * scale), round(bottom * scale)), fill="#333")
    held = io.BytesIO()
    picture.save(held, form, **({"quality": 80} if form == "JPEG" else {}))
    return held.getvalue()


def read(data: bytes, page: Box = PAGE) -> rows.Rows:
    return asyncio.run(rows.read(data, page, 900))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_rows_in_which_nothing_is_drawn_are_plain(form: str, scale: float) -> None:
    found = read(drawn((100, 300, 1_300, 700), (600, 1_500, 640, 1_520), scale=scale, form=form)).plain
    assert [round(end, -1) for span in found for end in span] == pytest.approx(
        [0, 300, 700, 1_500, 1_520, 4_000], abs=12
    )


def test_a_screen_in_one_colour_is_blank() -> None:
    found = read(drawn((0, 0, 1_440, 1_000), (0, 2_500, 1_440, 4_000))).blank
    [band] = found
    assert band.y == pytest.approx(1_000, abs=240)
    assert band.y >= 1_000
    assert band.y + band.height <= 2_500
    assert band.width == 1440


def test_one_line_of_text_is_no_blank_screen() -> None:
    lines = [(200, top, 500, top + 14) for top in range(100, 4_000, 600)]
    assert read(drawn(*lines)).blank == ()


def test_a_background_step_is_no_drawing_but_two_colours() -> None:
    picture = Image.new("RGB", (1440, 4_000), "#fff")
    picture.paste("#123456", (0, 2_000, 1440, 4_000))
    held = io.BytesIO()
    picture.save(held, "PNG")
    found = read(held.getvalue())
    assert [band.y + band.height <= 2_010 or band.y >= 1_990 for band in found.blank] == [True, True]


def test_a_picture_too_large_to_be_read_says_nothing() -> None:
    held = io.BytesIO()
    Image.new("1", (8_000, 8_000)).save(held, "PNG")
    assert read(held.getvalue()) == rows.Rows()


def shot(data: bytes, box: Box) -> Shot:
    return Shot("shot", ScreenshotOutput(), Picture(data, ""), box, 0, 0)


def test_a_part_that_lacks_a_picture_is_unlike_the_page() -> None:
    page = drawn((100, 300, 1_300, 700), (100, 1_000, 1_300, 1_800))
    with Image.open(io.BytesIO(page)) as opened:
        same, missing = opened.crop((0, 800, 1440, 2_000)), Image.new("RGB", (1440, 1_200), "#fff")
    parts = []
    for picture in (same, missing):
        held = io.BytesIO()
        picture.save(held, "JPEG")
        parts.append(shot(held.getvalue(), Box(x=0, y=800, width=1440, height=1_200)))
    assert asyncio.run(likeness.unlike(shot(page, PAGE), parts)) == parts[1:]
