"""No tenant reaches another's things, and no key does more than its scopes say: swept over the OpenAPI document."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from gateway.access.scopes import EVERY_SCOPE, Scope
from tests.fixtures.accounts import Account, account, client, key_of
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

OPEN = {"/livez", "/readyz", "/api/health", "/api/metrics"}
ANY_KEY = {("get", "/v1/tenant")}
NO_ID = {"name": "screenshot"}
# All that answers without a key, also what the OpenAPI document leaves out. For blobs the signed URL is the key.
NOBODYS = OPEN | {"/metrics", "/openapi.json", "/docs", "/docs/errors", "/docs/assets", "/blobs/{key:path}"}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for path, item in document["paths"].items():
        if path not in OPEN:
            yield from ((method, path) for method in item)


async def document_of(platform: Platform) -> dict[str, Any]:
    found: dict[str, Any] = (await platform.http.get("/openapi.json")).json()
    return found


async def belongings(a: Account) -> dict[str, str]:
    """Return one of everything that a tenant can have, by the name of its path parameter."""
    analysis = (await a.http.post("/v1/analyses", json={"url": "https://shop.test/"})).json()["id"]
    capture = (await a.http.post("/v1/captures", json={"url": "https://shop.test/"})).json()["id"]
    listed = {"urls": ["https://shop.test/a"], "options": {"preset": "rules"}}
    batch = (await a.http.post("/v1/batches", json=listed)).json()["id"]
    webhook = (await a.http.post("/v1/webhooks", json={"url": "https://hooks.test/"})).json()["id"]
    delivery = (await a.http.post(f"/v1/webhooks/{webhook}/test")).json()["id"]
    webhooks = {"webhook_id": webhook, "delivery_id": delivery}
    return {
        "batch_id": batch,
        "analysis_id": analysis,
        "task_id": analysis,
        "capture_id": capture,
        "key_id": a.key_id,
        **webhooks,
        **NO_ID,
    }


def example_of(document: dict[str, Any], method: str, path: str) -> Any:  # noqa: ANN401  # JSON
    """Return a body that the route takes; None: it takes none, or needs none."""
    body = document["paths"][path][method].get("requestBody", {})
    if not body.get("required"):
        return None
    name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    return document["components"]["schemas"][name]["examples"][0]


async def test_every_route_answers_not_found_for_what_is_anothers(guarded: Platform) -> None:
    a, b = await account(guarded, "ten_a"), await account(guarded, "ten_b")
    theirs = await belongings(a)
    swept = 0
    document = await document_of(guarded)
    for method, path in operations(document):
        names = re.findall(r"{(\w+)}", path)
        if not names:
            continue
        assert set(names) <= set(theirs), f"{path}: say in `belongings` how to make one"
        other = {"with": theirs["analysis_id"]} if path.endswith("/compare") else {}
        body = example_of(document, method, path)
        answer = await b.http.request(method, path.format(**theirs), params=other, json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (method, path)
        swept += 1
    assert swept >= 20
    assert (await a.http.get(f"/v1/analyses/{theirs['analysis_id']}")).json()["status"] in {"queued", "waiting"}
    assert (await a.http.get("/v1/tenant")).status_code == 200


async def test_no_list_shows_what_is_anothers(guarded: Platform) -> None:
    a, b = await account(guarded, "ten_a"), await account(guarded, "ten_b")
    theirs = set((await belongings(a)).values()) - set(NO_ID.values())
    lists = [path for method, path in operations(await document_of(guarded)) if method == "get" and "{" not in path]
    assert len(lists) >= 5
    for path in lists:
        text = (await b.http.get(path)).text
        assert not any(one in text for one in (*theirs, "ten_a")), path


async def test_a_cursor_of_anothers_shows_nothing_of_theirs(guarded: Platform) -> None:
    a, b = await account(guarded, "ten_a"), await account(guarded, "ten_b")
    for page in ("one", "two"):
        await a.http.post("/v1/analyses", json={"url": f"https://shop.test/{page}"})
    cursor = (await a.http.get("/v1/analyses?limit=1")).json()["next_cursor"]
    answer = await b.http.get(f"/v1/analyses?cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_without_a_key_every_route_is_shut(guarded: Platform) -> None:
    for method, path in operations(await document_of(guarded)):
        answer = await guarded.http.request(method, re.sub(r"{\w+}", "an_1", path))
        assert answer.status_code == 401, (method, path)


async def test_no_route_is_open_but_those_that_are_meant_to_be(guarded: Platform) -> None:
    """Over the routes themselves: one that is left out of the document, or of the guard, is found here."""
    shut = 0
    for route in iter_route_contexts(guarded.app.routes):
        assert route.path is not None
        if route.path in NOBODYS:
            continue
        for method in route.methods or {"GET"}:
            answer = await guarded.http.request(method, re.sub(r"{[^}]+}", "an_1", route.path))
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), (method, route.path)
            shut += 1
    assert shut >= 40


async def test_every_route_needs_the_scope_of_its_noun(guarded: Platform) -> None:
    await account(guarded, "ten_a")
    keys = {scope: (await key_of(guarded.parts, "ten_a", [scope]))[1] for scope in Scope}
    document = await document_of(guarded)
    for method, path in operations(document):
        allowed = {
            scope
            for scope in EVERY_SCOPE
            if (await client(guarded, keys[scope]).request(method, re.sub(r"{\w+}", "an_1", path))).status_code != 403
        }
        if (method, path) in ANY_KEY:
            assert allowed == EVERY_SCOPE
            continue
        (only,) = allowed
        noun = path.split("/")[2] if path.startswith("/v1/") else "analyses"
        way = "read" if method == "get" else "write"
        assert only.value in {f"{noun}:{way}", f"{noun}:admin"}, (method, path)
