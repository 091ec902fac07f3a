"""The processes of the platform, each of which may be killed, stopped and started again where it was."""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.fixtures.programs import Program, free_port, start

_LEAVE_S = 60.0


@dataclass
class Member:
    """One process with a port of its own, which it has again after a restart."""

    name: str
    role: str
    module: str
    environment: dict[str, str]
    log: Path
    command: str = ""
    port: int = 0
    program: Program | None = None
    born: float = 0.0
    trees: list[psutil.Process] = field(default_factory=list)
    """what it had started before it was killed: all of that has to go"""
    busy: threading.Lock = field(default_factory=threading.Lock)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def process(self) -> psutil.Process:
        """The process itself. Raises `psutil.NoSuchProcess` while it is being replaced."""
        if self.program is None:
            raise psutil.NoSuchProcess(0)
        return psutil.Process(self.program.process.pid)

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.program = start(self.command, self.environment, self.log, module=self.module)
        assert self.program.line, f"{self.name} did not start: {self.log.read_text()[-2000:]}"
        self.born = time.monotonic()

    def end(self, number: signal.Signals) -> int:
        """End it with a signal, and it alone; return its status."""
        assert self.program is not None
        process = self.program.process
        with suppress(psutil.NoSuchProcess):
            self.trees += self.process.children(recursive=True)
        process.send_signal(number)
        status = process.wait(_LEAVE_S)
        # Not `communicate`: what it has started may hold the other end a moment longer.
        assert process.stdout is not None
        process.stdout.close()
        self.program = None
        return status

    def freeze(self, seconds: float) -> None:
        """Let it stand still for a while."""
        process = self.process
        process.suspend()
        try:
            time.sleep(seconds)
        finally:
            process.resume()

    def pss_mb(self) -> float:
        """Return what it holds with all that it has started, in MiB."""
        total = 0
        with suppress(psutil.NoSuchProcess):
            for process in (self.process, *self.process.children(recursive=True)):
                with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                    total += process.memory_full_info().pss
        return total / 2**20


@dataclass(frozen=True)
class Recipe:
    """How one kind of process is run."""

    role: str
    module: str
    command: str = ""
    port_setting: str = "PORT"
    environment: dict[str, str] = field(default_factory=dict)


def member(recipe: Recipe, name: str, folder: Path) -> Member:
    """Give a process a port and a log."""
    port = free_port()
    environment = {**recipe.environment, **({recipe.port_setting: str(port)} if recipe.port_setting else {})}
    command = recipe.command.format(port=port)
    return Member(name, recipe.role, recipe.module, environment, folder / f"{name}.log", command, port)


def a_browser(renderer: Member) -> Callable[[], None] | None:
    """Return what kills one of a renderer's browsers, if it has one now."""
    with suppress(psutil.NoSuchProcess):
        for process in renderer.process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if "--user-data-dir" in " ".join(process.cmdline()) and os.getpgid(process.pid) == process.pid:
                    return process.kill
    return None
