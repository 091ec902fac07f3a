"""Everything that was checked, by topic, with its outcome in each view."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.geometry import ViewportName
from contracts.result import Outcome, Reliability, RuleResult
from gateway.report import words
from gateway.report.measures import quantity
from gateway.report.untrusted import short


@dataclass(frozen=True)
class Verdict:
    """What one rule said in one view. `measured` is the value, `detail` what else it said."""

    outcome: Outcome
    word: str
    measured: str
    detail: str


@dataclass(frozen=True)
class Check:
    """One rule with its verdict in each view (None: not run there)."""

    id: str
    name: str
    verdicts: list[tuple[str, Verdict | None]]


@dataclass(frozen=True)
class Topic:
    """Rules about the same thing."""

    name: str
    checks: list[Check]


@dataclass(frozen=True)
class Checks:
    """All rules, and how many verdicts there are of each kind, in words."""

    topics: list[Topic]
    total: int
    counts: list[tuple[Outcome, str, int]]
    views: list[str]


def checks(results: Sequence[RuleResult]) -> Checks:
    """Arrange the rules' verdicts in a table."""
    views = [v for v in ViewportName if any(r.viewport is v for r in results)]
    verdicts: dict[str, dict[ViewportName, Verdict]] = {}
    for result in results:
        verdicts.setdefault(result.id, {})[result.viewport] = _verdict(result)
    topics: dict[str, list[Check]] = {}
    for rule_id in sorted(verdicts):
        row = [(words.VIEWPORTS[v], verdicts[rule_id].get(v)) for v in views]
        topics.setdefault(rule_id.partition(".")[0], []).append(Check(rule_id, words.rule(rule_id), row))
    count = Counter(result.outcome for result in results)
    return Checks(
        topics=[Topic(words.category(name), rows) for name, rows in _in_words_order(topics)],
        total=len(verdicts),
        counts=[(outcome, words.OUTCOME_COUNTS[outcome], count[outcome]) for outcome in Outcome if count[outcome]],
        views=[words.VIEWPORTS[v] for v in views],
    )


def _in_words_order(topics: dict[str, list[Check]]) -> list[tuple[str, list[Check]]]:
    order = {name: place for place, name in enumerate(words.CATEGORIES)}
    return sorted(topics.items(), key=lambda topic: order.get(topic[0], len(order)))


def _verdict(result: RuleResult) -> Verdict:
    measured = "" if result.value is None else quantity(result.value, result.unit)
    if measured and result.threshold:
        measured += " (limit " + " / ".join(quantity(limit, result.unit) for limit in result.threshold) + ")"
    if measured and result.reliability is not Reliability.MEASURED:
        measured += f", {result.reliability}"
    return Verdict(result.outcome, words.OUTCOMES[result.outcome], short(measured, 160), short(result.detail, 240))
