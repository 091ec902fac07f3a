"""Run every measurement and print one report in Markdown; with `--full` as long as the documented figures need."""

import argparse
import asyncio
import platform
import subprocess
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil

from runtime import logging
from tests.bench import (
    batches,
    bulk,
    captures,
    claim,
    documents,
    egress,
    fairness,
    fetch,
    gateway_load,
    judging,
    memory,
    render,
    rules,
    tokens,
    waiting,
    webhooks,
)


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown CPU")


def _machine() -> list[str]:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    memory_gib = psutil.virtual_memory().total / 2**30
    return [
        f"## {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit.stdout.strip()}",
        "",
        f"{psutil.cpu_count()} CPUs ({_cpu()}), {memory_gib:.0f} GiB, Python {platform.python_version()}.",
        "Client, site and service share these CPUs: compare ratios, not absolute figures.",
        "",
    ]


def _parts(*, full: bool) -> dict[str, Callable[[], list[str]]]:
    return {
        "captures-2": lambda: asyncio.run(captures.compare(2, repeats=3, requests=40)),
        "captures-4": lambda: asyncio.run(captures.compare(4, repeats=3, requests=40)),
        "captures-16": lambda: asyncio.run(captures.compare(16, repeats=3, requests=48)),
        "layers": lambda: asyncio.run(captures.layers(4, repeats=3, requests=36)),
        "render": lambda: asyncio.run(render.profile(20)),
        "egress": egress.report,
        "documents": documents.report,
        "fetch": fetch.report,
        "rules": rules.report,
        "batches": lambda: batches.report(batches.LONG if full else None),
        "claim": lambda: ["### The queue", "", *asyncio.run(claim.report()), ""],
        "judging": judging.report,
        "bulk": bulk.report,
        "fairness": lambda: ["### Fairness between tenants", "", *asyncio.run(fairness.report())],
        "tokens": tokens.report,
        "waiting": waiting.report,
        "webhooks": (lambda: asyncio.run(webhooks.table(10_000, 100))) if full else webhooks.report,
        "gateway-load": lambda: asyncio.run(gateway_load.report(full=full, parts=[])),
        "analyze": lambda: memory.analyze_peak("agency"),
        "leak": lambda: asyncio.run(memory.leak(200)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="an hour and a half, instead of half an hour")
    parser.add_argument("part", nargs="*", choices=[[], *_parts(full=False)], help="only these measurements")
    chosen = parser.parse_args()
    parts = _parts(full=chosen.full)
    logging.configure("bench", "WARNING")
    print("\n".join(_machine()))
    failed = [name for name in chosen.part or parts if not _printed(name, parts[name])]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _printed(name: str, part: Callable[[], list[str]]) -> bool:
    """Run one part. One that fails says so among the others: what they took an hour to measure is not lost."""
    try:
        lines = part()
    except Exception:  # noqa: BLE001  # whatever it is
        lines = [f"### {name}: failed", "", "```", traceback.format_exc().rstrip(), "```", ""]
        print("\n".join(lines), flush=True)
        return False
    print("\n".join(lines), flush=True)
    return True


if __name__ == "__main__":
    main()
