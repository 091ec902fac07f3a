import io
from typing import Any

import pytest
from PIL import Image

from contracts.outputs import MANY_AT_MOST, MAX_CAPTURE_PX, Tiles
from contracts.render import RenderResult
from renderer import areas
from tests.fixtures.shop import Shop
from tests.fixtures.site import TALL_PX, Site

from .conftest import Live, pixels, problem

BLUE, LIME = (0, 0, 255), (0, 255, 0)


def shot(live: Live, url: str, **output: Any) -> Image.Image:  # noqa: ANN401  # a request body
    answer = live.shot(url, **{"format": "png", **output})
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content)).convert("RGB")


@pytest.mark.parametrize("settle", [None, {"max_ms": 3_000}], ids=["at once", "settled"])
@pytest.mark.parametrize("density", [1, 2])
def test_an_element_alone_with_nothing_over_it(
    trusting: Live, shop: Shop, settle: dict[str, int] | None, density: int
) -> None:
    viewport = {"width": 1000, "height": 700, "device_scale_factor": density}
    output = {"kind": "screenshot", "area": "element", "selector": "#card", "format": "png", "viewport": viewport}
    answer = trusting.post({"url": shop.url("/layers"), "outputs": [output], "settle": settle})
    picture = Image.open(io.BytesIO(answer.content)).convert("RGB")
    assert picture.size == (300 * density, 500 * density)
    assert picture.getcolors() == [(2_500 * density**2, LIME), (147_500 * density**2, BLUE)]


def test_after_an_element_the_page_is_as_it_was(trusting: Live, shop: Shop) -> None:
    outputs = [
        {"kind": "screenshot", "name": "card", "area": "element", "selector": "#card", "format": "png"},
        {"kind": "screenshot", "name": "side", "area": "element", "selector": "#side", "format": "png"},
        {"kind": "screenshot", "name": "bar", "area": "element", "selector": "#bar", "format": "png"},
        {"kind": "facts", "name": "facts"},
    ]
    result = RenderResult.model_validate_json(
        trusting.post({"url": shop.url("/layers"), "outputs": outputs, "settle": {"max_ms": 3_000}}).content
    )
    for name, size in {"side": (1440, 400), "bar": (1440, 120)}.items():
        picture = Image.open(io.BytesIO(pixels(result, name))).convert("RGB")
        assert picture.size == size
        assert picture.getpixel((700, 60)) == (255, 0, 0)


def test_an_elements_own_lazy_pictures_are_there(live: Live, site: Site) -> None:
    picture = shot(live, site.url("/lazy"), area="element", selector="img:last-of-type")
    assert picture.size == (600, 700)
    assert picture.getpixel((300, 600)) == (200, (11 * 40) % 256, 90)


@pytest.mark.parametrize("selector", ["#nowhere", "[hidden]"])
def test_an_element_that_is_not_there_is_a_refusal(trusting: Live, shop: Shop, selector: str) -> None:
    answer = trusting.shot(shop.url("/menu"), area="element", selector=selector)
    assert problem(answer) == "capture_refused"
    assert answer.json()["errors"][0]["field"] == "outputs.screenshot.selector"
    assert selector in answer.json()["detail"]


def test_what_is_no_selector_is_named(trusting: Live, shop: Shop) -> None:
    answer = trusting.shot(shop.url("/menu"), area="element", selector="a[")
    assert problem(answer) == "invalid_request"
    assert answer.json()["errors"][0]["field"] == "outputs.screenshot.selector"


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_an_element_higher_than_a_picture_can_be(live: Live, site: Site, kind: str) -> None:
    viewport = {"width": 400, "height": 800, "device_scale_factor": 2}
    answer = live.shot(site.url("/tall"), area="element", selector="div", format=kind, viewport=viewport)
    picture = Image.open(io.BytesIO(answer.content))
    assert (picture.format or "").lower() == kind
    assert picture.height == MAX_CAPTURE_PX


def test_a_clip_is_that_part_of_the_page(trusting: Live, shop: Shop) -> None:
    box = {"x": 100, "y": 2050, "width": 200, "height": 100}
    picture = shot(trusting, shop.url("/bands"), area="clip", clip=box)
    assert picture.size == (200, 100)
    assert picture.getpixel((5, 49)) == (100, 100, 200)
    assert picture.getpixel((5, 50)) == (105, 100, 200)


