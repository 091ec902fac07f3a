"""Several processes of one command on one machine, which start, stop and come back together."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from types import FrameType

import structlog

log = structlog.get_logger(__name__)

LISTENING = "CRO_LISTENING_FD"
"""The environment variable that gives a process the socket to serve on."""

_LOOK_S = 0.2
_LIVED_S = 10.0
_MOST_QUICK_DEATHS = 5


_MEMBER = "CRO_MEMBER_OF"
_PR_SET_PDEATHSIG = 1


def follow() -> None:
    """Where this process is one of a group: stop when its parent has died, in whatever way. Only Linux can do that."""
    parent = os.environ.pop(_MEMBER, "")
    if parent and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        # It may have died before this line.
        if os.getppid() != int(parent):
            os.kill(os.getpid(), signal.SIGTERM)


def inherited() -> socket.socket | None:
    """Return the socket that a parent bound for this process, if one did."""
    number = os.environ.get(LISTENING)
    return socket.socket(fileno=int(number)) if number else None


def run(
    command: Sequence[str], count: int, environment: Sequence[Mapping[str, str]], listening: socket.socket | None = None
) -> int:
    """Keep `count` processes of `command` running until a signal, which each of them gets; return the exit status.

    One that dies is replaced. Five deaths in a row within ten seconds of a start mean that it cannot run: all stop, 1.
    """
    group = _Group(command, environment, listening)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, group.pass_on)
    group.start(count)
    return group.watch()


class _Group:
    """The processes."""

    def __init__(
        self, command: Sequence[str], environment: Sequence[Mapping[str, str]], listening: socket.socket | None
    ) -> None:
        self._command = command
        self._environment = environment
        self._listening = listening
        self._members: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
        self._stopping = False
        self._passed_on = 0
        self._quick_deaths = 0

    def pass_on(self, number: int, _frame: FrameType | None) -> None:
        """Hand a signal on."""
        self._stopping = True
        self._passed_on = number
        self._signal(number)

    def _signal(self, number: int) -> None:
        for member, _ in list(self._members.values()):
            if member.poll() is None:
                member.send_signal(number)

    def start(self, count: int) -> None:
        for place in range(count):
            self._start(place)

    def _start(self, place: int) -> None:
        environment = {**os.environ, **self._environment[place], _MEMBER: str(os.getpid())}
        descriptors: list[int] = []
        if self._listening is not None:
            descriptors = [self._listening.fileno()]
            environment[LISTENING] = str(descriptors[0])
        member = subprocess.Popen(self._command, env=environment, pass_fds=descriptors)  # noqa: S603  # our own command
        self._members[place] = (member, time.monotonic())

    def watch(self) -> int:
        """Replace the dead until told to stop; then wait for all."""
        while not self._stopping:
            time.sleep(_LOOK_S)
            for place, (member, started_at) in list(self._members.items()):
                if member.poll() is not None and not self._stopping:
                    self._mourn(place, member.returncode, time.monotonic() - started_at)
        statuses = [member.wait() for member, _ in self._members.values()]
        # One that has only begun to start dies of the signal itself: that is an orderly end as well.
        failed = any(status not in {0, -self._passed_on} for status in statuses)
        return 1 if self._quick_deaths >= _MOST_QUICK_DEATHS or failed else 0

    def _mourn(self, place: int, status: int, lived_s: float) -> None:
        log.warning("process_died", place=place, status=status)
        self._quick_deaths = self._quick_deaths + 1 if lived_s < _LIVED_S else 0
        if self._quick_deaths >= _MOST_QUICK_DEATHS:
            sys.stderr.write("The processes do not stay up: see what they said above.\n")
            self._stopping = True
            self._signal(signal.SIGTERM)
        else:
            self._start(place)
