"""The rules as a list: for `GET /rules` and for docs/rules.md."""

from collections.abc import Mapping

from analyzer.rules.policy import Policy, load
from analyzer.rules.registry import RULES
from analyzer.rules.rule import ALL, Rule
from contracts.result import Grade, LiftFactor, PageType
from contracts.wire import Wire


class RuleEntry(Wire):
    """One rule as the catalogue shows it."""

    id: str
    definition: str
    category: str
    lift_factor: LiftFactor
    evidence_grade: Grade
    sources: list[str]
    page_types: list[PageType]
    viewports: str
    unit: str
    thresholds: dict[str, float]
    weight: float
    severity: dict[str, str]
    scored: bool


class Catalogue(Wire):
    """All rules of one version."""

    rules_version: str
    rules: list[RuleEntry]


def _entry(rule: Rule, policy: Policy) -> RuleEntry:
    numbers = policy.rules[rule.id]
    return RuleEntry(
        id=rule.id,
        definition=rule.definition,
        category=rule.category,
        lift_factor=rule.factor,
        evidence_grade=rule.grade,
        sources=list(rule.sources),
        page_types=list(rule.types),
        viewports=rule.scope.value,
        unit=rule.unit,
        thresholds=dict(numbers.limits),
        weight=numbers.weight,
        severity={key: value.value for key, value in numbers.severity.items()},
        scored=not rule.indicative,
    )


def catalogue() -> Catalogue:
    """List every rule with its numbers."""
    policy = load()
    return Catalogue(rules_version=policy.version, rules=[_entry(rule, policy) for rule in RULES])


_HEAD = """\
# Rules

<!-- Written by `python -m analyzer.catalogue`; change the rules, not this file. -->

Version {version}: {count} rules. Each says fail, warn, pass, not applicable or error in each viewport, with the
measured value, the threshold and the elements. The same page always gets the same verdicts.

**Evidence.** A: a standard or a plain fact. B: a published study or benchmark. C: a convention of practitioners.

**Score.** 100 minus the sum of weight × severity × reach × grade over all findings of rules, in all and by LIFT factor;
the result lists every step. Severity: {severity}. Reach: {reach}. Grade C counts half, and all findings of grade C
together take at most {most:g} points. Indicative rules are shown and never scored. Findings of the model are not scored:
the same page gets the same score with and without it.

**Severity** comes from a table by rule (or variant of its problem), page type and reach, never from the model.
"""


def _numbers(values: Mapping[str, float | str]) -> str:
    return ", ".join(
        f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in values.items()
    )


def _paragraph(entry: RuleEntry) -> str:
    kinds = "all" if len(entry.page_types) == len(ALL) else ", ".join(entry.page_types)
    rows = {
        "Page types": kinds,
        "Viewports": {"each": "each by itself", "mobile": "phone", "page": "once for the page"}[entry.viewports],
        "Factor": entry.lift_factor.value.replace("_", " "),
        "Evidence": f"{entry.evidence_grade}: {'; '.join(entry.sources)}",
        "Thresholds": _numbers(dict(entry.thresholds)) or "none",
        "Severity": _numbers(dict(entry.severity)),
        "Weight": f"{entry.weight:g}" if entry.scored else "indicative, never scored",
    }
    return "\n".join(
        [f"### {entry.id}", "", entry.definition, "", *(f"- {key}: {value}" for key, value in rows.items())]
    )


def markdown() -> str:
    """Write docs/rules.md."""
    policy, listed = load(), catalogue()
    head = _HEAD.format(
        version=listed.rules_version,
        count=len(listed.rules),
        severity=_numbers({key.value: value for key, value in policy.severity_factor.items()}),
        reach=_numbers({key.value: value for key, value in policy.reach_factor.items()}),
        most=policy.most_points_of_grade_c,
    )
    parts = [head.rstrip("\n")]
    category = ""
    for entry in listed.rules:
        if entry.category != category:
            category = entry.category
            parts.append(f"## {category.capitalize()}")
        parts.append(_paragraph(entry))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")  # noqa: T201  # its standard output is the file
