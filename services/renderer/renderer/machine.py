"""What the kernel says about the machine as a whole: how loaded it is, and whether memory has run out."""

import os
from contextlib import suppress
from pathlib import Path

_VMSTAT = Path("/proc/vmstat")
_BUSY_PER_CPU = 2.0
"""Runnable tasks per CPU. A full pool has two browsers per CPU and rarely more than one task of each is runnable."""


def overloaded() -> bool:
    """Tell whether so much runs here that a slow browser says nothing about that browser."""
    cpus = len(os.sched_getaffinity(0)) or 1
    return os.getloadavg()[0] / cpus > _BUSY_PER_CPU


def memory_kills() -> int:
    """Return how many processes the kernel has ended for want of memory since it started; 0 where it does not say."""
    with suppress(OSError):
        for line in _VMSTAT.read_text(encoding="ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
