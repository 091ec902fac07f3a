"""`cro doctor`: each thing that can be wrong is said with what to do about it."""

import asyncio
import io
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr
from rich.console import Console
from typer.testing import CliRunner

from analyzer.judging.settings import ClaudeSettings
from gateway.migrate import migrate
from gateway.settings import GatewaySettings
from renderer.settings import RendererSettings
from standalone import checks, doctor
from standalone.checks import Check, Machine, Verdict
from standalone.cli import app
from standalone.settings import StandaloneSettings


def machine(tmp_path: Path, /, *, server: str = "", **more: object) -> Machine:
    own = {name: more[name] for name in StandaloneSettings.model_fields if name in more}
    gateway = {name: more[name] for name in GatewaySettings.model_fields if name in more}
    renderer = {name: more[name] for name in RendererSettings.model_fields if name in more}
    claude = {name: more[name] for name in ClaudeSettings.model_fields if name in more}
    return Machine(
        StandaloneSettings.model_validate({"cro_data": tmp_path / "data", **own}),
        GatewaySettings.model_validate(gateway),
        RendererSettings.model_validate(renderer),
        ClaudeSettings.model_validate(claude),
        server,
    )


def look(check: Callable[[Machine], Awaitable[Check]], at: Machine) -> Check:
    async def inside() -> Check:
        return await check(at)

    return asyncio.run(inside())


def test_a_browser_that_starts_is_sandboxed(tmp_path: Path) -> None:
    found = look(checks.browser, machine(tmp_path))
    assert (found.verdict, "sandboxed" in found.found) == (Verdict.OK, True), found


def test_a_missing_browser_is_said_with_its_remedy(tmp_path: Path) -> None:
    found = look(checks.browser, machine(tmp_path, chromium_path=tmp_path / "nothing"))
    assert found.verdict is Verdict.WRONG
    assert "CHROMIUM_PATH" in found.found
    assert "Install" in found.remedy


def test_looking_makes_no_folder(tmp_path: Path) -> None:
    assert look(checks.disk, machine(tmp_path)).verdict in {Verdict.OK, Verdict.DOUBT}
    assert not (tmp_path / "data").exists()


def test_a_database_before_its_first_use_is_no_fault(tmp_path: Path) -> None:
    assert look(checks.database, machine(tmp_path)).verdict is Verdict.UNUSED


def test_a_database_of_this_release_is_good(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'cro.db'}"
    migrate(url)
    assert look(checks.database, machine(tmp_path, database_url=url)).verdict is Verdict.OK


def test_an_empty_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "cro.db").touch()
    found = look(checks.database, machine(tmp_path, database_url=f"sqlite+aiosqlite:///{tmp_path / 'cro.db'}"))
    assert (found.verdict, found.remedy) == (Verdict.WRONG, "python -m gateway migrate")


def test_a_database_that_is_away_is_said_without_its_password(tmp_path: Path) -> None:
    found = look(checks.database, machine(tmp_path, database_url="postgresql+asyncpg://me:secret@127.0.0.1:9/cro"))
    assert found.verdict is Verdict.WRONG
    assert "secret" not in f"{found.found}{found.remedy}"
    assert found.remedy


@pytest.mark.parametrize(("url", "verdict"), [("", Verdict.UNUSED), ("redis://:secret@127.0.0.1:9/0", Verdict.DOUBT)])
def test_redis(tmp_path: Path, url: str, verdict: Verdict) -> None:
    found = look(checks.redis, machine(tmp_path, redis_url=url))
    assert found.verdict is verdict
    assert "secret" not in found.found


@pytest.mark.parametrize(("scheme", "verdict"), [("file", Verdict.OK), ("gopher", Verdict.WRONG)])
def test_artifacts(tmp_path: Path, scheme: str, verdict: Verdict) -> None:
    found = look(checks.blobs, machine(tmp_path, blobs_url=f"{scheme}://{tmp_path / 'blobs'}"))
    assert found.verdict is verdict, found


def test_without_a_key_rules_alone_judge(tmp_path: Path) -> None:
    assert look(checks.claude, machine(tmp_path)).verdict is Verdict.UNUSED


def test_a_key_that_cannot_be_asked_about_is_a_doubt(tmp_path: Path) -> None:
    key = SecretStr("sk-ant-x")
    found = look(checks.claude, machine(tmp_path, anthropic_api_key=key, anthropic_base_url="http://127.0.0.1:9"))
    assert (found.verdict, "ANTHROPIC_API_KEY" in found.remedy) == (Verdict.DOUBT, True), found
    assert "sk-ant" not in found.found


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as door:
        yield door.getsockname()[1]


def test_a_port_in_use_is_a_doubt(tmp_path: Path) -> None:
    with listening() as port:
        found = look(checks.port, machine(tmp_path, port=port))
    assert (found.verdict, "--port" in found.remedy) == (Verdict.DOUBT, True)


def test_a_service_that_is_away_is_wrong(tmp_path: Path) -> None:
    assert look(checks.service, machine(tmp_path)).verdict is Verdict.UNUSED
    found = look(checks.service, machine(tmp_path, server="http://127.0.0.1:9"))
    assert (found.verdict, "CRO_API_URL" in found.remedy) == (Verdict.WRONG, True)


@pytest.mark.parametrize(
    ("verdict", "words"),
    [(Verdict.OK, "Everything is there"), (Verdict.DOUBT, "1 to be looked at"), (Verdict.WRONG, "1 to be mended")],
)
def test_a_line_says_what_to_do_and_the_last_one_sums_up(verdict: Verdict, words: str) -> None:
    check = Check("Redis", verdict, "away \x1b[31m", "Start it.")
    file = io.StringIO()
    console = Console(file=file, width=60)
    console.print(doctor.line(check), doctor.verdict([check]))
    assert "Start it." in file.getvalue()
    assert words in file.getvalue()
    assert "\x1b" not in file.getvalue()


def test_a_missing_browser_ends_with_1(tmp_path: Path) -> None:
    env = {"CHROMIUM_PATH": str(tmp_path / "nothing"), "CRO_DATA": str(tmp_path), "PORT": "0"}
    done = CliRunner().invoke(app, ["doctor"], env=env)
    assert done.exit_code == 1, done.output
    assert "CHROMIUM_PATH" in done.output
    assert "to be mended" in done.output
