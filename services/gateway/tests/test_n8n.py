"""The workflows of docs/n8n: whole, importable, and about fields and routes that there are."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.deliveries.signing import new_secret, signed_headers
from gateway.outbox.events import AnalysisEvent
from tests.fixtures.javascript import node as javascript

DOCS = Path(__file__).parents[3] / "docs"
FILES = sorted((DOCS / "n8n").glob("*.json"))
OPENAPI: dict[str, Any] = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
SCHEMAS: dict[str, Any] = OPENAPI["components"]["schemas"]

# What n8n 1.x and 2.x take; a node's newest version may be higher.
VERSIONS: dict[str, set[float]] = {
    "n8n-nodes-base.manualTrigger": {1},
    "n8n-nodes-base.httpRequest": {4.1, 4.2},
    "n8n-nodes-base.wait": {1.1},
    "n8n-nodes-base.if": {2.2},
    "n8n-nodes-base.set": {3.4},
    "n8n-nodes-base.webhook": {2, 2.1},
    "n8n-nodes-base.code": {2},
}
TRIGGERS = {"n8n-nodes-base.manualTrigger", "n8n-nodes-base.webhook"}
OUTPUTS: dict[str, int] = {"n8n-nodes-base.if": 2}


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for one in value.values() for text in strings(one)]
    if isinstance(value, list):
        return [text for one in value for text in strings(one)]
    return []


def test_there_are_workflows() -> None:
    assert [path.stem for path in FILES] == ["event-receiver", "prefer-wait", "submit-and-resume"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_workflow_is_whole(path: Path) -> None:
    workflow = load(path)
    assert {"name", "nodes", "connections", "settings"} <= set(workflow)
    names = [node["name"] for node in workflow["nodes"]]
    ids = [node["id"] for node in workflow["nodes"]]
    assert len(set(names)) == len(names)
    assert len(set(ids)) == len(ids)
    for node in workflow["nodes"]:
        assert set(node) - {"webhookId"} == {"parameters", "id", "name", "type", "typeVersion", "position"}
        assert node["typeVersion"] in VERSIONS[node["type"]]
        assert len(node["position"]) == 2
        assert "credentials" not in node
    assert sum(node["type"] in TRIGGERS for node in workflow["nodes"]) == 1
    waits = [node for node in workflow["nodes"] if node["type"] in {"n8n-nodes-base.wait", "n8n-nodes-base.webhook"}]
    assert all(node["webhookId"] and node["parameters"]["httpMethod"] == "POST" for node in waits)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_node_is_reached_and_every_connection_leads_somewhere(path: Path) -> None:
    workflow = load(path)
    nodes = {node["name"]: node for node in workflow["nodes"]}
    reached = {name for name, node in nodes.items() if node["type"] in TRIGGERS}
    for source, outputs in workflow["connections"].items():
        assert len(outputs["main"]) <= OUTPUTS.get(nodes[source]["type"], 1)
        for target in (target for output in outputs["main"] for target in output):
            assert (target["type"], target["index"]) == ("main", 0)
            reached.add(target["node"])
    assert reached == set(nodes)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_expressions_name_nodes_that_there_are(path: Path) -> None:
    workflow = load(path)
    names = {node["name"] for node in workflow["nodes"]}
    named = {name for text in strings(workflow["nodes"]) for name in re.findall(r"\$\('([^']+)'\)", text)}
    assert named <= names


def schema_of(path: Path, node: dict[str, Any]) -> str | None:
    """Which of our documents a node's expressions are about; None: the workflow's own settings."""
    if node["name"] in {"Submit", "Submit and wait"}:
        return None
    if path.stem == "prefer-wait" or (node["name"] == "Report" and path.stem == "event-receiver"):
        return "AnalysisRead"
    return "AnalysisEvent"


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and the one side of a nullable that is no null."""
    while True:
        if "anyOf" in schema:
            schema = next(one for one in schema["anyOf"] if one.get("type") != "null")
        elif "$ref" in schema:
            schema = SCHEMAS[schema["$ref"].rpartition("/")[2]]
        else:
            return schema


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_expressions_name_fields_that_we_send(path: Path) -> None:
    checked = 0
    for node in load(path)["nodes"]:
        name = schema_of(path, node)
        if name is None or node["type"] == "n8n-nodes-base.code":
            continue
        for text in strings(node["parameters"]):
            for found in re.findall(r"\$json((?:\.\w+)+)", text):
                schema = SCHEMAS[name]
                fields = found.strip(".").split(".")
                # The Wait node hands on the whole request.
                for field in fields[1:] if path.stem == "submit-and-resume" else fields:
                    schema = resolved(resolved(schema)["properties"][field])
                    checked += 1
    assert checked > 3


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_requests_go_to_routes_that_there_are_with_bodies_that_they_take(path: Path) -> None:
    for node in load(path)["nodes"]:
        if node["type"] != "n8n-nodes-base.httpRequest":
            continue
        parameters = node["parameters"]
        if parameters["url"] == "={{ $json.api_url }}":
            continue
        route = re.sub(r"\{\{[^}]*\.base \}\}", "", parameters["url"]).removeprefix("=").partition("?")[0]
        operation = OPENAPI["paths"][re.sub(r"\{\{[^}]*\.id \}\}", "{analysis_id}", route)][
            parameters["method"].lower()
        ]
        if parameters.get("sendBody"):
            keys = re.findall(r"[{,] (\w+):", parameters["jsonBody"])
            taken = operation["requestBody"]["content"]["application/json"]["schema"]
            assert {"url"} <= set(keys) <= set(resolved(taken)["properties"])
        for header in parameters.get("headerParameters", {}).get("parameters", []):
            documented = {one["name"] for one in operation["parameters"] if one["in"] == "header"}
            assert header["name"].lower() in documented


def test_the_events_fields_are_flat_so_that_expressions_stay_short() -> None:
    assert all(
        resolved(field).get("type") in {"string", "integer", "boolean", "array", None}
        for field in SCHEMAS["AnalysisEvent"]["properties"].values()
    )
    assert set(SCHEMAS["AnalysisEvent"]["properties"]) == set(AnalysisEvent.model_fields)


@pytest.mark.parametrize(("change", "genuine"), [("", True), (" ", False)])
def test_the_code_node_verifies_what_we_sign(change: str, genuine: bool) -> None:  # noqa: FBT001  # a parametrised case
    (code,) = [
        node["parameters"]["jsCode"]
        for node in load(DOCS / "n8n" / "event-receiver.json")["nodes"]
        if node["type"] == "n8n-nodes-base.code"
    ]
    secret, body = new_secret(), '{"type":"analysis.succeeded"}'
    headers = signed_headers("evt_1", body.encode(), [secret])
    # What n8n gives a Code node, as far as this one uses it.
    frame = f"""
const $env = {{ CRO_WEBHOOK_SECRET: {json.dumps(secret)} }};
const $input = {{ first: () => ({{ json: {{ headers: {json.dumps(headers)} }} }}) }};
const self = {{ helpers: {{ getBinaryDataBuffer: async () => Buffer.from({json.dumps(body + change)}) }} }};
const run = async function () {{ {code} }};
run.call(self).then((items) => console.log(items[0].json.type), () => console.log("refused"));
"""
    assert javascript(frame).strip() == ("analysis.succeeded" if genuine else "refused")
