"""What Claude adds on the real pages: proposed, kept and rejected findings, and what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from analyzer.analyze import analyze
from analyzer.artifacts import ArtifactReader
from analyzer.judged import Judge
from analyzer.rules.policy import load
from contracts.analyze import AnalyzeRequest, Preset
from contracts.render import RenderResult
from contracts.result import Analysis

_MAX_BYTES = 50_000_000
BUDGET_MS = 180_000


@dataclass
class Spending:
    """Money for one run: what is left is the limit of the next page."""

    limit: Decimal
    spent: Decimal = Decimal(0)
    skipped: list[str] = field(default_factory=list)

    @property
    def left(self) -> Decimal:
        """What may still be spent, in USD."""
        return max(Decimal(0), self.limit - self.spent)


async def judge_pages(
    renders: Mapping[str, RenderResult], judge: Judge, preset: Preset, spending: Spending
) -> dict[str, Analysis]:
    """Analyse the pages one after the other, while the budget lasts."""
    results: dict[str, Analysis] = {}
    async with ArtifactReader(frozenset(), _MAX_BYTES) as reader:
        for name, render in renders.items():
            if spending.left <= 0:
                spending.skipped.append(name)
                continue
            request = AnalyzeRequest(
                analysis_id=f"an_{name}",
                preset=preset,
                render=render,
                downloads={},
                ai_budget_usd=spending.left,
                budget_ms=BUDGET_MS,
            )
            results[name] = await analyze(request, reader, judge, load())
            run = results[name].engine.ai
            spending.spent += Decimal(run.cost_usd) if run else Decimal(0)
    return results


def title(results: Mapping[str, Analysis]) -> str:
    """Name the models and the prompt version: `claude-sonnet-5-5, prompt 7`."""
    engines = [result.engine for result in results.values()]
    models = sorted({engine.ai.model for engine in engines if engine.ai}) or ["no model"]
    prompts = sorted({engine.prompt_version for engine in engines if engine.prompt_version}) or ["none"]
    return f"{', '.join(models)}, prompt {', '.join(prompts)}"


def _row(name: str, result: Analysis) -> str:
    run, engine = result.engine.ai, result.engine
    if run is None:
        return f"| {name} | {engine.degraded_reason or 'not asked'} | | | | | | | |"
    kept = sum(finding.source in {"ai", "both"} for finding in result.findings)
    tokens = run.usage.input + run.usage.cache_read + run.usage.cache_write_5m + run.usage.cache_write_1h
    figures = (run.proposed, run.verified, run.supported, run.rejected, kept, tokens, run.usage.output, run.cost_usd)
    return f"| {name} | {engine.degraded_reason or 'answered'} | " + " | ".join(map(str, figures)) + " |"


def table(results: Mapping[str, Analysis], spending: Spending) -> list[str]:
    """Write the counts, in Markdown."""
    return [
        f"### Model: {title(results)}",
        "",
        f"Spent {spending.spent} of {spending.limit} USD."
        + (f" Not asked, for want of money: {', '.join(spending.skipped)}." if spending.skipped else ""),
        "",
        "| page | outcome | proposed | verified | supported | rejected | reported | tokens in | tokens out | USD |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_row(name, result) for name, result in results.items()),
        "",
    ]
