import os
import subprocess
import sys
from pathlib import Path

import pytest

from renderer import processes

MB = 1024 * 1024
HOLDER = "import sys; held = bytearray(64 * 1024 * 1024); sys.stdout.write('.'); sys.stdout.flush(); sys.stdin.read()"


@pytest.fixture
def holder() -> subprocess.Popen[bytes]:
    """A process that leads a group of its own and holds 64 MB."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout
    assert process.stdout.read(1) == b"."
    return process


def test_memory_is_the_proportional_set(holder: subprocess.Popen[bytes]) -> None:
    with holder:
        assert 64 <= processes.memory_mb(holder.pid) < 100
        processes.kill_group(holder.pid)
    assert processes.memory_mb(holder.pid) == 0


def test_where_that_cannot_be_read_private_pages_count(
    holder: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_pss_kb", lambda _pid: 0)
    with holder:
        assert 64 <= processes.memory_mb(holder.pid) < 100
        processes.kill_group(holder.pid)


def test_zombies_of_a_browsers_group_are_reaped_and_others_left_alone() -> None:
    ours = subprocess.Popen(["true"], start_new_session=True)
    other = subprocess.Popen(["true"], start_new_session=True)
    for process in (ours, other):
        while processes.status(process.pid, "State")[0] != "Z":
            os.sched_yield()
    assert processes.reap({ours.pid}) == set()
    assert not Path(f"/proc/{ours.pid}").exists()
    assert processes.status(other.pid, "State")[0] == "Z"
    assert other.wait() == 0
    ours.wait()


def test_groups_that_are_still_there_are_named(holder: subprocess.Popen[bytes]) -> None:
    with holder:
        assert processes.reap({holder.pid, 2**22 - 1}) == {holder.pid}
        processes.kill_group(holder.pid)


def test_cpu_time_of_a_group_and_standing_back() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True) as busy:
        while processes.cpu_s(busy.pid) < 0.1:
            assert busy.poll() is None
        processes.yield_cpu(busy.pid)
        assert os.getpriority(os.PRIO_PROCESS, busy.pid) == 15
        processes.kill_group(busy.pid)
    assert processes.cpu_s(busy.pid) == 0
