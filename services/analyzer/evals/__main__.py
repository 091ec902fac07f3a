"""`python -m evals`: rules without a key; with `--ai-budget USD` and a key, Claude as well. `make eval` calls it."""

import argparse
import asyncio
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from analyzer.judging.judge import from_settings
from analyzer.judging.settings import ClaudeSettings
from analyzer.rules.policy import load
from contracts.analyze import Preset
from evals import model, real, seeded, seeds
from evals.rendering import Rendered
from runtime import logging
from tests.fixtures.pages import PACKAGES

RESULTS = Path(__file__).parent / "results"
LEAST = 0.98
"""Precision and recall of failures on seeded pages below which the command fails."""


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="seeded pages of rules whose id contains this; no real pages")
    parser.add_argument("--ai-budget", type=Decimal, default=Decimal(0), help="USD that Claude may cost; 0: not asked")
    parser.add_argument("--preset", type=Preset, default=Preset.STANDARD, choices=list(Preset)[1:])
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the tables are written")
    return parser.parse_args(given)


def _write(folder: Path, name: str, lines: Sequence[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    slug = re.sub(r"[^a-z0-9.]+", "-", name.casefold()).strip("-")
    text = "\n".join([f"# {name}", "", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "", *lines]).rstrip("\n") + "\n"
    (folder / f"{slug}.md").write_text(text, encoding="utf-8")
    print(text)


async def _rules(only: str) -> tuple[list[str], bool, list[dict[str, Rendered]]]:
    chosen = [seed for seed in seeds.all_seeds() if only in seed.rule]
    tally = await seeded.run(chosen)
    good = tally.precision >= LEAST and tally.recall >= LEAST
    lines = seeded.table(tally, chosen)
    if only:
        return lines, good, []
    runs = await real.render()
    return [*lines, *real.table(real.judge(runs))], good, runs


async def _model(runs: list[dict[str, Rendered]], arguments: argparse.Namespace) -> None:
    judge = from_settings(ClaudeSettings())
    if judge is None:
        print("No key: Claude is not asked. Set ANTHROPIC_API_KEY.")
        return
    spending = model.Spending(arguments.ai_budget)
    async with judge:
        renders = {name: runs[0][name].result for name in PACKAGES}
        results = await model.judge_pages(renders, judge, arguments.preset, spending)
    _write(arguments.results, model.title(results), model.table(results, spending))


async def run(arguments: argparse.Namespace) -> int:
    """Return the exit status: 1 where seeded defects are judged worse than they must be."""
    lines, good, runs = await _rules(arguments.only)
    _write(arguments.results if not arguments.only else arguments.results / "partial", f"rules {load().version}", lines)
    if runs and arguments.ai_budget > 0:
        await _model(runs, arguments)
    return 0 if good else 1


def main() -> None:
    """Run what was asked for."""
    logging.configure("evals", "WARNING")
    sys.exit(asyncio.run(run(_arguments(None))))


if __name__ == "__main__":
    main()
