"""Attacks from inside a sealed network, with the product's own launcher and proxy: not one packet may reach a canary.

Every attack has a control: the same page, with that one host named or without our browser's flags, does land. The
network is a namespace of its own: nothing leaves this machine, and nothing of this machine is in it.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.sealed.addresses import NAME_SERVER
from tests.fixtures.sealed.cases import CASES, Case

ROOT = Path(__file__).parents[3]
FULL = Path("/usr/lib/chromium/chromium")
BINARIES = (FULL.with_name("chromium-headless-shell"), FULL)
Run = Callable[[str, str], dict[str, Any]]

pytestmark = pytest.mark.slow


def _missing() -> str:
    if os.geteuid() != 0:
        return "only root makes a network namespace with a name server on port 53"
    if not all(shutil.which(tool) for tool in ("unshare", "ip", "mount", "setpriv")):
        return "unshare, mount (util-linux) or ip (iproute2) is missing"
    if not all(binary.exists() for binary in BINARIES):
        return "Debian's chromium and chromium-headless-shell are missing"
    probe = "ip link add v0 type veth peer name v1"
    done = subprocess.run(["unshare", "-n", "-m", "sh", "-c", probe], capture_output=True, text=True, check=False)
    return f"no network namespace can be made here: {done.stderr.strip()}" if done.returncode else ""


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Run one case, one way; give what was seen."""
    if missing := _missing():
        pytest.skip(f"THE CANARY TESTS DID NOT RUN: {missing}")
    # Directly below /tmp: the full browser puts a socket into its slot's folder, whose path may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="s-", dir="/tmp") as folder:
        scratch = Path(folder)
        scratch.chmod(0o755)
        (scratch / "resolv.conf").write_text(f"nameserver {NAME_SERVER}\n")
        yield from _world(scratch)


def _world(scratch: Path) -> Iterator[Run]:
    names = scratch / "resolv.conf"
    inside = f"mount --bind {names} /etc/resolv.conf && exec {sys.executable} -m tests.fixtures.sealed {scratch}"
    with subprocess.Popen(
        ["unshare", "-n", "-m", "sh", "-c", inside], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as world:
        assert world.stdin
        assert world.stdout
        orders, answers = world.stdin, world.stdout
        assert answers.readline() == "ready\n"

        def order(case: str, way: str) -> dict[str, Any]:
            orders.write(json.dumps({"case": case, "way": way}) + "\n")
            orders.flush()
            seen: dict[str, Any] = json.loads(answers.readline())
            assert "failed" not in seen, seen
            return seen

        yield order
        orders.close()
        assert world.wait(30) == 0


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_attack_sends_nothing(run: Run, case: Case) -> None:
    seen = run(case.name, "strict")
    assert seen["canaries"] == []
    assert seen["udp"] == []
    assert not case.asks or case.asks not in seen["asked"]
    forbidden = [host for host, _, code in seen["refused"] if code == "url_forbidden"]
    assert forbidden or not case.refused, "the attack never reached the proxy: it shows nothing"
    assert seen["done"] or case.leaves, "the page did not finish its attack"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_same_attack_lands_when_nothing_stops_it(run: Run, case: Case) -> None:
    seen = run(case.name, "control")
    landed = case.asks in seen["asked"] if case.asks else case.lands in {address for address, *_ in seen["canaries"]}
    assert landed, seen


def test_when_the_egress_service_is_killed_nothing_goes_past_it(run: Run) -> None:
    seen = run("", "lost")
    assert seen["done"], "the page was not shown while the service ran"
    assert (seen["canaries"], seen["udp"], seen["web"]) == ([], [], [])
    assert seen["code"] == "unavailable"
    assert {code for *_, code in seen["refused"]} == {"unavailable"}
