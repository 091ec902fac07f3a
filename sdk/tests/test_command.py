"""The command by itself: help, statuses, one line instead of a trace, keys that are shown once."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from typer.testing import CliRunner, Result

from cro_analyzer.command import endings
from cro_analyzer.command.app import build
from tests.fixtures.batches import TENANT
from tests.fixtures.fleet import served
from tests.fixtures.report import unpictured

KEY = {"id": "key_1", "name": "n8n \x1b[31mred", "hint": "cro_live_ab", "scopes": ["usage:read"], "active": True}
KEY |= {"created_by": "operator", "created_at": "2026-11-21T12:00:00Z", "expires_at": None, "revoked_at": None}
KEY |= {"last_used_at": "2026-11-21T13:37:00Z", "replaces": None}
ANALYSIS = {"id": "an_1", "status": "succeeded", "url": "https://a.test/", "preset": "rules", "attempt": 1}
ANALYSIS |= {"created_at": "2026-11-21T12:00:00Z", "started_at": None, "finished_at": None, "links": {"self": "/"}}
DAY = {"day": "2026-11-21", "kind": "analysis", "accepted": 1_200, "succeeded": 1_190, "failed": 10, "cancelled": 0}


def service() -> FastAPI:
    """Every route that a command asks, with fixed answers."""
    app = FastAPI()

    @app.get("/v1/keys")
    async def keys(cursor: str = "") -> dict[str, Any]:
        return {"data": [KEY], "next_cursor": None if cursor else "more"}

    @app.post("/v1/keys", status_code=201)
    @app.post("/v1/keys/key_1/rotate", status_code=201)
    async def made() -> dict[str, Any]:
        return {**KEY, "key": "cro_live_secret", "expires_at": "2027-01-01T00:00:00Z"}

    @app.delete("/v1/keys/{key_id}")
    async def revoke(key_id: str) -> Response:
        missing = {"title": "No", "status": 404, "code": "not_found", "detail": "There is no key with this id."}
        return Response(status_code=204) if key_id == "key_1" else JSONResponse(missing, 404)

    @app.get("/v1/tenant")
    async def tenant(request: Request) -> Response:
        if request.headers.get("authorization") == "Bearer wrong":
            refused = {"title": "No", "status": 401, "code": "unauthenticated", "detail": "This key is not valid."}
            return JSONResponse(refused, 401)
        return JSONResponse({**TENANT, "today": [{"kind": "analysis", "used": 7, "limit": 100}]})

    @app.get("/v1/usage")
    async def usage() -> dict[str, Any]:
        total = {name: value for name, value in DAY.items() if name not in {"day", "kind"}}
        return {"data": [{**DAY, "cost_usd": "12.5"}], "total": {**total, "cost_usd": "12.5"}}

    _judging(app)
    return app


def _judging(app: FastAPI) -> None:
    @app.post("/v1/analyses")
    async def analyze(request: Request) -> dict[str, Any]:
        if "fail" in (await request.json())["url"]:
            problem = {"title": "No", "status": 422, "code": "target_dns", "detail": "The host name has no address."}
            return {**ANALYSIS, "status": "failed", "error": problem}
        return {**ANALYSIS, "result": unpictured().model_dump(mode="json")}

    @app.get("/v1/analyses/{analysis_id}")
    async def document(analysis_id: str) -> dict[str, Any]:
        return {**ANALYSIS, "id": analysis_id}

    @app.get("/v1/analyses/{analysis_id}/report")
    async def report(analysis_id: str) -> Response:
        return Response(f"<!doctype html>{analysis_id}", media_type="text/html")


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with served(service()) as origin:
        yield origin


def cro(*arguments: str | Path, **env: str) -> Result:
    return CliRunner().invoke(build(lambda: None), [str(one) for one in arguments], env=env)


def test_help_names_every_command_in_the_order_of_need() -> None:
    done = cro("--help")
    assert done.exit_code == 0
    assert re.findall(r"│ (analyze|capture|batch|keys|usage) ", done.output) == [
        "analyze",
        "capture",
        "batch",
        "keys",
        "usage",
    ]
    assert "--install-completion" in done.output


@pytest.mark.parametrize(
    "command", ["analyze", "capture", "batch", "batch run", "batch status", "keys", "keys create", "usage"]
)
def test_every_command_explains_itself(command: str) -> None:
    done = cro(*command.split(), "--help")
    assert done.exit_code == 0
    assert "Usage:" in done.output


def test_keys_are_listed_without_what_names_smuggle_in(origin: str) -> None:
    done = cro("keys", "list", "--server", origin)
    assert done.exit_code == 0, done.output
    assert done.output.count("key_1") == 2, "both pages"
    assert "\x1b" not in done.output


@pytest.mark.parametrize("command", [["create", "n8n", "--scope", "usage:read", "--days", "9"], ["rotate", "key_1"]])
def test_a_new_key_is_alone_on_standard_output(origin: str, command: list[str]) -> None:
    done = cro("keys", *command, "--server", origin)
    assert (done.exit_code, done.stdout) == (0, "cro_live_secret\n"), done.output
    assert "nobody can show it again" in done.stderr


def test_a_key_that_is_not_there_is_said(origin: str) -> None:
    assert cro("keys", "revoke", "key_1", "--server", origin).exit_code == 0
    done = cro("keys", "revoke", "key_9", "--server", origin)
    assert (done.exit_code, done.stderr) == (2, "cro: There is no key with this id. (not_found)\n")


def test_usage_is_shown_with_its_sum(origin: str) -> None:
    done = cro("usage", CRO_API_URL=origin)
    assert done.exit_code == 0, done.output
    assert "7 of 100" in done.output
    assert done.output.count("1,190") == 2
    assert "$12.50" in done.output


def test_a_wrong_key_is_said_with_what_to_do(origin: str) -> None:
    done = cro("usage", CRO_API_URL=origin, CRO_API_KEY="wrong")
    assert (done.exit_code, done.stderr) == (2, "cro: This key is not valid. Put the key into CRO_API_KEY.\n")


def test_an_analysis_by_a_service(origin: str, tmp_path: Path) -> None:
    html, document = tmp_path / "r.html", tmp_path / "r.json"
    done = cro("analyze", "https://a.test/", "--html", html, "--json", document, "--server", origin)
    assert done.exit_code == 0, done.output
    assert "/ 100" in done.output
    assert html.read_text().startswith("<!doctype html>")
    assert json.loads(document.read_text())["status"] == "succeeded"
    only = cro("analyze", "https://a.test/", "--json", "-", "--server", origin)
    assert json.loads(only.stdout)


def test_a_page_that_cannot_be_had_ends_with_2(origin: str) -> None:
    done = cro("analyze", "https://fail.test/", "--server", origin)
    assert (done.exit_code, done.stderr) == (2, "cro: The host name has no address. (target_dns)\n")


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["usage", "--server", "ftp://a.test"], 1, "http://"),
        (["usage", "--server", "http://127.0.0.1:9"], 1, "CRO_API_URL"),
        (["keys", "create", "n8n", "--scope", "everything"], 2, "everything"),
        (["keys", "lst"], 2, "list"),
        (["batch", "status", "bat_1", "--server", "http://127.0.0.1:9"], 1, "CRO_API_URL"),
        (["capture", "https://a.test/", "-o", "a.pdf", "--full-page"], 2, "pictures"),
    ],
)
def test_what_goes_wrong_is_one_line(arguments: list[str], status: int, says: str) -> None:
    done = cro(*arguments, CRO_API_KEY="")
    assert (done.exit_code, says in done.output) == (status, True), done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("error", "status"),
    [(KeyboardInterrupt(), 130), (RuntimeError("nobody expected this"), 1), (PermissionError(13, "no", "/x"), 1)],
)
def test_nothing_ends_with_a_trace(error: BaseException, status: int) -> None:
    app = typer.Typer(cls=endings.group(None))

    @app.command()
    def fails() -> None:
        raise error

    app.command("other")(lambda: None)
    done = CliRunner().invoke(app, ["fails"])
    assert done.exit_code == status
    assert done.stderr.startswith("cro: ")
    assert done.stderr.count("\n") == 1


def test_keys_need_no_platform(origin: str) -> None:
    program = (
        "import sys; from cro_analyzer.__main__ import main; sys.argv = ['cro', 'keys', 'list']\n"
        "try:\n    main()\nfinally:\n    assert 'gateway' not in sys.modules and 'standalone' not in sys.modules"
    )
    env = {**os.environ, "CRO_API_URL": origin}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, "key_1" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_shells_can_complete(shell: str) -> None:
    asked = {"bash": "complete_bash", "fish": "complete_fish"}[shell]
    words = {"COMP_WORDS": "cro ba", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "cro ba"}
    env = {**os.environ, "_CRO_COMPLETE": asked, "_TYPER_COMPLETE_FISH_ACTION": "get-args", **words}
    command = [str(Path(sys.executable).with_name("cro"))]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert "batch" in done.stdout, done.stderr
    assert "keys" not in done.stdout
