"""What has to be right on this machine, each thing looked at by itself, with what to do where it is not."""

import asyncio
import errno
import os
import shutil
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypeAlias

from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from analyzer.judging.judge import from_settings
from analyzer.judging.settings import ClaudeSettings
from cro_analyzer import ApiError, AsyncClient, CroError
from gateway.blobs.files import folder_of
from gateway.broker import Broker
from gateway.db import Database
from gateway.migrate import FOLDER as MIGRATIONS
from gateway.settings import GatewaySettings
from renderer import sandbox
from renderer.launcher import Launcher
from renderer.settings import RendererSettings
from runtime.errors import ServiceError
from standalone.settings import StandaloneSettings

_OLDEST = (3, 11)
_FEW_MB, _LOW_MB = 1_024, 5_120
_MB_A_BROWSER = 190
"""Measured: docs/benchmarks.md."""

_BROWSER_S = 40.0
_NOWHERE = 9
"""The discard port: a browser that loads nothing needs no way out."""

_USUAL_FONTS = ("liberation", "dejavu", "noto", "arial", "roboto", "freefont", "open-sans")
_FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts", "/Library/Fonts")


class Verdict(StrEnum):
    """What came of a look."""

    OK = "ok"
    UNUSED = "unused"
    DOUBT = "doubt"
    WRONG = "wrong"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `remedy`: what to do, where something can be done."""

    name: str
    verdict: Verdict
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Machine:
    """What the settings say."""

    own: StandaloneSettings
    gateway: GatewaySettings
    renderer: RendererSettings
    claude: ClaudeSettings
    server: str

    @property
    def database_url(self) -> str:
        """The database: the one that is named, or that of `cro serve`."""
        if "database_url" in self.gateway.model_fields_set:
            return self.gateway.database_url
        return f"sqlite+aiosqlite:///{self.own.cro_data / 'cro.db'}"


Look: TypeAlias = Callable[[Machine], Awaitable[Check]]


def _ok(name: str, found: str) -> Check:
    return Check(name, Verdict.OK, found)


async def python(_: Machine) -> Check:
    """Look at the interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < _OLDEST:
        return Check("Python", Verdict.WRONG, version, "Install Python 3.11 or newer, and run `make setup` with it.")
    return _ok("Python", version)


async def browser(machine: Machine) -> Check:
    """Start Chromium as the renderer does, open an empty page, and see whether it is sandboxed."""
    name = "Chromium"
    try:
        async with asyncio.timeout(_BROWSER_S), Launcher(machine.renderer) as launcher:
            started = await launcher.launch(_NOWHERE)
            try:
                version = started.browser.version
                await started.browser.new_page()
                gaps = await asyncio.to_thread(sandbox.gaps, started.pid)
            finally:
                await started.aclose()
    except ServiceError as exc:
        what, _, remedy = exc.detail.partition(". ")
        return Check(name, Verdict.WRONG, what.rstrip("."), remedy)
    except TimeoutError:
        remedy = "Is the machine very busy? RENDERER_START_S allows more."
        return Check(name, Verdict.WRONG, f"did not start within {_BROWSER_S:.0f} s", remedy)
    return _sandboxed(machine, version, gaps)


def _sandboxed(machine: Machine, version: str, gaps: list[str] | None) -> Check:
    if machine.renderer.renderer_sandbox == "off":
        remedy = "Unset RENDERER_SANDBOX: every page that is opened could take over this user's account."
        return Check("Chromium", Verdict.DOUBT, f"{version}, without its sandbox", remedy)
    if gaps:
        remedy = "Allow unprivileged user namespaces: sysctl kernel.unprivileged_userns_clone=1."
        return Check("Chromium", Verdict.WRONG, f"{version}, its sandbox lacks: {', '.join(gaps)}", remedy)
    seen = "sandboxed" if gaps is not None else "starts; its sandbox could not be looked at"
    return _ok("Chromium", f"{version}, {seen}")


