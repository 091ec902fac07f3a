import base64
from typing import Any

import httpx2
import pytest

from contracts.errors import ErrorCode
from contracts.render import RenderRequest, RenderResult
from renderer.answers import wants_bytes
from runtime.errors import ServiceError
from tests.fixtures.site import Site

from .conftest import Live, problem

JPEG = {"kind": "screenshot"}
FACTS = {"kind": "facts"}
TILES = {"kind": "screenshot", "area": "tiles"}
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def request(*outputs: dict[str, Any], **more: Any) -> RenderRequest:  # noqa: ANN401  # a request body
    return RenderRequest.model_validate({"url": "http://shop.test/", "outputs": list(outputs), **more})


@pytest.mark.parametrize(
    ("output", "accept", "expected"),
    [
        (JPEG, "", True),
        (JPEG, "*/*", True),
        (JPEG, BROWSER, True),
        (JPEG, "image/*", True),
        (JPEG, "IMAGE/JPEG", True),
        (JPEG, "image/jpeg; q=0.5, application/json", False),
        (JPEG, "application/json", False),
        (JPEG, "application/json, */*", False),
        (JPEG, "application/json;q=0.2, image/*;q=0.8", True),
        (JPEG, "application/*", False),
        (JPEG, "image/jpeg, application/json", True),
        (JPEG, "image/png, application/json", False),
        (JPEG, "nonsense", True),
        (FACTS, "", True),
        (FACTS, "*/*", True),
        (FACTS, "application/json", False),
        (TILES, "", False),
        (TILES, "*/*", False),
        ({"kind": "pdf"}, "application/pdf", True),
        ({"kind": "markdown"}, "text/*", True),
        ({"kind": "links"}, "application/json", False),
    ],
)
def test_which_form_is_wanted(output: dict[str, Any], accept: str, *, expected: bool) -> None:
    assert wants_bytes(request(output), accept) is expected


@pytest.mark.parametrize(
    ("body", "accept", "had"),
    [
        (request(JPEG), "image/png", "image/jpeg or application/json"),
        (request(JPEG), "text/html", "image/jpeg or application/json"),
        (request(JPEG), "*/*;q=0", "image/jpeg or application/json"),
        (request(TILES), "image/*", "application/json only"),
        (request(JPEG, FACTS), "image/*", "application/json only"),
        (request(JPEG, uploads={"screenshot": {"url": "http://store.test/x"}}), "image/jpeg", "application/json only"),
    ],
)
def test_what_cannot_be_accepted_is_said(body: RenderRequest, accept: str, had: str) -> None:
    with pytest.raises(ServiceError) as caught:
        wants_bytes(body, accept)
    assert caught.value.code is ErrorCode.NOT_ACCEPTABLE
    assert had in caught.value.detail


def post(live: Live, accept: str, *outputs: dict[str, Any], url: str) -> httpx2.Response:
    body = {"url": url, "outputs": list(outputs)}
    return httpx2.post(f"{live.base}/render", json=body, headers={"Accept": accept}, timeout=60, trust_env=False)


def test_the_header_decides(live: Live, site: Site) -> None:
    picture = post(live, "image/*", JPEG, url=site.url("/static"))
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.headers["vary"] == "Accept"
    answer = post(live, "application/json", JPEG, url=site.url("/static"))
    result = RenderResult.model_validate_json(answer.content)
    assert base64.b64decode(result.artifacts["screenshot"].data or "") == picture.content


def test_what_cannot_be_met_opens_no_page(live: Live, site: Site) -> None:
    hits = len(site.hits)
    answer = post(live, "image/png", JPEG, url=site.url("/static"))
    assert answer.status_code == 406
    assert problem(answer) == "not_acceptable"
    assert len(site.hits) == hits
