"""Run every measurement and print one report in Markdown."""

import argparse
import asyncio
import platform
import subprocess
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


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    parts: dict[str, Callable[[], list[str]]] = {
        "captures-2": lambda: asyncio.run(captures.compare(2, repeats=3, requests=40)),
        "captures-4": lambda: asyncio.run(captures.compare(4, repeats=3, requests=40)),
        "captures-16": lambda: asyncio.run(captures.compare(16, repeats=3, requests=48)),
        "layers": lambda: asyncio.run(captures.layers(4, repeats=3, requests=36)),
        "render": lambda: asyncio.run(render.profile(20)),
        "egress": egress.report,
        "documents": documents.report,
        "fetch": fetch.report,
        "rules": rules.report,
        "batches": batches.report,
        "claim": lambda: ["### The queue", "", *asyncio.run(claim.report()), ""],
        "judging": judging.report,
        "bulk": bulk.report,
        "fairness": lambda: ["### Fairness between tenants", "", *asyncio.run(fairness.report())],
        "tokens": tokens.report,
        "waiting": waiting.report,
        "webhooks": webhooks.report,
        "gateway-load": lambda: asyncio.run(gateway_load.report(full=False, parts=[])),
        "analyze": lambda: memory.analyze_peak("agency"),
        "leak": lambda: asyncio.run(memory.leak(200)),
    }
    arguments.add_argument("part", nargs="*", choices=[[], *parts], help="only these measurements")
    logging.configure("bench", "WARNING")
    chosen = arguments.parse_args().part or list(parts)
    print("\n".join(_machine()))
    for name in chosen:
        print("\n".join(parts[name]()), flush=True)


if __name__ == "__main__":
    main()
