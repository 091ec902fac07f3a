"""`python -m gateway`, as an operator starts and stops it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest


@contextmanager
def started(command: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a command in an empty folder, with the settings that a new user has."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", command],
        cwd=folder,
        env={**os.environ, "PORT": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_api_starts_on_nothing_says_where_and_stops_when_told(tmp_path: Path, number: signal.Signals) -> None:
    with started("api", tmp_path) as (process, line):
        origin = re.fullmatch(r"gateway api ready on (http://127\.0\.0\.1:\d+)\n", line)
        assert origin, line
        answer = httpx2.post(f"{origin[1]}/v1/analyses", json={"url": "https://example.com/"}, trust_env=False)
        assert answer.status_code == 202
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "Traceback" not in errors
    assert (tmp_path / "data" / "cro.db").exists()


def test_a_worker_stops_when_told(tmp_path: Path) -> None:
    with started("worker", tmp_path) as (process, line):
        assert re.fullmatch(r"gateway worker ready as wrk_\w+\n", line), line
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "Traceback" not in errors


def test_an_unknown_command_is_explained(tmp_path: Path) -> None:
    with started("serve", tmp_path) as (process, _):
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 2
        assert "api" in errors
