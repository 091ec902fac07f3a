"""The pool with real browsers: their sandbox, their user, their deaths, and what they leave behind."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import psutil
import pytest

from renderer import processes, sandbox
from tests.fixtures.site import Site

from .conftest import Live, problem, run, settings_for


@pytest.fixture
def single(site: Site, scratch: Path) -> Iterator[Live]:
    """A renderer with one browser, so that a test knows which one serves."""
    folder = scratch / "single"
    folder.mkdir(exist_ok=True)
    renderer = run(settings_for(site, folder, renderer_slots=1, renderer_recycle_uses=10))
    yield renderer
    renderer.stop()


def in_background(work: Callable[[], httpx2.Response]) -> Callable[[], httpx2.Response]:
    """Run a request in a thread; the returned function waits for its answer."""
    answers: list[httpx2.Response] = []
    thread = threading.Thread(target=lambda: answers.append(work()))
    thread.start()

    def answer() -> httpx2.Response:
        thread.join(60)
        return answers[0]

    return answer


def until_asked(live: Live, site: Site, path: str, times: int = 1) -> None:
    """Wait until the page has been asked for that often."""
    while site.hits.count(path) < times:
        assert live.pressure().slots <= 2  # a browser and, for a moment, its replacement


def test_pages_run_behind_a_filter_in_namespaces_of_their_own(live: Live, site: Site) -> None:
    live.shot(site.url("/static"))
    for pid in live.pids():
        looks = [sandbox.gaps(pid)]
        while looks[-1] != [] and len(looks) < 500:
            live.pressure()  # its next page is being opened: a process that was forked just now has no filter yet
            looks.append(sandbox.gaps(pid))
        assert looks[-1] == []


def page_processes(live: Live, leader: int) -> list[int]:
    """Return the processes that run pages, waiting while the next page is being opened."""
    for _ in range(500):
        lines = {pid: " ".join(psutil.Process(pid).cmdline()) for pid in processes.group(leader)}
        if pages := [pid for pid, line in lines.items() if "--type=renderer" in line]:
            return pages
        live.pressure()
    pytest.fail("no page is open")


def test_page_processes_live_in_namespaces_of_their_own(live: Live) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may look into another user's namespaces")
    pages = page_processes(live, live.pids()[0])
    for kind in ("user", "net", "pid"):
        ours = Path(f"/proc/self/ns/{kind}").readlink()
        assert all(look_into(page, f"ns/{kind}").readlink() != ours for page in pages), kind


def look_into(pid: int, entry: str) -> Path:
    """Return an entry of another user's process, or skip: a container may keep even its root from looking."""
    path = Path(f"/proc/{pid}/{entry}")
    if _closed(path):
        pytest.skip(f"NOT TESTED: reading /proc/*/{entry} of another user's process needs CAP_SYS_PTRACE")
    return path


def _closed(path: Path) -> bool:
    try:
        path.readlink() if path.is_symlink() else path.read_bytes()
    except PermissionError:
        return True
    return False


def test_started_by_root_chromium_runs_as_nobody_in_particular(live: Live) -> None:
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: the tests do not run as root, so there is no privilege to drop")
    for leader in live.pids():
        for pid in processes.group(leader):
            assert processes.user(pid) == 10_001


def test_nothing_of_our_environment_reaches_the_browser(live: Live) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may read another process's environment")
    for pid in live.pids():
        names = {entry.split(b"=")[0] for entry in look_into(pid, "environ").read_bytes().split(b"\0") if entry}
        assert names <= {b"PATH", b"LANG", b"HOME", b"TMPDIR", b"PWD", b"OLDPWD", b"_", b"SHLVL", b"CHROME_WRAPPER"}


WANTED = {
    "--proxy-bypass-list=<-loopback>",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
}
WEAKENING = {
    "--no-sandbox",
    "--disable-setuid-sandbox",
    "--no-zygote",
    "--no-zygote-sandbox",
    "--single-process",
    "--disable-web-security",
    "--disable-site-isolation-trials",
    "--disable-popup-blocking",
    "--disable-ipc-flooding-protection",
    "--disable-hang-monitor",
    "--enable-unsafe-swiftshader",
    "--ignore-certificate-errors",
    "--allow-file-access",
    "--allow-file-access-from-files",
    "--remote-allow-origins",
    "--remote-debugging-address",
    "--no-proxy-server",
}
PROTECTING = {
    "ThirdPartyStoragePartitioning",
    "IsolateOrigins",
    "SitePerProcess",
    "BlockInsecurePrivateNetworkRequests",
}


