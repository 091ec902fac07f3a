import io

import httpx2
import pytest
from PIL import Image

from contracts.render import RenderResult
from renderer.devices import DEVICES, Device
from tests.fixtures.shop import Shop, seen

from .conftest import Live, problem


def test_the_list() -> None:
    assert len(DEVICES) >= 12
    assert {device.platform for device in DEVICES.values()} == {"iOS", "Android", "Windows", "macOS"}
    for device in DEVICES.values():
        assert device.viewport.width == device.width, "a viewport that the contract takes"


def test_the_list_is_served(trusting: Live) -> None:
    answer = httpx2.get(f"{trusting.base}/devices", trust_env=False)
    assert [Device.model_validate(each) for each in answer.json()] == list(DEVICES.values())


@pytest.mark.parametrize("name", ["iphone-16-pro", "pixel-9", "ipad", "desktop-full-hd"])
def test_a_page_meets_the_device(trusting: Live, shop: Shop, name: str) -> None:
    device = DEVICES[name]
    shop.hits.clear()
    answer = trusting.post({"url": shop.url("/seen"), "outputs": [{"kind": "facts", "device": name}]})
    found = seen(answer.content)
    assert (found["width"], found["density"]) == (device.width, device.scale)
    assert bool(found["touch"]) is device.mobile
    agent = shop.of("/seen")[0].headers["user-agent"]
    assert agent == found["agent"]
    assert {"iphone-16-pro": "iPhone", "pixel-9": "Android", "ipad": "iPad", "desktop-full-hd": "Windows"}[
        name
    ] in agent
    hints = "sec-ch-ua" in shop.of("/seen")[0].headers
    assert hints is (device.platform != "iOS")
    assert bool(found["brands"]) is hints


def test_devices_of_one_size_are_different_visitors(trusting: Live, shop: Shop) -> None:
    outputs = [
        {"kind": "screenshot", "name": "named", "device": "iphone-16-plus"},
        {"kind": "screenshot", "name": "plain", "viewport": DEVICES["iphone-16-plus"].viewport.model_dump()},
    ]
    shop.hits.clear()
    result = RenderResult.model_validate_json(trusting.post({"url": shop.url("/seen"), "outputs": outputs}).content)
    assert set(result.artifacts) == {"named", "plain"}
    assert len({hit.headers["user-agent"] for hit in shop.of("/seen")}) == 2


def test_the_picture_has_the_devices_pixels(trusting: Live, shop: Shop) -> None:
    answer = trusting.shot(shop.url("/bands"), device="pixel-9", viewport={"width": 800, "height": 600})
    device = DEVICES["pixel-9"]
    assert Image.open(io.BytesIO(answer.content)).size == (round(412 * device.scale), round(923 * device.scale))


def test_an_unknown_device_is_named_with_the_known(trusting: Live, shop: Shop) -> None:
    answer = trusting.shot(shop.url("/bands"), device="iphone-99")
    assert problem(answer) == "invalid_request"
    error = answer.json()["errors"][0]
    assert error["field"] == "outputs.0.device"
    assert "iphone-16-pro" in error["message"]
