"""The OpenAPI document: what FastAPI writes down of the routes, made true where it cannot know better."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from contracts.errors import ErrorCode, Fault, Problem
from gateway.guard import SCHEMES
from gateway.refusals import refusals

Document = dict[str, Any]  # OpenAPI

_NOT_OURS = ("HTTPValidationError", "ValidationError")
"""How FastAPI answers what cannot be validated; our answer is a problem."""

_MAY_WAIT = {ErrorCode.RATE_LIMITED: 2.0, ErrorCode.BACKLOG: 9.0, ErrorCode.OVERLOADED: 1.0, ErrorCode.UNAVAILABLE: 1.0}
_HEALTH: dict[str, Document] = {
    "/livez": {"description": "Asks nothing but the process.", "example": {"status": "alive"}},
    "/readyz": {
        "description": "Says 503 after two failures of the database in a row, and while the process stops. `degraded`: "
        "Redis is away, and everything goes on, slower.",
        "example": {"status": "ready"},
    },
}


def complete(app: FastAPI, guarded: Iterable[APIRouter]) -> None:
    """Have `app.openapi()` return the completed document. The routes of `guarded` need a key."""
    written = app.openapi

    @cache
    def described() -> Document:
        document = written()
        for item in document["paths"].values():
            for operation in item.values():
                _correct(operation["responses"])
                _hoist(operation.get("requestBody", {}), document["components"]["schemas"])
        for item in document.get("webhooks", {}).values():
            for operation in item.values():
                # What a receiver answers is not ours to say.
                operation["responses"].pop("422", None)
        for path, about in _HEALTH.items():
            _tell_health(document["paths"][path]["get"], about)
        for route in _described(app.routes):
            _restore(document, route)
        _lock(document, [route for router in guarded for route in _described(router.routes)])
        schemas = document["components"]["schemas"]
        for name in _NOT_OURS:
            schemas.pop(name, None)
        document["components"]["examples"] = {code.value: _example(code) for code in ErrorCode}
        return document

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way


def _described(routes: Iterable[BaseRoute]) -> Iterator[APIRoute]:
    for route in routes:
        # FastAPI keeps an included router in one piece; its routes name their whole paths.
        included = getattr(route, "original_router", None)
        if isinstance(route, APIRoute) and route.include_in_schema:
            yield route
        elif isinstance(included, APIRouter) and included.include_in_schema:
            yield from _described(included.routes)


def _restore(document: Document, route: APIRoute) -> None:
    """Put examples in as they are written: FastAPI leaves out every null, and then they lack what they must have."""
    for method in route.methods or ():
        answers = document["paths"][route.path_format][method.lower()]["responses"]
        for status, response in route.responses.items():
            for media_type, content in response.get("content", {}).items():
                if "example" in content:
                    answers[str(status)]["content"][media_type]["example"] = content["example"]
    extra = getattr(route.response_model, "model_config", {}).get("json_schema_extra", {})
    if "examples" in extra:
        document["components"]["schemas"][route.response_model.__name__]["examples"] = extra["examples"]


def _lock(document: Document, routes: Iterable[APIRoute]) -> None:
    """Say that these need a key, shown in one of the ways that there are."""
    document["components"]["securitySchemes"] = SCHEMES
    for route in routes:
        for method in route.methods or ():
            document["paths"][route.path_format][method.lower()]["security"] = [{name: []} for name in SCHEMES]


def _correct(responses: Document) -> None:
    if "application/json" in responses.get("422", {}).get("content", {}):
        responses["422"] = refusals(ErrorCode.INVALID_REQUEST)[ErrorCode.INVALID_REQUEST.status]


def _hoist(body: Document, schemas: Document) -> None:
    """Put what a body written by hand defines where its references lead."""
    for content in body.get("content", {}).values():
        for name, schema in content.get("schema", {}).pop("$defs", {}).items():
            schemas.setdefault(name, schema)


def _tell_health(operation: Document, about: Document) -> None:
    operation["description"] = about["description"]
    operation["responses"]["200"]["description"] = "Yes"
    operation["responses"]["200"]["content"]["application/json"]["example"] = about["example"]
    if operation["operationId"].startswith("readyz"):
        unready = refusals(ErrorCode.UNAVAILABLE)[ErrorCode.UNAVAILABLE.status]
        operation["responses"][str(ErrorCode.UNAVAILABLE.status)] = unready


def _example(code: ErrorCode) -> Document:
    problem = Problem.of(
        code,
        "What exactly, and what to change.",
        instance="/v1/analyses",
        request_id="0193f6b2c4d57a80b1c2d3e4f5a60718",
        retry_after_s=_MAY_WAIT.get(code),
    )
    whose = {Fault.CALLER: "yours to change", Fault.TARGET: "the page's", Fault.PROVIDER: "a provider's"}
    value = problem.model_dump(mode="json", exclude_none=True)
    return {"summary": f"{code.headline} ({whose.get(code.fault, 'ours')})", "value": value}
