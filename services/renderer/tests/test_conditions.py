from typing import Any

import pytest

from tests.fixtures.shop import Shop

from .conftest import Live, problem

SHOT = {"kind": "screenshot", "name": "shot"}
PHONE = {"kind": "screenshot", "name": "phone", "viewport": {"width": 390, "height": 844, "mobile": True}}


@pytest.mark.parametrize(
    ("path", "rules", "said"),
    [
        ("/nowhere", {"statuses": [403, 404]}, "404"),
        ("/menu", {"text_present": ["fine", "Sold out"]}, "Sold out"),
        ("/menu", {"text_present": ["IN THE SHADOW"]}, "IN THE SHADOW"),
        ("/menu", {"text_absent": ["sold out", "Add to basket"]}, "Add to basket"),
        ("/menu", {"text_absent": ["Secret words"]}, "Secret words"),
        ("/menu", {"selector_absent": [".ad", ".price"]}, ".price"),
        ("/broken", {"request_failed": ["*/missing.png"]}, "missing.png"),
    ],
)
@pytest.mark.parametrize("outputs", [[SHOT], [SHOT, PHONE, {"kind": "facts"}]], ids=["shot", "all"])
def test_a_page_that_is_not_the_one_is_refused(
    trusting: Live, shop: Shop, path: str, rules: dict[str, Any], said: str, outputs: list[dict[str, Any]]
) -> None:
    answer = trusting.post({"url": shop.url(path), "outputs": outputs, "fail_if": rules})
    assert problem(answer) == "capture_refused"
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "rules"),
    [
        ("/menu", {"statuses": [404, 500], "text_present": ["Secret words"], "text_absent": ["in the shadow"]}),
        ("/menu", {"selector_absent": [".ad"], "request_failed": ["*"]}),
        ("/broken", {"request_failed": ["*/missing"], "statuses": [404]}),
    ],
)
def test_a_page_that_is_the_one_is_shown(trusting: Live, shop: Shop, path: str, rules: dict[str, Any]) -> None:
    answer = trusting.post({"url": shop.url(path), "outputs": [SHOT], "fail_if": rules})
    assert answer.status_code == 200, answer.text


def test_what_is_hidden_first_is_not_there(trusting: Live, shop: Shop) -> None:
    body = {"url": shop.url("/menu"), "outputs": [SHOT], "fail_if": {"text_present": ["sold out"]}}
    assert trusting.post({**body, "prepare": {"hide": ["p"]}}).status_code == 200


@pytest.mark.parametrize(
    ("rules", "field"),
    [({"selector_absent": ["a", "b["]}, "fail_if.selector_absent.1"), ({"status": [404]}, "fail_if.status")],
)
def test_what_is_no_rule_is_refused_by_name(trusting: Live, shop: Shop, rules: dict[str, Any], field: str) -> None:
    answer = trusting.post({"url": shop.url("/menu"), "outputs": [SHOT], "fail_if": rules})
    assert problem(answer) == "invalid_request"
    assert answer.json()["errors"][0]["field"] == field
