"""Processes and files that nobody owns any more."""

import asyncio
import ctypes
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.load.breaker.cluster import Cluster

_PR_SET_CHILD_SUBREAPER = 36
_LEAVE_S = 35.0
"""A renderer clears away every 30 s what its browsers left."""


@contextmanager
def adopting() -> Iterator[None]:
    """Become the parent of whatever loses its own, so that nothing escapes the count."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0)


class Strays:
    """Children of ours that we did not start: those of the killed."""

    def __init__(self) -> None:
        """Count from now on: what runs now is meant to."""
        self._ours = {child.pid for child in psutil.Process().children()}

    def living(self, cluster: Cluster) -> list[psutil.Process]:
        """Bury the dead among them; return the others."""
        programs = {one.program.process.pid for one in cluster.members if one.program is not None}
        redis = cluster.servers.redis.pid
        found = []
        for child in psutil.Process().children():
            if child.pid in self._ours | programs | {redis}:
                continue
            with suppress(psutil.NoSuchProcess, ChildProcessError):
                if child.status() == psutil.STATUS_ZOMBIE:
                    os.waitpid(child.pid, os.WNOHANG)
                else:
                    found.append(child)
        return found

    async def gone(self, cluster: Cluster) -> list[str]:
        """Give the last of them time to leave; return who stays."""
        give_up = time.monotonic() + _LEAVE_S
        while (left := self.living(cluster)) and time.monotonic() < give_up:
            await asyncio.sleep(0.5)
        return [_named(process) for process in left]


def survivors(cluster: Cluster) -> list[str]:
    """Return what members that were killed had started and what still runs."""
    return [
        f"{one.name}: {_named(process)}"
        for one in cluster.members
        for process in one.trees
        if process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    ]


def _named(process: psutil.Process) -> str:
    with suppress(psutil.NoSuchProcess):
        return f"{process.pid} {' '.join(process.cmdline())[:160]}"
    return str(process.pid)


async def settled(folder: Path, wanted: int) -> list[str]:
    """Return the names in a folder, which are given time to become that few."""
    give_up = time.monotonic() + _LEAVE_S
    while len(found := sorted(one.name for one in folder.iterdir())) > wanted and time.monotonic() < give_up:
        await asyncio.sleep(0.5)
    return found