@pytest.mark.parametrize(
    ("box", "field"),
    [
        ({"x": 0, "y": 5_001, "width": 10, "height": 10}, "outputs.screenshot.clip"),
        ({"x": -1, "y": 0, "width": 10, "height": 10}, "outputs.0.clip"),
        ({"x": 0, "y": 0, "width": 0, "height": 10}, "outputs.0.clip"),
        ({"x": 0, "y": 0, "width": 10, "height": 17_000}, "outputs.0.clip"),
        ({"x": 0, "y": 0, "width": 9_000, "height": 9_000}, "outputs.0.clip"),
    ],
)
def test_a_clip_that_is_nowhere_is_named(trusting: Live, shop: Shop, box: dict[str, int], field: str) -> None:
    answer = trusting.shot(shop.url("/bands"), area="clip", clip=box)
    assert problem(answer) == "invalid_request"
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_tiles_are_the_page_in_parts(trusting: Live, shop: Shop, kind: str) -> None:
    rule = {"height": 2_000, "overlap": 500}
    output = {"kind": "screenshot", "area": "tiles", "tiles": rule, "format": kind}
    result = RenderResult.model_validate_json(trusting.post({"url": shop.url("/bands"), "outputs": [output]}).content)
    assert list(result.artifacts) == ["screenshot.1", "screenshot.2", "screenshot.3"]
    assert result.warnings == []
    tops = []
    for name, artifact in result.artifacts.items():
        assert artifact.box
        tops.append(artifact.box.y)
        picture = Image.open(io.BytesIO(pixels(result, name)))
        assert (picture.format or "").lower() == kind
        assert picture.size == (artifact.width, artifact.height) == (1440, 2_000)
        first = picture.convert("RGB").getpixel((700, 50))
        assert first == pytest.approx((artifact.box.y // 100 * 5, 100, 200), abs=3)
    assert tops == [0, 1_500, 3_000]


def test_tiles_go_where_their_slots_are(trusting: Live, shop: Shop) -> None:
    body = {"url": shop.url("/bands"), "outputs": [{"kind": "screenshot", "area": "tiles"}]}
    answer = trusting.post({**body, "uploads": {"screen.1": {"url": "http://127.0.0.1:1/x"}}})
    assert answer.json()["errors"][0]["field"] == "uploads.screen.1"


def test_tiles_of_an_endless_page_end(live: Live, site: Site) -> None:
    output = {
        "kind": "screenshot",
        "area": "tiles",
        "tiles": {"height": 200},
        "viewport": {"width": 300, "height": 300},
    }
    result = live.post({"url": site.url("/tall"), "outputs": [output]}).json()
    assert len(result["artifacts"]) == MANY_AT_MOST
    assert result["warnings"] == ["truncated"]


@pytest.mark.parametrize(
    ("rule", "height", "expected"),
    [
        (Tiles(height=900), 900, [(0, 900)]),
        (Tiles(height=900), 901, [(0, 900), (900, 1)]),
        (Tiles(height=900, overlap=100), 1_000, [(0, 900), (800, 200)]),
        (Tiles(height=900, overlap=450), 1_350, [(0, 900), (450, 900)]),
        (Tiles(height=900), 0, [(0, 1)]),
        (Tiles(height=4_000), TALL_PX, [(0, 4_000), (4_000, 4_000), (8_000, 4_000), (12_000, 4_000)]),
    ],
)
def test_where_tiles_begin_and_end(rule: Tiles, height: float, expected: list[tuple[int, int]]) -> None:
    assert [(box.y, box.height) for box in areas.tiles(rule, 1440, height)] == expected


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("area", ["first_screen", "full_page"])
def test_formats_at_a_broken_density(trusting: Live, shop: Shop, kind: str, area: str) -> None:
    viewport = {"width": 413, "height": 917, "device_scale_factor": 2.625, "mobile": True}
    output = {"kind": "screenshot", "name": "shot", "area": area, "format": kind, "viewport": viewport}
    body = {"url": shop.url("/bands"), "outputs": [output, {"kind": "facts", "viewport": viewport}]}
    result = RenderResult.model_validate_json(trusting.post(body).content)
    artifact = result.artifacts["shot"]
    assert Image.open(io.BytesIO(pixels(result, "shot"))).size == (artifact.width, artifact.height)
