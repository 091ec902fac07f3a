"""Real pages: what the rules report against what a person found, and whether a second run says the same."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from analyzer.measured import Measured, Pixels, measure
from analyzer.rules import engine
from analyzer.rules.policy import load
from analyzer.rules.registry import RULES
from contracts.result import Finding, Outcome
from evals.rendering import Rendered, each, studio
from tests.fixtures import pages

LABELS = Path(__file__).with_name("real.toml")


@dataclass
class Score:
    """One page's count."""

    right: list[str] = field(default_factory=list)
    false_alarms: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    type_right: bool = True
    stability: float = 1.0


@dataclass(frozen=True)
class Label:
    """What is known of a page."""

    type: str
    problems: frozenset[str]
    either: frozenset[str]


def labels() -> dict[str, Label]:
    """Read what a person found."""
    rows = tomllib.loads(LABELS.read_text(encoding="utf-8"))
    return {
        name: Label(row["type"], frozenset(row["problems"]), frozenset(row.get("either", ())))
        for name, row in rows.items()
    }


def reported(measured: Measured) -> set[str]:
    """Name what the rules reported: rule, or rule/variant. Lab figures of a shared machine are left out."""
    said = engine.run([rule for rule in RULES if not rule.indicative], measured.views, load())
    bad = {Outcome.FAIL, Outcome.WARN}
    return {
        f"{one.rule.id}/{verdict.variant}" if verdict.variant else one.rule.id
        for one in said
        for verdict in one.verdicts
        if verdict.outcome in bad
    }


def scored(label: Label, measured: Measured) -> Score:
    """Compare what was reported with the label."""
    found = reported(measured)
    allowed = label.problems | label.either
    first = next(iter(measured.views.values()))
    return Score(
        right=sorted(found & label.problems),
        false_alarms=sorted(found - allowed),
        missed=sorted(label.problems - found),
        type_right=first.type.value == label.type,
    )


def jaccard(first: tuple[Finding, ...], second: tuple[Finding, ...]) -> float:
    """Return how alike two runs are: shared fingerprints over all of them; lab figures left out."""
    scored_ = [{f.fingerprint for f in run if not f.rule_ids[0].startswith("perf.")} for run in (first, second)]
    union = scored_[0] | scored_[1]
    return len(scored_[0] & scored_[1]) / len(union) if union else 1.0


def measured(name: str, rendered: Rendered) -> Measured:
    """Apply the rules to a rendered page."""
    return measure(rendered.facts, Pixels(f"an_{name}", tuple(rendered.result.sections)), load())


async def render(times: int = 2) -> list[dict[str, Rendered]]:
    """Render the pages as analyses do, several times."""
    paths = {name: f"{pages.fetch(name).name}/index.html" for name in pages.PACKAGES}
    paths |= {name: pages.fetch_template(template) for name, template in pages.TEMPLATES.items()}
    server = pages.serve(pages.CACHE)
    host = f"127.0.0.1:{server.server_port}"
    urls = {name: f"http://{host}/{path}" for name, path in paths.items()}
    async with studio(host) as opened:
        runs = [await each(opened, urls) for _ in range(times)]
    server.shutdown()
    server.server_close()
    return runs


def judge(runs: list[dict[str, Rendered]]) -> dict[str, Score]:
    """Score the first run; compare it with the second."""
    scores = {}
    for name, label in labels().items():
        first, second = (measured(name, run[name]) for run in (runs[0], runs[-1]))
        scores[name] = scored(label, first)
        scores[name].stability = jaccard(first.findings, second.findings)
    return scores


def table(scores: Mapping[str, Score]) -> list[str]:
    """Write the counts, in Markdown."""
    right = sum(len(score.right) for score in scores.values())
    alarms = sum(len(score.false_alarms) for score in scores.values())
    missed = sum(len(score.missed) for score in scores.values())
    precision, recall = right / max(right + alarms, 1), right / max(right + missed, 1)
    lines = [
        "### Real pages",
        "",
        f"Precision {precision:.3f}, recall {recall:.3f} over {right + missed} labelled problems.",
        "",
        "| page | right | false alarms | missed | page type | same fingerprints in a second run |",
        "|---|---|---|---|---|---|",
    ]
    for name, score in scores.items():
        wrong, lost = ", ".join(score.false_alarms) or "none", ", ".join(score.missed) or "none"
        kind = "right" if score.type_right else "wrong"
        lines.append(f"| {name} | {len(score.right)} | {wrong} | {lost} | {kind} | {score.stability:.2f} |")
    return [*lines, ""]
