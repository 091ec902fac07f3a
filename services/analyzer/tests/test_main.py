"""`python -m analyzer` on a real socket."""

import os
import signal
import subprocess
import sys

import httpx2
import pytest


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_serves_and_stops_cleanly(stop: signal.Signals) -> None:
    environment = {**os.environ, "PORT": "0", "HOST": "127.0.0.1"}
    with subprocess.Popen(
        [sys.executable, "-m", "analyzer"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("analyzer ready on http://127.0.0.1:")
        assert httpx2.get(f"{line.split()[-1]}/livez", trust_env=False).status_code == 200
        process.send_signal(stop)
        rest, errors = process.communicate(timeout=30)
        assert (process.returncode, rest) == (0, ""), errors
