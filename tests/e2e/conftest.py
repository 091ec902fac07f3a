"""The platform as a user starts it: `cro serve` in a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.fixtures.pages import Pages
from tests.fixtures.site import Site

CRO = str(Path(sys.executable).with_name("cro"))


def environment(*private: str, **more: str) -> dict[str, str]:
    return {**os.environ, "EGRESS_ALLOW_PRIVATE": ",".join(private), "NO_COLOR": "1", **more}


def start(command: list[str], env: dict[str, str]) -> tuple[subprocess.Popen[str], str]:
    """Start a server and return it with the address from its one line."""
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert " ready on http://" in line, f"no ready line: {line!r}, status {process.poll()}"
    return process, line.strip().rsplit(" ", 1)[-1]


def stop(process: subprocess.Popen[str], sign: signal.Signals = signal.SIGTERM) -> int:
    process.send_signal(sign)
    status = process.wait(40)
    assert process.stdout is not None
    process.stdout.close()
    return status


@pytest.fixture(scope="session")
def served(
    site: Site, pages: Pages, untrusted: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx2.Client]:
    data = tmp_path_factory.mktemp("data")
    env = environment(site.host, pages.host, untrusted, CRO_DATA=str(data), RENDERER_SLOTS="2")
    process, base = start([CRO, "serve", "--port", "0"], env)
    with httpx2.Client(base_url=base, timeout=150, trust_env=False) as client:
        yield client
    assert stop(process) == 0
