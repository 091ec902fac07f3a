"""What /proc says about browsers' processes: members of a group, memory, zombies; and how to end them."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_KB_IN_MB = 1024
_ENDED = {"Z", "X"}
_INIT = 1
_NICE = 15
_TIMES = slice(11, 15)


def group(leader: int) -> Iterator[int]:
    """Yield the ids of the processes in the group that `leader` leads, itself included, zombies left out."""
    for pid, state, _parent, pgid in _all():
        if pgid == leader and state not in _ENDED:
            yield pid


def memory_mb(leader: int) -> int:
    """Return what a group holds: the sum of its members' proportional sets.

    Where the kernel does not let us read one, its private pages count, and the largest of the shared sets once.
    """
    proportional = private = shared = 0
    for pid in group(leader):
        with suppress(OSError):
            if kilobytes := _pss_kb(pid):
                proportional += kilobytes
            else:
                resident, common = (_PROC / str(pid) / "statm").read_text().split()[1:3]
                private += int(resident) - int(common)
                shared = max(shared, int(common))
    return (proportional + (private + shared) * os.sysconf("SC_PAGE_SIZE") // 1024) // _KB_IN_MB


def cpu_s(leader: int) -> float:
    """Return the CPU time that a group's running processes have taken, in seconds, and that of children they reaped."""
    ticks = 0
    for pid in group(leader):
        with suppress(OSError), open(f"{_PROC}/{pid}/stat") as stat:  # noqa: PTH123  # as below
            ticks += sum(map(int, stat.read().rpartition(")")[2].split()[_TIMES]))
    return ticks / os.sysconf("SC_CLK_TCK")


def yield_cpu(leader: int) -> None:
    """Let every other process on the machine go before a group. Without privileges this cannot be undone."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PGRP, leader, _NICE)
    # Where the kernel shares the CPU between sessions first, it is the session that has to stand back.
    with suppress(OSError):
        (_PROC / str(leader) / "autogroup").write_text(str(_NICE))


def kill_group(leader: int) -> None:
    """Kill a whole group at once; one that has ended already is fine."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def reap(leaders: set[int]) -> set[int]:
    """Take the exit status of our ended children in the groups of `leaders`; return the leaders of groups still there.

    A process whose parent was killed becomes a child of the container's first process. Where that is us and no init,
    nobody else would clear it away; there, whatever is not of our own group has been orphaned and counts as well.
    """
    ours, we, first = os.getpgrp(), os.getpid(), os.getpid() == _INIT
    left = set()
    for pid, state, parent, pgid in list(_all()):
        if state == "Z" and parent == we and (pgid in leaders or (first and pgid != ours)):
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        elif pgid in leaders:
            left.add(pgid)
    return left


def command(pid: int) -> list[str]:
    """Return a process's command line; empty when it has ended."""
    with suppress(OSError):
        # Chromium's children write theirs anew, with spaces between the arguments.
        return (_PROC / str(pid) / "cmdline").read_text().replace("\0", " ").split()
    return []


def status(pid: int | str, name: str) -> str:
    """Return a field of a process's status. Raises `OSError` when it has ended."""
    for line in (_PROC / str(pid) / "status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value.strip()
    return ""


def user(pid: int) -> int:
    """Return the effective user that a process runs as."""
    return int(status(pid, "Uid").split()[1])


def _all() -> Iterator[tuple[int, str, int, int]]:
    """Yield id, state, parent and group of every process."""
    for name in os.listdir(_PROC):  # a tenth of Path.iterdir's time, on the event loop  # noqa: PTH208
        if name.isdigit():
            with suppress(OSError), open(f"{_PROC}/{name}/stat") as stat:  # noqa: PTH123  # the same
                # The name, in brackets, may hold anything: what follows the last bracket is state, parent, group.
                state, parent, pgid = stat.read().rpartition(")")[2].split()[:3]
                yield int(name), state, int(parent), int(pgid)


def _pss_kb(pid: int) -> int:
    with suppress(PermissionError), open(f"{_PROC}/{pid}/smaps_rollup") as rollup:  # noqa: PTH123  # as above
        for line in rollup:
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
