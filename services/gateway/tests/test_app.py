"""Health, metrics, documentation: what every visitor of the API meets."""

import re

import httpx2
import pytest

from contracts.errors import ErrorCode
from gateway.app import create_app
from gateway.db import Database
from gateway.readiness import Readiness
from gateway.settings import GatewaySettings
from runtime.errors import ServiceError
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio


async def test_health(platform: Platform) -> None:
    assert (await platform.http.get("/livez")).status_code == 200
    answer = await platform.http.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
    assert {"x-request-id", "x-process-time"} <= set(answer.headers)


async def test_metrics_name_routes_and_never_ids(platform: Platform) -> None:
    await platform.http.get("/v1/analyses/an_secret_id")
    text = (await platform.http.get("/metrics")).text
    assert 'route="/v1/analyses/{analysis_id}"' in text
    assert "an_secret_id" not in text
    assert "cro_jobs_fenced_total" in text


async def test_ready_only_turns_false_at_the_second_failure_in_a_row() -> None:
    away = Database("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    readiness = Readiness(away)
    await readiness.check()
    with pytest.raises(ServiceError) as caught:
        await readiness.check()
    assert caught.value.code is ErrorCode.UNAVAILABLE
    await away.aclose()


async def test_with_the_database_away_every_route_says_so_and_when_to_return(settings: GatewaySettings) -> None:
    app = create_app(settings.model_copy(update={"database_url": "postgresql+asyncpg://nobody@127.0.0.1:1/none"}))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://x.test", trust_env=False) as http:
        for answer in (
            await http.post("/v1/analyses", json={"url": "https://shop.test/"}),
            await http.get("/v1/analyses"),
            await http.get("/status/an_1"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0
            assert "127.0.0.1" not in answer.text
        assert (await http.get("/livez")).status_code == 200
    await app.state.parts.db.aclose()


async def test_the_docs_page_needs_no_internet(platform: Platform) -> None:
    page = await platform.http.get("/docs")
    assert page.status_code == 200
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) >= 3
    for link in links:
        assert link.startswith("/docs/assets/"), link
        assert (await platform.http.get(link)).status_code == 200
    assert "https://" not in page.text


async def test_every_error_code_has_its_place_in_the_docs(platform: Platform) -> None:
    page = (await platform.http.get("/docs/errors")).text
    assert all(f'id="{code.value}"' in page for code in ErrorCode)


async def test_every_operation_is_described(platform: Platform) -> None:
    document = (await platform.http.get("/openapi.json")).json()
    operations = {
        (method, path): operation for path, item in document["paths"].items() for method, operation in item.items()
    }
    assert ("post", "/v1/analyses") in operations
    assert not any(path.startswith("/blobs") for _, path in operations)
    for (method, path), operation in operations.items():
        assert operation["summary"], (method, path)
        if not path.endswith("z"):
            assert operation["description"], (method, path)
            assert any(
                "application/problem+json" in answer.get("content", {}) for answer in operation["responses"].values()
            )


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("DELETE", "/analyze", 405, "method_not_allowed"),
    ],
)
async def test_every_refusal_is_a_problem(platform: Platform, method: str, path: str, status: int, code: str) -> None:
    answer = await platform.http.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_refused_method_is_told_every_other(platform: Platform) -> None:
    for path, methods in (("/v1/keys", "GET, POST"), ("/v1/analyses/an_1", "GET, DELETE"), ("/analyze", "POST")):
        answer = await platform.http.put(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)


@pytest.mark.parametrize("body", [b"\xff{", b"{", b"", b"[]", b'"x"'])
async def test_a_body_that_cannot_be_read_is_an_invalid_request(platform: Platform, body: bytes) -> None:
    for path in ("/v1/analyses", "/v1/captures", "/analyze", "/v1/keys"):
        answer = await platform.http.post(path, content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), path


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/captures", b'{"url":"https://shop.test/","visit":{"headers":{"\\ud800":"x"}}}'),
        ("POST", "/v1/captures", b'{"url":"https://shop.test/","outputs":[{"kind":"\\ud800"}]}'),
        ("PUT", "/v1/tenant/thresholds", b'{"\\ud800":{"warn":1}}'),
        ("PUT", "/v1/tenant/thresholds", b'{"hero.density":{"\\ud800":1}}'),
    ],
)
async def test_half_a_character_can_be_refused(platform: Platform, method: str, path: str, body: bytes) -> None:
    answer = await platform.http.request(method, path, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_flag_is_no_number_and_a_number_no_day(platform: Platform) -> None:
    answer = await platform.http.post("/v1/analyses", json={"url": "https://shop.test/", "wait": True})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "wait must be a number" in answer.text
    body = {"url": "https://shop.test/", "outputs": [{"kind": "screenshot", "quality": False}]}
    assert (await platform.http.post("/v1/captures", json=body)).status_code == 422
    for day in ("0", "1795262400", "2026-11-21T00:00:00"):
        assert (await platform.http.get("/v1/usage", params={"to": day})).status_code == 422
    assert (await platform.http.get("/v1/usage", params={"to": "2026-11-21"})).status_code == 200


async def test_every_reference_in_the_openapi_document_leads_somewhere(platform: Platform) -> None:
    answer = await platform.http.get("/openapi.json")
    components = answer.json()["components"]
    references = set(re.findall(r'"\$ref":\s*"#/components/([^"]+)"', answer.text))
    assert {"schemas/Problem", "examples/not_found"} <= references
    assert answer.text.count('"$ref"') == len(re.findall(r'"\$ref":\s*"#/components/', answer.text))
    assert {reference for reference in references if not _there(components, *reference.split("/"))} == set()


def _there(components: dict[str, dict[str, object]], kind: str, name: str) -> bool:
    return name in components.get(kind, {})
