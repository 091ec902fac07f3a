import os
from pathlib import Path

import pytest

from renderer import machine


@pytest.mark.parametrize("load", [1.9, 2.1])
def test_load_is_judged_per_cpu(monkeypatch: pytest.MonkeyPatch, load: float) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(4)))
    monkeypatch.setattr(os, "getloadavg", lambda: (4 * load, 0.0, 0.0))
    assert machine.overloaded() is (load > 2)


def test_processes_killed_for_want_of_memory_are_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert machine.memory_kills() >= 0
    monkeypatch.setattr(machine, "_VMSTAT", tmp_path / "vmstat")
    assert machine.memory_kills() == 0, "a kernel that does not say"
    (tmp_path / "vmstat").write_text("oom_kill_process 9\noom_kill 3\n")
    assert machine.memory_kills() == 3
