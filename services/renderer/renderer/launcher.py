"""Starting a browser: which binary, which flags, as which user. Playwright launches and owns the process."""

import asyncio
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog
from playwright.async_api import Browser, Error, Playwright, async_playwright

from contracts.errors import ErrorCode
from renderer import processes
from renderer.settings import RendererSettings
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

_SCRIPT = Path(__file__).with_name("launch.sh")
_WATCHDOG = Path(__file__).with_name("watchdog.sh")
_SHELL = "/bin/sh"
_TIDY_S = 30.0
# Debian's /usr/bin/chromium* are shell scripts: ending one can leave the browser running. These are the browsers.
_DEBIAN = (Path("/usr/lib/chromium/chromium-headless-shell"), Path("/usr/lib/chromium/chromium"))
_REMEDY = "Install Debian's chromium-headless-shell, or run `playwright install chromium-headless-shell`"
_PREFIX = "cro-renderer-"
_LOOPBACK_BYPASS = "PLAYWRIGHT_DISABLE_FORCED_CHROMIUM_PROXIED_LOOPBACK"

# Playwright's defaults are for tests of one's own pages; these four weaken a browser that opens other people's.
_NOT_FOR_STRANGERS = [
    "--disable-popup-blocking",
    "--disable-ipc-flooding-protection",
    "--disable-hang-monitor",
    "--enable-unsafe-swiftshader",
]
_FLAGS = [
    "--proxy-bypass-list=<-loopback>",  # else Chromium dials loopback and 169.254/16 past the proxy
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",  # full Chromium's spelling
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",  # the headless shell's
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",  # names are the proxy's business alone
    "--js-flags=--max-old-space-size=512",
    "--disk-cache-size=67108864",
]


@dataclass(frozen=True)
class Started:
    """A running browser: its process and its folder."""

    browser: Browser
    pid: int
    folder: Path
    ended: Callable[[], None]

    async def devtools(self) -> str:
        """Return where the second connection goes, once Chromium has said so."""
        return await _devtools(self.folder)

    async def aclose(self) -> None:
        """Kill what still runs and delete the folder. Playwright reaps the process and removes its own folders."""
        processes.kill_group(self.pid)
        with suppress(Error):
            await self.browser.close()
        while any(processes.group(self.pid)):  # noqa: ASYNC110  # the kernel sends no event for a whole group
            await asyncio.sleep(0.02)
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)
        self.ended()


class Launcher:
    """Playwright's driver, and the folder that holds the browsers' folders."""

    def __init__(self, settings: RendererSettings) -> None:
        """Nothing is started before `start`."""
        self._settings = settings
        self._playwright: Playwright | None = None
        self._binary = Path()
        self._root = Path()
        self._lock = -1
        self._starting = asyncio.Lock()
        self._folders: set[Path] = set()
        self._leaders: set[int] = set()
        self._present: set[int] = set()
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._tidying: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Find the browser and make the scratch folder. Raises `ServiceError` (unavailable) naming the remedy."""
        if os.environ.get(_LOOPBACK_BYPASS):
            raise _unavailable(f"Unset {_LOOPBACK_BYPASS}: with it, pages reach this machine's own services.")
        if self._settings.renderer_sandbox == "off":
            log.warning("sandbox_off", remedy="unset RENDERER_SANDBOX; pages now run without Chromium's sandbox")
        self._make_root()
        try:
            self._playwright = await _started_in(self._root)
            self._binary = self._find()
            self._check_user()
            self._watch()
        except BaseException:
            await self.__aexit__()
            raise
        self._tidying = asyncio.create_task(self._keep_tidy())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Stop the driver and remove the scratch folder."""
        if self._tidying:
            self._tidying.cancel()
        if self._playwright:
            with suppress(Error):
                await self._playwright.stop()
        if self._lock >= 0:
            os.close(self._lock)
            shutil.rmtree(self._root, ignore_errors=True)
        if self._watchdog:
            await asyncio.to_thread(self._watchdog.communicate)

    async def launch(self, proxy_port: int) -> Started:
        """Start one browser whose only way out is the proxy on that loopback port. Raises `ServiceError`."""
        folder = Path(tempfile.mkdtemp(prefix="slot-", dir=self._root))
        self._folders.add(folder)
        try:
            (folder / "tmp").mkdir()
            browser = await self._start(folder, proxy_port)
            pid = int((folder / "pid").read_text())
            self._leaders.add(pid)
            return Started(browser, pid, folder, lambda: self._folders.discard(folder))
        except BaseException:
            # A start that was given up half-way must not leave a browser behind.
            with suppress(OSError, ValueError):
                processes.kill_group(int((folder / "pid").read_text()))
            shutil.rmtree(folder, ignore_errors=True)
            self._folders.discard(folder)
            raise

    async def tidy(self) -> None:
        """Clear away what browsers left that have ended: processes without a parent, folders that came back."""
        # A child that began while we looked shows only at the next look: a group is forgotten when it is missing twice.
        left = processes.reap(self._leaders)
        self._leaders &= left | self._present
        self._present = left
        for folder in set(self._root.glob("slot-*")) - self._folders:
            log.warning("folder_swept", folder=folder.name)
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _keep_tidy(self) -> None:
        while True:
            await asyncio.sleep(_TIDY_S)
            await self.tidy()

    def _watch(self) -> None:
        # In a session of its own: a signal to our group must not end what is there to outlive us.
        self._watchdog = subprocess.Popen(  # noqa: S603  # our own script, and a folder of our own making
            [_SHELL, _WATCHDOG, self._root],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={"PATH": os.environ.get("PATH", os.defpath)},
        )

    async def _start(self, folder: Path, proxy_port: int) -> Browser:
        driver = await self._driver()
        try:
            return await driver.chromium.launch(
                executable_path=_SCRIPT,
                chromium_sandbox=self._settings.renderer_sandbox == "on",
                args=[*_FLAGS, f"--proxy-server=http://127.0.0.1:{proxy_port}"],
                ignore_default_args=_NOT_FOR_STRANGERS,
                env=self._environment(folder),
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
                timeout=self._settings.renderer_start_s * 1000,
            )
        except Error as exc:
            raise _launch_failure(exc.message, self._binary) from exc

    async def _driver(self) -> Playwright:
        async with self._starting:
            assert self._playwright, "used outside its context"
            # A driver that died takes its browsers with it; the pool starts new ones, and they need a new driver.
            if not await _answers(self._playwright):
                log.error("playwright_driver_died")
                self._playwright = await _started_in(self._root)
            return self._playwright

    def _environment(self, folder: Path) -> dict[str, str | float | bool]:
        # Nothing of our own environment goes along: it may hold secrets, and a page may take the browser over.
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
            "SLOT_FOLDER": str(folder),
            "SLOT_BINARY": str(self._binary),
            "SLOT_UID": str(self._settings.renderer_uid) if os.geteuid() == 0 else "",
        }

    def _find(self) -> Path:
        if chosen := self._settings.chromium_path:
            if os.access(chosen, os.X_OK) and chosen.is_file():
                return chosen
            raise _unavailable(f"CHROMIUM_PATH names no program: {chosen}. {_REMEDY}.")
        assert self._playwright
        for candidate in (*_DEBIAN, *_downloads(Path(self._playwright.chromium.executable_path))):
            if candidate.is_file():
                return candidate
        raise _unavailable(f"No Chromium was found. {_REMEDY}, or set CHROMIUM_PATH.")

    def _check_user(self) -> None:
        if os.geteuid() != 0:
            return
        if not shutil.which("setpriv"):
            raise _unavailable("setpriv is missing: it runs Chromium as an unprivileged user. Install util-linux.")
        for folder in [self._settings.renderer_scratch.resolve(), *self._binary.resolve().parents]:
            if not folder.stat().st_mode & 0o001:
                detail = f"Chromium runs as user {self._settings.renderer_uid}, who may not enter {folder}."
                raise _unavailable(f"{detail} {_REMEDY} (to a folder that all may read), or start as another user.")

    def _make_root(self) -> None:
        _sweep(self._settings.renderer_scratch)
        self._root = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._settings.renderer_scratch))
        self._root.chmod(0o711)
        self._lock = os.open(self._root, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX)


