import asyncio
import os
from pathlib import Path

import psutil
import pytest

from contracts.errors import ErrorCode
from renderer import launcher, sandbox
from renderer.browser import Listener, Traffic, start
from renderer.launcher import Launcher
from renderer.settings import RendererSettings
from runtime.errors import ServiceError


class Nowhere:
    """A way out that leads nowhere."""

    port = 9

    def __init__(self, closed: list[bool]) -> None:
        self._closed = closed

    def begin(self, job_id: str) -> Traffic:
        raise AssertionError(job_id)

    async def aclose(self) -> None:
        self._closed.append(True)


def refusal(settings: RendererSettings) -> ServiceError:
    async def test() -> None:
        async with Launcher(settings):
            pass

    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(ServiceError) as caught:
        asyncio.run(test())
    assert {child.pid for child in psutil.Process().children()} <= before, "Playwright's driver was left behind"
    return caught.value


def test_no_browser_anywhere_names_the_remedy(monkeypatch: pytest.MonkeyPatch, scratch: Path) -> None:
    monkeypatch.setattr(launcher, "_DEBIAN", ())
    monkeypatch.setattr(launcher, "_downloads", lambda _full: iter(()))
    error = refusal(RendererSettings(renderer_scratch=scratch))
    assert error.code is ErrorCode.UNAVAILABLE
    assert "Install Debian's chromium-headless-shell" in error.detail
    assert "CHROMIUM_PATH" in error.detail


def test_playwrights_own_download_is_the_last_resort(tmp_path: Path) -> None:
    full = tmp_path / "chromium-1200" / "chrome-linux" / "chrome"
    old, new = (
        tmp_path / f"chromium_headless_shell-{build}" / "chrome-linux" / "headless_shell" for build in (1100, 1200)
    )
    for path in (full, old, new):
        path.parent.mkdir(parents=True)
        path.touch()
    assert list(launcher._downloads(full)) == [new, old, full]


def test_a_setting_that_undoes_the_proxy_is_refused(monkeypatch: pytest.MonkeyPatch, scratch: Path) -> None:
    monkeypatch.setenv("PLAYWRIGHT_DISABLE_FORCED_CHROMIUM_PROXIED_LOOPBACK", "1")
    assert "Unset PLAYWRIGHT_DISABLE_FORCED" in refusal(RendererSettings(renderer_scratch=scratch)).detail


def test_all_that_playwright_writes_goes_with_the_renderers_own_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scratch: Path
) -> None:
    """A renderer that is killed leaves that folder to its watchdog, and nothing else anywhere."""
    before = {*scratch.iterdir()}

    def look() -> None:
        assert [*tmp_path.iterdir()] == []
        assert [*scratch.glob("cro-renderer-*/playwright*")] != []

    async def test() -> None:
        async with Launcher(RendererSettings(renderer_scratch=scratch)) as one:
            started = await one.launch(9)
            look()
            await started.aclose()

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    asyncio.run(test())
    assert os.environ["TMPDIR"] == str(tmp_path)
    assert {*scratch.iterdir()} == before


def test_a_folder_that_chromiums_user_may_not_enter_is_named(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: only root changes the user")
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    error = refusal(RendererSettings(renderer_scratch=hidden))
    assert str(hidden) in error.detail
    assert "10001" in error.detail


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("FATAL: No usable sandbox! If you are running on Ubuntu 23.10+", "RENDERER_SANDBOX=off"),
        ("error while loading shared libraries: libnss3.so: cannot open shared object", "libnss3.so"),
        ("Timeout 20000ms exceeded", "did not start"),
    ],
)
def test_failed_launches_say_what_to_do(text: str, part: str) -> None:
    error = launcher._launch_failure(text, Path("/usr/lib/chromium/chromium-headless-shell"))
    assert part in error.detail
    assert text in error.reason


def refusal_to_start(settings: RendererSettings) -> ServiceError:
    """Start a browser that must be sandboxed; return the refusal."""

    async def test() -> None:
        async with Launcher(settings) as started:
            await start(started, listener, sandboxed=True)

    closed: list[bool] = []

    async def listener() -> Listener:
        return Nowhere(closed)

    with pytest.raises(ServiceError) as caught:
        asyncio.run(test())
    assert closed
    return caught.value


def test_page_processes_without_a_sandbox_are_refused(scratch: Path) -> None:
    # Chromium really runs without its sandbox here; nobody has allowed that.
    error = refusal_to_start(RendererSettings(renderer_scratch=scratch, renderer_sandbox="off"))
    assert "RENDERER_SANDBOX" in error.detail, error.reason
    for lacking in ("net namespace", "pid namespace", "seccomp filter", "user namespace"):
        assert lacking in error.reason


def test_what_is_not_ours_to_look_into_is_told_by_what_all_may_read(
    monkeypatch: pytest.MonkeyPatch, scratch: Path
) -> None:
    def forbidden(_pid: int | str, _kind: str) -> Path:
        raise PermissionError

    monkeypatch.setattr(sandbox, "_namespace", forbidden)
    error = refusal_to_start(RendererSettings(renderer_scratch=scratch, renderer_sandbox="off"))
    assert "['net namespace', 'pid namespace', 'seccomp filter', 'user namespace']" in error.reason
    assert started_with(RendererSettings(renderer_scratch=scratch)) == []


def started_with(settings: RendererSettings) -> list[str] | None:
    """Start a browser that must be sandboxed; return what its page process lacks."""

    async def test() -> list[str] | None:
        async with Launcher(settings) as launching:
            browser = await start(launching, listener, sandboxed=True)
            lacking = sandbox.gaps(browser.pid)
            await browser.aclose()
            return lacking

    async def listener() -> Listener:
        return Nowhere([])

    return asyncio.run(test())
