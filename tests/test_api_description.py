"""The committed OpenAPI document: complete, true to its own schemas, and true to the API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from contracts.errors import ErrorCode
from tests.fuzz_api import fuzz, platform

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[1] / "docs/openapi.json").read_text(encoding="utf-8"))
PROBLEM = "application/problem+json"
FUZZ_S, SEED = 25, 20_261_121

Content = tuple[str, dict[str, Any]]


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


OPERATIONS = list(operations())
each = pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=[name for name, _ in OPERATIONS])


def contents(operation: dict[str, Any]) -> Iterator[Content]:
    """Give every body that an operation takes or answers, with its media type's part of the document."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"request {media_type}", content
    for status, answer in operation["responses"].items():
        for media_type, content in answer.get("content", {}).items():
            yield f"{status} {media_type}", content


def schema_of(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content.get("schema", {})
    while "$ref" in found or "anyOf" in found:
        found = found["anyOf"][0] if "anyOf" in found else pointed_at(found["$ref"])
    return found


def pointed_at(reference: str) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def examples(content: dict[str, Any]) -> list[Any]:
    if "example" in content:
        return [content["example"]]
    named = content.get("examples", {}).values()
    given = [pointed_at(one["$ref"])["value"] if "$ref" in one else one["value"] for one in named]
    return given or schema_of(content).get("examples", [])


def test_it_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")


@each
def test_every_operation_is_complete(name: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]
    for parameter in operation.get("parameters", []):
        assert parameter.get("description"), parameter["name"]
        if parameter["in"] == "path":
            assert parameter["schema"].get("examples") or parameter.get("example"), parameter["name"]
    for what, content in contents(operation):
        assert examples(content), f"{what} has no example"
        # With the document's own components beside it, references lead where they should.
        schema = {**content.get("schema", {}), "components": DOCUMENT["components"]}
        validator = jsonschema_rs.Draft202012Validator(schema)
        for example in examples(content):
            validator.validate(example)


@each
def test_every_refusal_is_a_problem_with_its_codes(name: str, operation: dict[str, Any]) -> None:
    refused = {status: answer for status, answer in operation["responses"].items() if int(status) >= 400}
    assert refused or name.startswith("GET /livez")
    for status, answer in refused.items():
        assert list(answer["content"]) == [PROBLEM], status
        named = set(answer["content"][PROBLEM]["examples"])
        codes = {code for code in ErrorCode if code.value in named}
        assert len(codes) == len(named) > 0
        assert {code.status for code in codes} == {int(status)}
        assert all(f"`{code.value}`" in answer["description"] for code in codes)


def test_nothing_of_it_is_the_frameworks_own() -> None:
    assert not {"HTTPValidationError", "ValidationError"} & set(DOCUMENT["components"]["schemas"])


@pytest.mark.slow
@pytest.mark.timeout(170)
def test_the_api_does_as_it_says(tmp_path: Path) -> None:
    """No 5xx, no undocumented status or type, every schema honoured, to whatever is sent."""
    with platform(tmp_path) as running:
        done = fuzz(running, FUZZ_S, SEED)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert " passed" in done.stdout
