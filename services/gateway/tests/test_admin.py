"""`python -m gateway admin …`, as an operator uses it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner, Result

from contracts.analyze import Preset
from gateway.access import token
from gateway.admin import app
from gateway.db import Database
from gateway.jobs import intake
from gateway.jobs.states import NewJob, State
from gateway.migrate import migrate
from gateway.tables import jobs
from tests.fixtures.accounts import PEPPER


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'cro.db'}"
    migrate(url)
    return {"DATABASE_URL": url, "API_KEY_PEPPER": PEPPER}


def admin(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env=environment)


def test_a_first_key_is_printed_once_and_a_second_bootstrap_refused(environment: dict[str, str]) -> None:
    first = admin(environment, "bootstrap", "Shop", "--plan", "free")
    assert first.exit_code == 0, first.stderr
    tenant_id, key = first.stdout.split()
    assert token.well_formed(key)
    again = admin(environment, "bootstrap", "Shop")
    assert (again.exit_code, again.stdout) == (1, "")
    listed = admin(environment, "list").stdout
    assert f"{tenant_id}  free  Shop" in listed
    assert key not in listed
    key_id = listed.splitlines()[1].split()[0]
    assert admin(environment, "revoke", tenant_id, key_id).exit_code == 0
    assert "ended" in admin(environment, "list").stdout


@pytest.mark.parametrize(
    "arguments", [("create-key", "ten_none"), ("create-tenant", "Shop", "--plan", "none"), ("disable", "ten_none")]
)
def test_what_cannot_be_done_is_one_line_and_status_1(environment: dict[str, str], arguments: tuple[str, ...]) -> None:
    ended = admin(environment, *arguments)
    assert ended.exit_code == 1
    assert ended.stderr.splitlines()[-1].startswith("admin: ")
    assert "Traceback" not in ended.stderr


def test_failed_jobs_are_given_their_attempts_again_all_or_none(environment: dict[str, str]) -> None:
    tenant_id = admin(environment, "create-tenant", "Shop").stdout.strip()

    async def failed() -> str:
        db = Database(environment["DATABASE_URL"])
        async with db.begin() as connection:
            job_id = await intake.enqueue(connection, NewJob(tenant_id, "https://shop.test/", Preset.RULES))
            await connection.execute(update(jobs).where(jobs.c.id == job_id).values(state=State.FAILED, attempt=5))
        await db.aclose()
        return job_id

    async def state(job_id: str) -> tuple[str, int]:
        db = Database(environment["DATABASE_URL"])
        async with db.read() as connection:
            row = (await connection.execute(select(jobs.c.state, jobs.c.attempt).where(jobs.c.id == job_id))).one()
        await db.aclose()
        return row.state, row.attempt

    job_id = asyncio.run(failed())
    vain = admin(environment, "requeue", tenant_id, job_id, "an_none")
    assert (vain.exit_code, "an_none has not failed" in vain.stderr) == (1, True)
    assert asyncio.run(state(job_id)) == (State.FAILED, 5)
    assert admin(environment, "requeue", tenant_id, job_id).exit_code == 0
    assert asyncio.run(state(job_id)) == (State.QUEUED, 0)
    assert admin(environment, "requeue", tenant_id, job_id).exit_code == 1


def test_it_is_a_command_of_the_gateway(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "gateway", "admin", "create-tenant", "Shop"]
    ended = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.stdout.startswith("ten_"), ended.stderr


def test_strangers_are_not_let_in_without_keys(tmp_path: Path) -> None:
    environment = {**os.environ, "HOST": "0.0.0.0", "PORT": "0", "DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/x.db"}
    command = [sys.executable, "-m", "gateway", "api"]
    ended = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 1
    assert "API_KEY_PEPPER" in ended.stderr
