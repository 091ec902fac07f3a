"""The frame of a service: problems, request identity, health and metrics, asked over ASGI."""

import contextlib
import re
from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import FastAPI, HTTPException, Request
from prometheus_client import REGISTRY
from starlette.testclient import TestClient

from contracts.errors import ErrorCode, Problem
from contracts.wire import Wire
from runtime.errors import ServiceError
from runtime.web import service_app


class Order(Wire):
    name: str
    quality: int


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield


def make_app(state: dict[str, bool]) -> FastAPI:
    async def ready() -> None:
        if not state["ready"]:
            raise ServiceError(ErrorCode.UNAVAILABLE, "Starting.", retry_after_s=0.4)

    app = service_app("frame-test", ready=ready, lifespan=lifespan)

    @app.post("/orders/{number}")
    async def order(number: int, body: Order) -> Order:
        return body

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("the inside story")

    @app.get("/refused")
    async def refused() -> None:
        raise ServiceError(ErrorCode.RENDERER_BUSY, "Every browser is busy.", reason="4 of 4", retry_after_s=2.2)

    @app.get("/locked")
    async def locked() -> None:
        raise HTTPException(401, "Send a key.", headers={"WWW-Authenticate": "Bearer"})

    @app.get("/id")
    async def identity(request: Request) -> str:
        return str(request.state.request_id)

    return app


@pytest.fixture
def state() -> dict[str, bool]:
    return {"ready": True}


@pytest.fixture
def http(state: dict[str, bool]) -> Iterator[TestClient]:
    with TestClient(make_app(state), raise_server_exceptions=False) as client:
        yield client


def test_a_service_error_becomes_a_problem_with_retry_after(http: TestClient) -> None:
    response = http.get("/refused")
    assert (response.status_code, response.headers["content-type"]) == (503, "application/problem+json")
    assert response.headers["retry-after"] == "3"
    found = Problem.model_validate_json(response.content)
    assert (found.code, found.detail, found.instance) == (ErrorCode.RENDERER_BUSY, "Every browser is busy.", "/refused")
    assert found.title == ErrorCode.RENDERER_BUSY.headline
    assert found.request_id == response.headers["x-request-id"]
    assert "4 of 4" not in response.text


def test_an_unknown_failure_tells_nothing_of_the_inside(http: TestClient) -> None:
    response = http.get("/broken")
    assert (response.status_code, response.json()["code"]) == (500, "internal")
    assert "inside story" not in response.text
    assert response.headers["x-request-id"] == response.json()["request_id"]
    assert "x-process-time" in response.headers


def test_refused_fields_are_named_as_the_caller_wrote_them(http: TestClient) -> None:
    response = http.post("/orders/7", json={"name": "x", "quality": "high"})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert [error["field"] for error in response.json()["errors"]] == ["quality"]
    assert http.post("/orders/x", json={"name": "x", "quality": 1}).json()["errors"][0]["field"] == "number"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/id", 405, "method_not_allowed"),
        ("GET", "/locked", 401, "unauthenticated"),
    ],
)
def test_the_frameworks_own_failures_are_problems(
    http: TestClient, method: str, path: str, status: int, code: str
) -> None:
    response = http.request(method, path)
    assert (response.status_code, response.json()["code"], response.json()["status"]) == (status, code, status)


def test_headers_of_a_framework_failure_stay(http: TestClient) -> None:
    assert http.get("/locked").headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("inbound", ["abcdefgh", "req_0123.4-5"])
def test_a_well_formed_request_id_is_kept(http: TestClient, inbound: str) -> None:
    response = http.get("/id", headers={"x-request-id": inbound})
    assert response.json() == response.headers["x-request-id"] == inbound


@pytest.mark.parametrize("inbound", ["", "short", "has space in it", "a" * 101, "new\tline---"])
def test_any_other_request_id_is_replaced(http: TestClient, inbound: str) -> None:
    response = http.get("/id", headers={"x-request-id": inbound})
    assert re.fullmatch(r"req_[0-9a-f]{32}", response.headers["x-request-id"])
    assert response.json() == response.headers["x-request-id"]


def test_every_answer_tells_its_time(http: TestClient) -> None:
    assert re.fullmatch(r"\d+\.\d{4}", http.get("/nowhere").headers["x-process-time"])


def count(route: str, status: str, method: str = "GET") -> float:
    labels = {"service": "frame-test", "method": method, "route": route, "status": status}
    return REGISTRY.get_sample_value("cro_http_requests_total", labels) or 0


def test_requests_are_counted_by_route_template(http: TestClient) -> None:
    before = count("/orders/{number}", "200", "POST"), count("unmatched", "404")
    http.post("/orders/12345", json={"name": "x", "quality": 1})
    http.get("/chosen-by-a-caller")
    assert (count("/orders/{number}", "200", "POST"), count("unmatched", "404")) == (before[0] + 1, before[1] + 1)
    metrics = http.get("/metrics").text
    assert "cro_http_request_seconds_bucket" in metrics
    assert "chosen-by-a-caller" not in metrics


def test_no_request_is_active_afterwards(http: TestClient) -> None:
    http.get("/broken")
    assert REGISTRY.get_sample_value("cro_http_active_requests", {"service": "frame-test"}) == 0


def test_health_tells_alive_from_ready(http: TestClient, state: dict[str, bool]) -> None:
    assert http.get("/readyz").json() == {"status": "ready"}
    state["ready"] = False
    assert http.get("/readyz").status_code == 503
    assert http.get("/readyz").headers["retry-after"] == "1"
    assert http.get("/livez").json() == {"status": "alive"}