def test_the_command_line_holds_what_protects_and_nothing_that_weakens(live: Live) -> None:
    for pid in live.pids():
        line = psutil.Process(pid).cmdline()
        names = {argument.partition("=")[0] for argument in line}
        assert set(line) >= WANTED
        assert names & WEAKENING == set()
        assert "--js-flags" in names
        assert "--disk-cache-size" in names
        (proxy,) = [argument for argument in line if argument.startswith("--proxy-server=")]
        assert proxy.startswith("--proxy-server=http://127.0.0.1:")
        off = {name for value in values(line, "--disable-features") for name in value.split(",")}
        assert off, "Playwright's list is gone: is the check still looking at the right place?"
        assert off & PROTECTING == set()
        assert not [name for name in off if not name], "a name was cut out badly"


def values(line: list[str], name: str) -> list[str]:
    """Return the values of a flag that may be given more than once."""
    return [argument.partition("=")[2] for argument in line if argument.startswith(f"{name}=")]


def test_every_child_inherits_the_sandbox(live: Live) -> None:
    for leader in live.pids():
        for pid in processes.group(leader):
            assert "--no-sandbox" not in processes.command(pid)


def test_a_page_cannot_reach_the_debugging_port(live: Live, site: Site) -> None:
    ports = [
        path.read_text().split()[0] for path in live.scratch.glob("cro-renderer-*/slot-*/profile/DevToolsActivePort")
    ]
    assert ports
    for port in ports:
        assert problem(live.shot(f"http://127.0.0.1:{port}/json/version")) == "url_forbidden"
        assert problem(live.shot(site.url(f"/redirect?to=http://127.0.0.1:{port}/json/version"))) == "url_forbidden"


def test_a_browser_killed_in_the_middle_of_a_job_costs_the_caller_nothing(single: Live, site: Site) -> None:
    victim = single.pids()[0]
    answer = in_background(lambda: single.shot(site.url("/hangs-once?key=browser")))
    until_asked(single, site, "/hangs-once?key=browser")
    os.kill(victim, signal.SIGKILL)
    assert answer().status_code == 200
    assert victim not in single.pids()
    assert not psutil.pid_exists(victim)
    assert single.shot(site.url("/hangs-once?key=browser")).status_code == 200


def test_a_page_that_kills_two_browsers_gets_no_third(single: Live, site: Site) -> None:
    seen = []
    answer = in_background(lambda: single.shot(site.url("/never?poison")))
    for times in (1, 2):
        until_asked(single, site, "/never?poison", times)
        seen.append(single.pids()[0])
        os.kill(seen[-1], signal.SIGKILL)
    assert problem(answer()) == "page_crashed"
    assert len(set(seen)) == 2, "the second attempt had the same browser"
    before = single.pressure()
    assert problem(single.shot(site.url("/never?poison#elsewhere"))) == "page_crashed"
    assert site.hits.count("/never?poison") == 2, "it was opened again"
    assert single.pressure().slots >= before.slots
    assert single.shot(site.url("/static")).status_code == 200


def test_a_pages_process_that_ends_is_a_crash_of_the_page(single: Live, site: Site) -> None:
    answer = in_background(lambda: single.shot(site.url("/slow?crashed")))
    for times in (1, 2):
        until_asked(single, site, "/slow?crashed", times)
        for pid in page_processes(single, single.pids()[0]):
            os.kill(pid, signal.SIGKILL)
    assert problem(answer()) == "page_crashed"
    assert single.shot(site.url("/static")).status_code == 200


def test_a_browser_that_is_stopped_is_killed_at_the_deadline(single: Live, site: Site) -> None:
    victim = single.pids()[0]
    answer = in_background(lambda: single.shot(site.url("/never?stopped"), budget_ms=3_000))
    until_asked(single, site, "/never?stopped")
    os.kill(victim, signal.SIGSTOP)
    assert problem(answer()) in {"target_timeout", "deadline_exceeded"}
    assert single.shot(site.url("/static")).status_code == 200
    assert victim not in single.pids()


def test_a_browser_stopped_while_idle_costs_one_job(single: Live, site: Site) -> None:
    victim = single.pids()[0]
    os.kill(victim, signal.SIGSTOP)
    assert problem(single.shot(site.url("/static"), budget_ms=2_000)) in {"target_timeout", "deadline_exceeded"}
    assert single.shot(site.url("/static")).status_code == 200
    assert not psutil.pid_exists(victim)


def test_browsers_are_recycled_and_nothing_is_left(site: Site, scratch: Path) -> None:
    folder = scratch / "leak"
    folder.mkdir()
    renderer = run(settings_for(site, folder, renderer_slots=2, renderer_recycle_uses=8))
    seen = set(renderer.pids())
    for _ in range(30):
        assert renderer.shot(site.url("/static")).status_code == 200
        seen |= set(renderer.pids())
    assert len(seen) > 3, "no browser was replaced"
    assert renderer.pressure().slots >= 2
    renderer.stop()
    assert not [pid for pid in seen if any(processes.group(pid))]
    assert list(folder.iterdir()) == []
