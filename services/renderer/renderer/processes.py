"""What /proc says about a browser's processes: members of its group, memory, and whether they are sandboxed."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_MB = 1024 * 1024
_SECCOMP_FILTER = "2"


def group(leader: int) -> Iterator[int]:
    """Yield the ids of the processes in the group that `leader` leads, itself included, zombies left out."""
    for name in os.listdir(_PROC):  # a tenth of Path.iterdir's time, on the event loop  # noqa: PTH208
        if name.isdigit():
            with suppress(OSError), open(f"{_PROC}/{name}/stat") as stat:  # noqa: PTH123  # the same
                # The name, in brackets, may hold anything: what follows the last bracket is state, parent, group.
                state, _parent, pgid = stat.read().rpartition(")")[2].split()[:3]
                if int(pgid) == leader and state not in {"Z", "X"}:
                    yield int(name)


def memory_mb(leader: int) -> int:
    """Return what a group holds: each member's private pages, and the shared ones once."""
    private = shared = 0
    for pid in group(leader):
        with suppress(OSError):
            resident, common = (_PROC / str(pid) / "statm").read_text().split()[1:3]
            private += int(resident) - int(common)
            shared = max(shared, int(common))
    return (private + shared) * os.sysconf("SC_PAGE_SIZE") // _MB


def kill_group(leader: int) -> None:
    """Kill a whole group at once; one that has ended already is fine."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def unconfined(leader: int) -> list[int] | None:
    """Return the page processes of a group that run without a seccomp filter; None when it has no page process.

    Chromium's browser, GPU and network processes have no filter by design: only those that run pages count.
    """
    pages = [pid for pid in group(leader) if "--type=renderer" in _command(pid)]
    return [pid for pid in pages if _status(pid, "Seccomp") != _SECCOMP_FILTER] if pages else None


def user(pid: int) -> int:
    """Return the effective user that a process runs as."""
    return int(_status(pid, "Uid").split()[1])


def _command(pid: int) -> str:
    with suppress(OSError):
        return (_PROC / str(pid) / "cmdline").read_text()
    return ""


def _status(pid: int, name: str) -> str:
    for line in (_PROC / str(pid) / "status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value.strip()
    return ""
