"""Proof from /proc that page processes are sandboxed: a seccomp filter, and namespaces apart from ours."""

from contextlib import suppress
from pathlib import Path

from renderer import processes

_SECCOMP_FILTER = "2"
_NAMESPACES = ("user", "pid", "net")


def gaps(leader: int) -> list[str] | None:
    """Return what the page processes of a browser lack; None when it has no page process.

    Chromium's browser, GPU and network processes have no filter by design: only those that run pages count.
    """
    pages = [pid for pid in processes.group(leader) if "--type=renderer" in processes.command(pid)]
    if not pages:
        return None
    found: set[str] = set()
    for pid in pages:
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended since
            found |= _gaps(pid, leader)
    return sorted(found)


def filters(pid: int) -> int:
    """Return how many seccomp filters a process is behind. Raises `OSError` when it has ended."""
    if stacked := processes.status(pid, "Seccomp_filters"):
        return int(stacked)
    return int(processes.status(pid, "Seccomp") == _SECCOMP_FILTER)  # kernels before 5.9 count none


def _gaps(pid: int, leader: int) -> set[str]:
    found = {f"{kind} namespace" for kind in _NAMESPACES if not _apart(pid, kind)}
    # In a container the browser itself is behind the container's filter: a page has to be behind one more.
    if filters(pid) <= filters(leader):
        found.add("seccomp filter")
    return found


def _apart(pid: int, kind: str) -> bool:
    try:
        return _namespace(pid, kind) != _namespace("self", kind)
    except PermissionError:
        # Another user's process, or one that has given up being looked into: what everybody may read tells as well.
        return _TELLS[kind](pid) != _TELLS[kind]("self")


def _namespace(pid: int | str, kind: str) -> Path:
    return Path(f"/proc/{pid}/ns/{kind}").readlink()


def _users(pid: int | str) -> str:
    return Path(f"/proc/{pid}/uid_map").read_text()


def _depth(pid: int | str) -> str:
    # One id for each PID namespace that the process is in.
    return str(len(processes.status(pid, "NSpid").split()))


def _network(pid: int | str) -> str:
    # Every network namespace has files of its own below /proc/…/net.
    return str(Path(f"/proc/{pid}/net/dev").stat().st_ino)


_TELLS = {"user": _users, "pid": _depth, "net": _network}
