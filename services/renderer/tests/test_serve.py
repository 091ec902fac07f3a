"""`python -m renderer` as an operator meets it."""

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.fixtures.site import Site


@contextmanager
def serving(site: Site, scratch: Path, **more: str) -> Iterator[subprocess.Popen[str]]:
    environment = {
        **os.environ,
        "PORT": "0",
        "RENDERER_SLOTS": "1",
        "RENDERER_SCRATCH": str(scratch),
        "EGRESS_ALLOW_PRIVATE": site.host,
        **more,
    }
    command = [sys.executable, "-m", "renderer"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as server:
        try:
            yield server
        finally:
            if server.poll() is None:
                server.kill()


def own(scratch: Path, name: str) -> Path:
    folder = scratch / name
    folder.mkdir()
    return folder


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_one_line_and_stops_cleanly(site: Site, scratch: Path, number: signal.Signals) -> None:
    folder = own(scratch, number.name)
    with serving(site, folder) as server:
        assert server.stdout
        line = server.stdout.readline()
        assert line.startswith("renderer ready on http://127.0.0.1:")
        base = line.split()[-1]
        body = {"url": site.url("/static"), "outputs": [{"kind": "screenshot"}]}
        assert httpx2.post(f"{base}/render", json=body, trust_env=False, timeout=60).status_code == 200
        server.send_signal(number)
        rest, log = server.communicate(timeout=60)
    assert rest == ""
    assert server.returncode == 0, log
    assert "private_hosts_allowed" in log
    assert list(folder.iterdir()) == []


def test_without_a_browser_it_says_what_to_install(site: Site, scratch: Path) -> None:
    with serving(site, own(scratch, "none"), CHROMIUM_PATH="/nonexistent/chromium") as server:
        out, log = server.communicate(timeout=60)
    assert server.returncode == 1
    assert out == ""
    last = log.strip().splitlines()[-1]
    assert last.startswith("renderer: CHROMIUM_PATH names no program: /nonexistent/chromium.")
    assert "chromium-headless-shell" in last


def test_switching_the_sandbox_off_is_logged(site: Site, scratch: Path) -> None:
    with serving(site, own(scratch, "off"), RENDERER_SANDBOX="off") as server:
        assert server.stdout
        assert server.stdout.readline().startswith("renderer ready")
        server.terminate()
        _, log = server.communicate(timeout=60)
    assert "sandbox_off" in log


def test_what_a_killed_renderer_left_is_swept_by_the_next(site: Site, scratch: Path) -> None:
    folder = own(scratch, "swept")
    with serving(site, folder) as server:
        assert server.stdout
        server.stdout.readline()
        server.kill()
        server.wait(30)
    left = list(folder.iterdir())
    assert left
    with serving(site, folder) as server:
        assert server.stdout
        server.stdout.readline()
        assert not [path for path in left if path.exists()]
        server.terminate()
        server.communicate(timeout=60)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_egress_command_says_one_line_proxies_and_stops_cleanly(site: Site, number: signal.Signals) -> None:
    environment = {**os.environ, "PORT": "0", "EGRESS_CONTROL_PORT": "0", "EGRESS_ALLOW_PRIVATE": site.host}
    command = [sys.executable, "-m", "renderer", "egress"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as server:
        assert server.stdout
        control, port = server.stdout.readline().removeprefix("egress ready on ").split(", proxy on port ")
        proxy = f"http://job-1:@127.0.0.1:{int(port)}"
        with httpx2.Client(proxy=proxy, trust_env=False) as client:
            assert client.get(site.url("/static")).status_code == 200
            assert client.get("http://10.0.0.5/").headers["x-egress-refused"] == "url_forbidden"
        job = httpx2.get(f"{control}/jobs/job-1", trust_env=False).json()
        assert (job["requests"], [refused["host"] for refused in job["refused"]]) == (2, ["10.0.0.5"])
        server.send_signal(number)
        rest, log = server.communicate(timeout=60)
    assert (rest, server.returncode) == ("", 0), log


def test_a_renderer_leaves_by_the_egress_service_or_not_at_all(site: Site, scratch: Path) -> None:
    environment = {**os.environ, "PORT": "0", "EGRESS_CONTROL_PORT": "0", "EGRESS_ALLOW_PRIVATE": site.host}
    command = [sys.executable, "-m", "renderer", "egress"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as egress:
        assert egress.stdout
        control, port = egress.stdout.readline().removeprefix("egress ready on ").split(", proxy on port ")
        with serving(site, own(scratch, "service"), EGRESS_PROXY_URL=f"http://127.0.0.1:{int(port)}") as server:
            assert server.stdout
            base = server.stdout.readline().split()[-1]
            body = {"url": site.url("/static"), "outputs": [{"kind": "screenshot"}]}
            render = functools.partial(httpx2.post, f"{base}/render", json=body, trust_env=False, timeout=60)
            assert render().status_code == 200
            counted = httpx2.get(f"{control}/metrics", trust_env=False).text
            assert "cro_egress_connections_total 0.0" not in counted
            egress.kill()
            egress.wait(30)
            answer = render()
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            server.terminate()
            server.communicate(timeout=60)


@pytest.mark.parametrize(
    ("words", "variables", "status", "line"),
    [
        (["egress"], {"EGRESS_ALLOWED_CLIENTS": "everyone"}, 1, "egress: Value error, 'everyone' does not appear"),
        (["egress"], {"PORT": "x"}, 1, "egress: PORT Input should be a valid integer"),
        (["dance"], {}, 2, "usage: python -m renderer [serve | egress]"),
    ],
)
def test_what_cannot_start_says_why_in_one_line(
    words: list[str], variables: dict[str, str], status: int, line: str
) -> None:
    command = [sys.executable, "-m", "renderer", *words]
    done = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1
