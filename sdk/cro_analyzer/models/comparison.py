"""Two analyses of one page beside each other."""

from dataclasses import dataclass, field
from typing import Literal

from cro_analyzer.models.report import Reach, Severity


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A finding of one of the two analyses."""

    fingerprint: str
    finding_id: str
    rule_ids: list[str]
    source: Literal["rule", "ai", "both"]
    severity: Severity
    viewport: Reach
    title: str


@dataclass(frozen=True, kw_only=True)
class Changed(Compared):
    """A finding of both whose measure, severity or reach is another now."""

    metric: str = ""
    unit: str = ""
    value_before: float | str | None = None
    value_after: float | str | None = None
    severity_before: Severity
    viewport_before: Reach


@dataclass(frozen=True, kw_only=True)
class ScoreChange:
    """A score before and after; None where it was not judged."""

    before: int | None
    after: int | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Findings are the same where their fingerprints are. The later analysis is `after`."""

    before_id: str
    after_id: str
    url: str
    overall: ScoreChange
    by_factor: dict[str, ScoreChange] = field(default_factory=dict)
    fixed: list[Compared] = field(default_factory=list)
    new: list[Compared] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    unchanged: list[Compared] = field(default_factory=list)
    not_compared: list[Compared] = field(default_factory=list)
    """findings that the other analysis could not have made"""
    notes: list[str] = field(default_factory=list)
    """what else differs: rules_version, thresholds, engine_mode, prompt_version, viewports, page_type"""
