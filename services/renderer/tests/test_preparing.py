import io
from typing import Any

import pytest
from PIL import Image

from contracts.render import (
    RenderResult,
    Warning,  # noqa: A004  # the contract's word
)
from tests.fixtures.shop import Shop
from tests.fixtures.site import Site

from .conftest import Live, pixels, problem

FACTS = {"kind": "facts", "name": "facts"}
SHOT = {"kind": "screenshot", "name": "shot", "format": "png"}


def prepared(live: Live, url: str, **wishes: Any) -> RenderResult:  # noqa: ANN401  # a request body
    answer = live.post({"url": url, "outputs": [SHOT, FACTS], "prepare": wishes, "budget_ms": 15_000})
    assert answer.status_code == 200, answer.text
    return RenderResult.model_validate_json(answer.content)


def facts(result: RenderResult) -> str:
    return pixels(result, "facts").decode()


def test_what_comes_late_is_waited_for(trusting: Live, shop: Shop) -> None:
    plain = {"url": shop.url("/late"), "outputs": [SHOT]}
    for rule in ({"selector": "#late"}, {"function": "window.ready"}, {"function": "() => window.ready // here"}):
        body = {**plain, "prepare": {"wait_for": rule}, "fail_if": {"text_absent": ["here at last"]}}
        assert trusting.post(body).status_code == 200, rule
    early = {**plain, "fail_if": {"text_absent": ["here at last"]}}
    assert problem(trusting.post(early)) == "capture_refused"


@pytest.mark.parametrize(
    ("rule", "met"),
    [
        ({"selector": ".ad", "state": "visible"}, True),
        ({"selector": "[hidden]", "state": "visible"}, False),
        ({"selector": "[hidden]", "state": "attached"}, True),
        ({"selector": "[hidden]", "state": "hidden"}, True),
        ({"selector": ".nowhere", "state": "hidden"}, True),
        ({"selector": ".ad", "state": "hidden"}, False),
        ({"function": "Promise.resolve(1)"}, True),
        ({"function": "document.querySelector('.nowhere').id"}, False),
        ({"function": "(() => { for (;;) {} })()"}, False),
    ],
)
def test_a_wait_that_fails_is_a_partial_result(trusting: Live, shop: Shop, rule: dict[str, Any], *, met: bool) -> None:
    result = prepared(trusting, shop.url("/menu"), wait_for={**rule, "max_ms": 600})
    assert result.warnings == ([] if met else [Warning.WAIT_FAILED])
    assert result.partial is not met
    assert {"shot", "facts"} <= set(result.artifacts)


def test_a_wait_longer_than_the_budget_leaves_time_for_the_picture(trusting: Live, shop: Shop) -> None:
    rule = {"wait_for": {"selector": ".never", "max_ms": 60_000, "delay_ms": 30_000}}
    body = {"url": shop.url("/menu"), "outputs": [SHOT, FACTS], "prepare": rule, "budget_ms": 5_000}
    result = RenderResult.model_validate_json(trusting.post(body).content)
    assert result.warnings == [Warning.WAIT_FAILED]
    assert set(result.artifacts) == {"shot", "facts"}


def test_a_click_is_a_real_one(trusting: Live, shop: Shop) -> None:
    result = prepared(trusting, shop.url("/buttons"), click=["#show"])
    assert "Real click" in facts(result)
    assert result.warnings == []


def test_a_click_leaves_the_screen_where_it_was(trusting: Live, shop: Shop) -> None:
    body = {"url": shop.url("/buttons"), "outputs": [SHOT], "prepare": {"click": ["#show"]}}
    clicked = Image.open(io.BytesIO(trusting.post(body).content)).convert("RGB")
    plain = Image.open(io.BytesIO(trusting.post({**body, "prepare": {}}).content)).convert("RGB")
    assert clicked.tobytes() == plain.tobytes()


def test_a_click_that_leaves_is_followed(trusting: Live, shop: Shop) -> None:
    result = prepared(trusting, shop.url("/buttons"), click=["#show", "#leave"])
    assert result.final_url == shop.url("/second")
    assert "The second page" in facts(result)
    plain = {"url": shop.url("/buttons"), "outputs": [SHOT], "prepare": {"click": ["#leave"]}}
    assert trusting.post(plain).headers["x-final-url"] == shop.url("/second")


def test_a_click_that_leads_nowhere_changes_nothing(trusting: Live, shop: Shop) -> None:
    result = prepared(trusting, shop.url("/buttons"), click=["#gone"])
    assert result.final_url == shop.url("/buttons")
    assert result.warnings == []


def test_what_is_hidden_is_not_seen_but_keeps_its_place(trusting: Live, shop: Shop) -> None:
    def look(**wishes: Any) -> tuple[object, object]:  # noqa: ANN401  # a request body
        body = {"url": shop.url("/menu"), "outputs": [SHOT], "prepare": wishes}
        picture = Image.open(io.BytesIO(trusting.post(body).content)).convert("RGB")
        return picture.getpixel((100, 50)), picture.getpixel((100, 150))

    lime, red, white, blue = (0, 255, 0), (255, 0, 0), (255, 255, 255), (0, 0, 255)
    assert look() == (lime, red)
    assert look(hide=[".ad"]) == (white, white), "a visible child of what is hidden"
    assert look(css=".ad { background: rgb(0, 0, 255) }") == (lime, blue)
    assert look(css=".open { color: red", hide=[".ad"]) == (white, white), (
        "a sheet without its end takes no other along"
    )


def test_what_matches_nothing_is_a_warning(trusting: Live, shop: Shop) -> None:
    assert prepared(trusting, shop.url("/menu"), hide=[".nowhere"]).warnings == [Warning.SELECTOR_MISSING]
    clicked = prepared(trusting, shop.url("/menu"), click=[".nowhere"])
    assert clicked.warnings == [Warning.SELECTOR_MISSING]
    assert not clicked.partial


@pytest.mark.parametrize(
    ("wishes", "field"),
    [
        ({"click": ["#a", "a["]}, "prepare.click.1"),
        ({"hide": [":nonsense"]}, "prepare.hide.0"),
        ({"hide": ["a { } b"]}, "prepare.hide.0"),
        ({"wait_for": {"selector": "##"}}, "prepare.wait_for.selector"),
        ({"wait_for": {"function": "what is this"}}, "prepare.wait_for.function"),
        ({"wait_for": {"selector": "a", "states": "visible"}}, "prepare.wait_for.states"),
        ({"wait_for": {"max_ms": 90_000}}, "prepare.wait_for.max_ms"),
        ({"clicks": ["a"]}, "prepare.clicks"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(trusting: Live, shop: Shop, wishes: dict[str, Any], field: str) -> None:
    answer = trusting.post({"url": shop.url("/menu"), "outputs": [SHOT], "prepare": wishes})
    assert problem(answer) == "invalid_request"
    assert answer.json()["errors"][0]["field"] == field


def test_scripts_are_for_trusted_callers(live: Live, site: Site) -> None:
    body = {"url": site.url("/static"), "outputs": [SHOT], "prepare": {"wait_for": {"function": "true"}}}
    answer = live.post(body)
    assert problem(answer) == "invalid_request"
    assert answer.json()["errors"][0]["field"] == "prepare.wait_for.function"