async def _started_in(folder: Path) -> Playwright:
    """Start Playwright's driver with its temporary files in `folder`, so that whoever clears that clears them as well.

    It takes its environment from ours and offers no other way.
    """
    tempfile.gettempdir()  # found once and kept, so that nothing else here follows
    with _environ("TMPDIR", str(folder)):
        return await async_playwright().start()


@contextmanager
def _environ(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


def _sweep(scratch: Path) -> None:
    """Delete what renderers that were killed have left: nobody holds the lock of such a folder."""
    for folder in scratch.glob(f"{_PREFIX}*"):
        with suppress(OSError), _unlocked(folder):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _unlocked(folder: Path) -> Iterator[None]:
    lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)


def _downloads(full: Path) -> Iterator[Path]:
    """Yield what Playwright has downloaded, the headless shell first; `full` is where its full Chromium would be."""
    for root in full.parents[2:3]:
        yield from sorted(root.glob("chromium_headless_shell-*/*/*headless[-_]shell"), reverse=True)
    yield full


async def _answers(driver: Playwright) -> bool:
    try:
        probe = await driver.request.new_context()
        await probe.dispose()
    except Error:
        return False
    return True


async def _devtools(folder: Path) -> str:
    while True:
        with suppress(OSError, ValueError):
            port, path = (folder / "profile" / "DevToolsActivePort").read_text().split()
            return f"ws://127.0.0.1:{port}{path}"
        await asyncio.sleep(0.002)


def _launch_failure(text: str, binary: Path) -> ServiceError:
    if "No usable sandbox" in text or "setuid sandbox" in text or "Operation not permitted" in text:
        return sandbox_failure(text)
    if "error while loading shared libraries" in text:
        library = text.partition("error while loading shared libraries:")[2].partition(":")[0].strip()
        return _unavailable(f"{binary} needs {library}, which is not installed. {_REMEDY} with its dependencies.", text)
    return _unavailable("The browser did not start.", text)


def sandbox_failure(reason: str) -> ServiceError:
    """Return the refusal to run pages without a sandbox, with every remedy in order of preference."""
    detail = (
        "Chromium's sandbox cannot start here. Allow unprivileged user namespaces "
        "(sysctl kernel.unprivileged_userns_clone=1; on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0; "
        "in a container, a seccomp profile that permits clone and unshare), or, for pages that you trust, "
        "set RENDERER_SANDBOX=off."
    )
    return _unavailable(detail, reason)


def _unavailable(detail: str, reason: str = "") -> ServiceError:
    return ServiceError(ErrorCode.UNAVAILABLE, detail, reason=reason[-2_000:], retry_after_s=5)