async def fonts(_: Machine) -> Check:
    """Look for the fonts that pages expect."""
    names = await asyncio.to_thread(lambda: {path.name.lower() for path in _font_files()})
    remedy = "apt-get install fonts-liberation fonts-noto-color-emoji"
    if not any(usual in name for name in names for usual in _USUAL_FONTS):
        return Check("Fonts", Verdict.DOUBT, "none of the usual ones: texts will have other widths", remedy)
    if not any("emoji" in name for name in names):
        return Check("Fonts", Verdict.DOUBT, f"{len(names)} files, none with emoji: pages will show boxes", remedy)
    return _ok("Fonts", f"{len(names)} files, with emoji")


def _font_files() -> Iterator[Path]:
    for folder in _FONT_FOLDERS:
        for ending in ("ttf", "otf", "ttc", "pfb"):
            yield from Path(folder).expanduser().rglob(f"*.{ending}")


async def disk(machine: Machine) -> Check:
    """See whether the data folder can be written, and what room there is."""
    folder = machine.own.cro_data
    try:
        await asyncio.to_thread(_written, folder)
    except OSError as exc:
        remedy = "Name another folder in CRO_DATA, or give this user the right to write there."
        return Check("Disk", Verdict.WRONG, f"{folder}: {exc.strerror}", remedy)
    places = {_there(folder), machine.renderer.renderer_scratch}
    free, place = min((shutil.disk_usage(place).free // 2**20, str(place)) for place in places)
    found = f"{free / 1_024:,.1f} GB free at {place}"
    remedy = "Make room, or name another place: CRO_DATA for results, RENDERER_SCRATCH for browsers."
    if free < _FEW_MB:
        return Check("Disk", Verdict.WRONG, found, remedy)
    return Check("Disk", Verdict.DOUBT, found, remedy) if free < _LOW_MB else _ok("Disk", found)


def _there(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists: looking must not make any."""
    return next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())


def _written(folder: Path) -> None:
    with TemporaryFile(dir=_there(folder)) as file:
        file.write(b"cro")


async def memory(machine: Machine) -> Check:
    """See whether the browsers that will run fit into memory."""
    slots = machine.renderer.renderer_slots
    needed = slots * _MB_A_BROWSER
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    except (ValueError, OSError, AttributeError):
        return Check("Memory", Verdict.UNUSED, "this system does not tell")
    found = f"{free:,} MB free, {slots} browsers take about {needed:,} MB"
    if free < needed:
        return Check("Memory", Verdict.DOUBT, found, "Set RENDERER_SLOTS lower, or end something else.")
    return _ok("Memory", found)


async def database(machine: Machine) -> Check:
    """Ask the database, and whether its tables are those of this release."""
    url = machine.database_url
    parts = make_url(url)
    embedded, answered = parts.get_backend_name() == "sqlite", False
    shown = parts.database or "" if embedded else parts.render_as_string(hide_password=True)
    if embedded and not await asyncio.to_thread(Path(shown).exists):
        return Check("Database", Verdict.UNUSED, f"SQLite, {shown}: made when it is first needed")
    db = Database(url)
    try:
        await _asked(db, "SELECT 1")
        answered = True
        revision = await _asked(db, "SELECT version_num FROM alembic_version")
    except (ServiceError, SQLAlchemyError, OSError):
        if answered:
            return Check("Database", Verdict.WRONG, f"{shown} has no tables of ours", "python -m gateway migrate")
        return Check("Database", Verdict.WRONG, f"{shown} does not answer", "Start it, or correct DATABASE_URL.")
    finally:
        await db.aclose()
    newest = ScriptDirectory(str(MIGRATIONS)).get_heads()
    if revision not in newest:
        remedy = "python -m gateway migrate (`cro serve` does it by itself)"
        return Check("Database", Verdict.DOUBT, f"{shown}: tables of another release ({revision})", remedy)
    return _ok("Database", f"{shown}, tables at {revision}")


async def _asked(db: Database, question: str) -> object:
    async with db.read() as connection:
        return (await connection.execute(text(question))).scalar()


async def redis(machine: Machine) -> Check:
    """Ask Redis, where one is named."""
    url = machine.gateway.redis_url
    if not url:
        return Check("Redis", Verdict.UNUSED, "not used: limits and wake-ups stay in one process (REDIS_URL)")
    shown = url.rpartition("@")[2]
    broker = Broker(url)
    answers = await broker.ping()
    await broker.aclose()
    if not answers:
        remedy = "Start it, or correct REDIS_URL. Without it everything goes on, slower."
        return Check("Redis", Verdict.DOUBT, f"{shown} does not answer within 0.1 s", remedy)
    return _ok("Redis", shown)


async def blobs(machine: Machine) -> Check:
    """Look at the artifact store, where one is named."""
    if "blobs_url" not in machine.gateway.model_fields_set:
        return Check("Artifacts", Verdict.UNUSED, f"files in {machine.own.cro_data / 'blobs'} (BLOBS_URL)")
    url = machine.gateway.blobs_url
    try:
        folder = folder_of(url)
        await asyncio.to_thread(_written, folder)
    except ValueError:
        return Check("Artifacts", Verdict.WRONG, f"{url}: this release keeps files", "BLOBS_URL=file:///folder")
    except OSError as exc:
        return Check("Artifacts", Verdict.WRONG, f"{url}: {exc.strerror}", "Let this user write there.")
    return _ok("Artifacts", str(folder))


async def claude(machine: Machine) -> Check:
    """Ask the provider whether key and models are good; that costs nothing."""
    judge = from_settings(machine.claude)
    if judge is None:
        return Check("Claude", Verdict.UNUSED, "no key: reports by rules alone (ANTHROPIC_API_KEY)")
    try:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(judge)
            await stack.enter_async_context(judge.models)
            told = judge.models.detail()["claude"]
    except ServiceError as exc:
        what, _, remedy = exc.detail.partition(": ")
        return Check("Claude", Verdict.WRONG, what, remedy.capitalize())
    if "not checked" in told:
        remedy = "Is the key right (ANTHROPIC_API_KEY), and can this machine reach the provider?"
        return Check("Claude", Verdict.DOUBT, told.partition(";")[0], remedy)
    return _ok("Claude", told)


async def port(machine: Machine) -> Check:
    """See whether `cro serve` could listen."""
    host, number = machine.own.host, machine.own.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((host, number))
        except OSError as exc:
            taken = exc.errno == errno.EADDRINUSE
            found = f"{host}:{number} is " + ("in use" if taken else f"not to be had: {exc.strerror}")
            return Check("Port", Verdict.DOUBT, found, "If that is not `cro serve` itself: cro serve --port 8001")
    return _ok("Port", f"{host}:{number} is free")


async def service(machine: Machine) -> Check:
    """Ask the service that CRO_API_URL names, with the key of CRO_API_KEY."""
    if not machine.server:
        return Check("Service", Verdict.UNUSED, "none is named: commands run on this machine (CRO_API_URL)")
    try:
        async with AsyncClient(base_url=machine.server, timeout_s=10) as client:
            tenant = await client.tenant()
    except ApiError as exc:
        return Check("Service", Verdict.WRONG, f"{machine.server}: {exc.detail}", "Is CRO_API_KEY right?")
    except CroError as exc:
        return Check("Service", Verdict.WRONG, f"{machine.server}: {exc}", "Is CRO_API_URL right, and is it running?")
    return _ok("Service", f"{machine.server}, account {tenant.name}, plan {tenant.plan.name}")


LOOKS: tuple[Look, ...] = (python, browser, fonts, memory, disk, database, redis, blobs, claude, port, service)
