from typing import Any

import pytest

from contracts.errors import ErrorCode
from contracts.render import RenderRequest
from renderer.intake import accept
from renderer.settings import RendererSettings
from runtime.errors import ServiceError

SHOT = {"kind": "screenshot"}


def request(**changes: Any) -> RenderRequest:  # noqa: ANN401  # a request body
    return RenderRequest.model_validate({"url": "http://shop.test/", "outputs": [SHOT], **changes})


def shots(*widths: int) -> list[dict[str, Any]]:
    return [{**SHOT, "name": f"w{width}", "viewport": {"width": width, "height": 800}} for width in widths]


@pytest.mark.parametrize(
    ("settings", "change", "field"),
    [
        ({"renderer_max_budget_s": 10}, {"budget_ms": 11_000}, "budget_ms"),
        ({"renderer_max_outputs": 1}, {"outputs": shots(500, 600)}, "outputs"),
        ({"renderer_max_views": 2}, {"outputs": shots(500, 600, 700)}, "outputs"),
        ({"renderer_max_wait_s": 1}, {"prepare": {"wait_for": {"delay_ms": 1_500}}}, "prepare.wait_for.delay_ms"),
        ({"renderer_max_wait_s": 1}, {"prepare": {"wait_for": {"selector": "a"}}}, "prepare.wait_for.max_ms"),
        (
            {},
            {"outputs": [{**SHOT, "viewport": {"width": 4_000, "height": 4_000, "device_scale_factor": 3}}]},
            "outputs.0.viewport",
        ),
    ],
)
def test_more_than_the_operator_allows(settings: dict[str, Any], change: dict[str, Any], field: str) -> None:
    with pytest.raises(ServiceError) as caught:
        accept(request(**change), RendererSettings(**settings))
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert [error.field for error in caught.value.errors] == [field]


def test_the_contracts_own_bounds_are_the_default() -> None:
    accept(request(budget_ms=120_000, prepare={"wait_for": {"delay_ms": 30_000, "max_ms": 60_000}}), RendererSettings())
    accept(request(outputs=shots(*range(500, 1_100, 100))), RendererSettings())


def test_a_wait_that_is_not_asked_for_is_not_too_long() -> None:
    accept(request(), RendererSettings(renderer_max_wait_s=1))


def test_a_device_replaces_the_viewport() -> None:
    accepted = accept(request(outputs=[{**SHOT, "device": "ipad"}]), RendererSettings())
    assert accepted.outputs[0].viewport.width == 820
