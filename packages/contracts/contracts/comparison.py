"""Two analyses of one page beside each other: what was fixed, what is new, what stayed, what was measured anew."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from contracts.result import Analysis, Evidence, Finding, LiftFactor, Reach, Severity
from contracts.wire import Wire


class Compared(Wire):
    """A finding of one of the two analyses."""

    fingerprint: str
    finding_id: str
    rule_ids: list[str]
    source: Literal["rule", "ai", "both"]
    severity: Severity
    viewport: Reach
    title: str


class Changed(Compared):
    """A finding of both whose measure, severity or reach is another now."""

    metric: str = ""
    unit: str = ""
    value_before: float | str | None = None
    value_after: float | str | None = None
    severity_before: Severity
    viewport_before: Reach


class ScoreChange(Wire):
    """A score before and after; None where it was not judged."""

    before: int | None
    after: int | None


class Comparison(Wire):
    """Findings are the same where their fingerprints are. The later analysis is `after`."""

    before_id: str
    after_id: str
    url: str
    overall: ScoreChange
    by_factor: dict[LiftFactor, ScoreChange] = Field(default_factory=dict)
    fixed: list[Compared] = Field(default_factory=list)
    new: list[Compared] = Field(default_factory=list)
    changed: list[Changed] = Field(default_factory=list)
    unchanged: list[Compared] = Field(default_factory=list)
    not_compared: list[Compared] = Field(
        default_factory=list, description="findings that the other analysis could not have made"
    )
    notes: list[str] = Field(
        default_factory=list,
        description="what else differs: rules_version, thresholds, engine_mode, prompt_version, viewports, page_type",
    )


def _shown(finding: Finding) -> Compared:
    return Compared(
        fingerprint=finding.fingerprint,
        finding_id=finding.id,
        rule_ids=finding.rule_ids,
        source=finding.source,
        severity=finding.severity,
        viewport=finding.viewport,
        title=finding.title,
    )


def _measure(finding: Finding) -> Evidence | None:
    return next((one for one in finding.evidence if one.value is not None), None)


def _differs(before: Finding, after: Finding) -> bool:
    first, second = _measure(before), _measure(after)
    values = (first.metric, first.value) if first else None, (second.metric, second.value) if second else None
    return values[0] != values[1] or before.severity != after.severity or before.viewport != after.viewport


def _changed(before: Finding, after: Finding) -> Changed:
    first, second = _measure(before), _measure(after)
    return Changed(
        **dict(_shown(after)),
        metric=second.metric if second else "",
        unit=second.unit if second else "",
        value_before=first.value if first else None,
        value_after=second.value if second else None,
        severity_before=before.severity,
        viewport_before=before.viewport,
    )


def _judged(analysis: Analysis) -> frozenset[str]:
    return frozenset(rule.id for rule in analysis.rules if rule.outcome.value != "error")


def _comparable(finding: Finding, other: Analysis) -> bool:
    """Say whether the other analysis could have made this finding: it had the model, or the rule."""
    if finding.source == "ai":
        return other.engine.mode == "rules+ai"
    return bool(frozenset(finding.rule_ids) & _judged(other))


def _notes(before: Analysis, after: Analysis) -> list[str]:
    differs = {
        "rules_version": before.engine.rules_version != after.engine.rules_version,
        "thresholds": before.engine.overrides != after.engine.overrides,
        "engine_mode": before.engine.mode != after.engine.mode,
        "prompt_version": before.engine.prompt_version != after.engine.prompt_version,
        "viewports": before.capture.viewports != after.capture.viewports,
        "page_type": before.page.type != after.page.type,
    }
    return [name for name, is_other in differs.items() if is_other]


def _by_fingerprint(findings: Iterable[Finding]) -> dict[str, Finding]:
    return {finding.fingerprint: finding for finding in findings}


def _factors(before: Analysis, after: Analysis) -> dict[LiftFactor, ScoreChange]:
    first, second = before.scores.by_factor, after.scores.by_factor
    known = [factor for factor in LiftFactor if factor in first or factor in second]
    return {factor: ScoreChange(before=first.get(factor), after=second.get(factor)) for factor in known}


def compare(before: Analysis, after: Analysis) -> Comparison:
    """Compare two analyses of one page. That it is one page is the caller's to check."""
    old, new = _by_fingerprint(before.findings), _by_fingerprint(after.findings)
    gone = [finding for mark, finding in old.items() if mark not in new]
    come = [finding for mark, finding in new.items() if mark not in old]
    kept = [(old[mark], finding) for mark, finding in new.items() if mark in old]
    unsure = [f for f in gone if not _comparable(f, after)] + [f for f in come if not _comparable(f, before)]
    return Comparison(
        before_id=before.id,
        after_id=after.id,
        url=after.url.requested,
        overall=ScoreChange(before=before.scores.overall, after=after.scores.overall),
        by_factor=_factors(before, after),
        fixed=[_shown(finding) for finding in gone if _comparable(finding, after)],
        new=[_shown(finding) for finding in come if _comparable(finding, before)],
        changed=[_changed(first, second) for first, second in kept if _differs(first, second)],
        unchanged=[_shown(second) for first, second in kept if not _differs(first, second)],
        not_compared=[_shown(finding) for finding in unsure],
        notes=_notes(before, after),
    )
