import base64
import io

import pytest
from PIL import Image, ImageDraw

from contracts.geometry import Box, ViewportName
from contracts.result import Asset
from gateway.report.pictures import Picture, Shot, cutout, first_screen, picture, shot

DESKTOP, MOBILE = ViewportName.DESKTOP, ViewportName.MOBILE
RED = "#b3152f"
SPOT = Box(x=600, y=1000, width=200, height=60)


def painted(scale: int = 1, width: int = 1440, height: int = 3000) -> Image.Image:
    image = Image.new("RGB", (width * scale, height * scale), "#dddddd")
    edges = (SPOT.x, SPOT.y, SPOT.x + SPOT.width, SPOT.y + SPOT.height)
    ImageDraw.Draw(image).rectangle([edge * scale for edge in edges], fill="#0000ff")
    return image


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def opened(made: Picture | None) -> Image.Image:
    assert made
    image = Image.open(io.BytesIO(base64.b64decode(made.uri.removeprefix("data:image/jpeg;base64,"))))
    assert image.format == "JPEG"
    assert image.size == (made.width, made.height)
    return image


def asset(box: Box | None, viewport: ViewportName = DESKTOP) -> Asset:
    return Asset(kind="full", viewport=viewport, key="k", w=1, h=1, sha256="", box=box)


def close(pixel: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(have - want) < 40 for have, want in zip(pixel, colour, strict=True))


def whole(image: Image.Image) -> Shot:
    return Shot(image, Box(x=0, y=0, width=1440, height=3000))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_reads_what_the_renderer_may_send(kind: str) -> None:
    found = shot([asset(None)], "full", DESKTOP, {"k": encoded(painted(), kind)})
    assert found
    assert found.box == Box(x=0, y=0, width=1440, height=3000)


def test_a_phone_picture_without_a_box_is_390_wide() -> None:
    found = shot([asset(None, MOBILE)], "full", MOBILE, {"k": encoded(Image.new("RGB", (780, 4000)))})
    assert found
    assert (found.box.width, found.box.height, found.scale) == (390, 2000, 2)


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"<svg/>", encoded(Image.new("RGB", (4, 4)), "GIF"), encoded(painted())[:90]]
)
def test_what_cannot_be_read_is_missing(data: bytes) -> None:
    assert shot([asset(None)], "full", DESKTOP, {"k": data}) is None


def test_pictures_are_made_smaller_but_never_larger() -> None:
    assert opened(picture(whole(painted(2)), width=720, quality=70)).size == (720, 1500)
    assert opened(picture(whole(painted()), width=4000, quality=70)).size == (1440, 3000)


def test_the_first_screen_is_the_top() -> None:
    top = first_screen(whole(painted(2)), DESKTOP)
    assert (top.image.size, top.box.height) == ((2880, 1800), 900)


@pytest.mark.parametrize("scale", [1, 2])
def test_a_cutout_shows_the_element_in_its_outline(scale: int) -> None:
    image = opened(cutout(whole(painted(scale)), [SPOT], DESKTOP, RED))
    middle = (image.width // 2, image.height // 2)
    assert close(image.getpixel(middle), (0, 0, 255))
    half = round(SPOT.width / 2 * image.width / 700)
    ring = [image.getpixel((middle[0] + half + step, middle[1])) for step in range(8)]
    assert any(close(pixel, (179, 21, 47)) for pixel in ring)
    assert close(image.getpixel((4, 4)), (221, 221, 221))


def test_neighbours_share_a_cutout_and_far_ones_do_not() -> None:
    near, far = SPOT.model_copy(update={"y": 1200}), SPOT.model_copy(update={"y": 2800})
    alone = opened(cutout(whole(painted()), [SPOT], DESKTOP, RED))
    together = opened(cutout(whole(painted()), [SPOT, near], DESKTOP, RED))
    assert together.height / together.width > alone.height / alone.width
    assert opened(cutout(whole(painted()), [SPOT, far], DESKTOP, RED)).size == alone.size


def test_the_edges_of_the_page_are_no_trouble() -> None:
    corners = [
        Box(x=0, y=0, width=1, height=1),
        Box(x=1430, y=2990, width=500, height=500),
        Box(x=0, y=0, width=1440, height=3000),
    ]
    for box in corners:
        image = opened(cutout(whole(painted()), [box], DESKTOP, RED))
        assert image.width <= 760
        assert image.height <= image.width * 1.2


@pytest.mark.parametrize(
    "box",
    [
        Box(x=0, y=3000, width=10, height=10),
        Box(x=-20, y=0, width=20, height=10),
        Box(x=0, y=0, width=0, height=0),
        Box(x=float("nan"), y=0, width=10, height=10),
        Box(x=0, y=0, width=float("nan"), height=10),
    ],
)
def test_an_element_outside_the_picture_has_no_cutout(box: Box) -> None:
    assert cutout(whole(painted()), [box], DESKTOP, RED) is None


def test_no_boxes_no_cutout() -> None:
    assert cutout(whole(painted()), [], DESKTOP, RED) is None
