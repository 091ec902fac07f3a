"""`python -m renderer` as an operator meets it."""

import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import psutil
import pytest

from renderer import processes
from tests.fixtures.site import Site


@contextmanager
def serving(
    site: Site, scratch: Path, command: Sequence[str] = (sys.executable, "-m", "renderer"), **more: str
) -> Iterator[subprocess.Popen[str]]:
    environment = {
        **os.environ,
        "PORT": "0",
        "RENDERER_SLOTS": "1",
        "RENDERER_SCRATCH": str(scratch),
        "EGRESS_ALLOW_PRIVATE": site.host,
        **more,
    }
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
        for child in psutil.Process(server.pid).children():
            if any(part.endswith("watchdog.sh") for part in child.cmdline()):
                child.kill()  # else it would clear away first
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


def browsers(folder: Path) -> list[int]:
    return [int(path.read_text()) for path in folder.glob("cro-renderer-*/slot-*/pid")]


@pytest.mark.parametrize("number", [signal.SIGCONT, signal.SIGSTOP], ids=["running", "stopped"])
def test_killed_in_the_middle_of_a_render_it_takes_its_browsers_along(
    site: Site, scratch: Path, number: signal.Signals
) -> None:
    folder = own(scratch, f"killed-{number.name}")
    page = f"/never?renderer-killed-{number.name}"
    with serving(site, folder) as server:
        assert server.stdout
        base = server.stdout.readline().split()[-1]
        body = {"url": site.url(page), "outputs": [{"kind": "screenshot"}]}
        thread = threading.Thread(target=lambda: answered(base, body))
        thread.start()
        while page not in site.hits:
            assert server.poll() is None
        leaders = browsers(folder)
        assert leaders
        os.kill(leaders[0], number)  # one that is stopped cannot say its own goodbye
        server.kill()
        server.wait(30)
        thread.join(30)
    # Promised within five seconds; the machine that runs the tests may be slow, so the wait is longer and not measured.
    assert until(lambda: not [pid for leader in leaders for pid in processes.group(leader)])
    assert until(lambda: not list(folder.iterdir())), "its folders are still there"


def answered(base: str, body: Mapping[str, object]) -> None:
    with suppress(httpx2.HTTPError):
        httpx2.post(f"{base}/render", json=body, trust_env=False, timeout=60)


def until(condition: Callable[[], bool]) -> bool:
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        # Once is enough: to look again would meet the next process that ends.
        if condition():
            return True
        time.sleep(0.05)
    return False


ADOPTING = """
import ctypes, sys
PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
from renderer import launcher
launcher._TIDY_S = 0.2
from renderer.__main__ import main
main()
"""


def test_orphans_that_it_gets_as_a_containers_first_process_are_reaped(site: Site, scratch: Path) -> None:
    # With nothing between it and them, a browser's children become its own when the browser is killed.
    with serving(site, own(scratch, "adopting"), command=[sys.executable, "-c", ADOPTING]) as server:
        assert server.stdout
        base = server.stdout.readline().split()[-1]
        root = psutil.Process(server.pid)
        for key in range(3):
            (leader,) = browsers(scratch / "adopting")
            os.kill(leader, signal.SIGKILL)
            body = {"url": site.url(f"/static?orphans={key}"), "outputs": [{"kind": "screenshot"}]}
            assert httpx2.post(f"{base}/render", json=body, trust_env=False, timeout=60).status_code == 200
            assert until(functools.partial(is_gone, leader, scratch / "adopting"))
        assert until(lambda: not zombies(root)), zombies(root)
        server.terminate()
        server.communicate(timeout=60)


def is_gone(leader: int, folder: Path) -> bool:
    return leader not in browsers(folder)


def zombies(root: psutil.Process) -> list[psutil.Process]:
    return [child for child in root.children(recursive=True) if is_zombie(child)]


def is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_stop_lets_running_and_waiting_jobs_finish_and_takes_no_more(site: Site, scratch: Path) -> None:
    with serving(site, own(scratch, "drained")) as server:
        assert server.stdout
        base = server.stdout.readline().split()[-1]
        answers: list[httpx2.Response] = []

        def ask(path: str) -> None:
            body = {"url": site.url(path), "outputs": [{"kind": "screenshot"}], "budget_ms": 8_000}
            answers.append(httpx2.post(f"{base}/render", json=body, trust_env=False, timeout=60))

        threads = [threading.Thread(target=ask, args=(path,)) for path in ("/never?drained", "/static?drained")]
        threads[0].start()
        while "/never?drained" not in site.hits:
            assert server.poll() is None
        threads[1].start()
        while httpx2.get(f"{base}/pressure", trust_env=False).json()["queued"] < 1:
            assert server.poll() is None
            assert threads[0].is_alive(), "its budget ended before the other was seen to wait"
        server.terminate()
        for thread in threads:
            thread.join(60)
        _, log = server.communicate(timeout=60)
    assert server.returncode == 0, log
    assert len(answers) == 2, "an answer was lost"
    for answer in answers:
        assert answer.status_code in {200, 422, 503, 504}
        assert answer.status_code == 200 or answer.json()["code"] in {"target_timeout", "renderer_busy"}


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
        (["egress"], {"EGRESS_ALLOWED_CLIENTS": "everyone"}, 1, "egress: EGRESS_ALLOWED_CLIENTS: 'everyone' does not"),
        (["egress"], {"EGRESS_OWN_RANGES": "ours"}, 1, "egress: EGRESS_OWN_RANGES: “ours” is not a network"),
        ([], {"EGRESS_EXTRA_PORTS": "http"}, 1, "renderer: EGRESS_EXTRA_PORTS: invalid literal"),
        ([], {"UNBLOCKER_PROXY_URL": "nonsense"}, 1, "renderer: UNBLOCKER_PROXY_URL is not an address such as http://"),
        (["egress"], {"PORT": "x"}, 1, "egress: PORT: Input should be a valid integer"),
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
