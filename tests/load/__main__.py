"""Run one suite; end with 1 when a bound is broken."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from tests.load.bounds import Report
from tests.load.breaker.crowd import breaker
from tests.load.burst import burst
from tests.load.hostile import hostile
from tests.load.soak import soak

SUITES: dict[str, Callable[[int], Coroutine[Any, Any, Report]]] = {
    "soak": soak,
    "burst": burst,
    "hostile": hostile,
    "breaker": breaker,
}


def main() -> None:
    """Run and report."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("suite", choices=SUITES)
    arguments.add_argument("size", type=int, help="renders, seconds, rounds or minutes")
    chosen = arguments.parse_args()
    report = asyncio.run(SUITES[chosen.suite](chosen.size))
    report.print()
    sys.exit(report.broken > 0)


if __name__ == "__main__":
    main()
