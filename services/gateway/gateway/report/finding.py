"""One finding as its card in the report shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.geometry import Box, ViewportName
from contracts.result import Finding, Severity
from gateway.report import words
from gateway.report.measures import Measure, Swatch, measures, swatch
from gateway.report.pictures import Picture, Shot, cutout
from gateway.report.untrusted import short, web_address

COLOURS = {
    Severity.CRITICAL: "#b3152f",
    Severity.HIGH: "#c04a0a",
    Severity.MEDIUM: "#8f6400",
    Severity.LOW: "#1f5f99",
    Severity.INFO: "#565d66",
}
"""Of boxes and numbers on pictures; `--critical` … `--info` of the style sheet's light scheme are the same."""

MAX_BOXES = 8
"""For one finding in one view: more would hide the page."""

_RANKS = {severity: place for place, severity in enumerate(Severity)}
_MAX_CUT = 40
_MAX_TARGETS = 5
_CODE_SIGNS = frozenset("<>{}=;")


@dataclass(frozen=True)
class Reference:
    """A source; `url` is empty where it is not a web address."""

    text: str
    url: str


@dataclass(frozen=True)
class Cutout:
    """The element in its surroundings. `name` is the view's."""

    name: str
    viewport: ViewportName
    picture: Picture


@dataclass(frozen=True)
class Target:
    """An element that a finding is about."""

    text: str
    selector: str


@dataclass(frozen=True)
class Change:
    """One side of a suggestion: what is, or what should be."""

    text: str
    is_code: bool
    swatch: Swatch | None


@dataclass(frozen=True)
class FindingView:
    """A finding with its number. `jumps` are the names of views with the ids of the finding's first number there."""

    number: int
    rank: int
    finding: Finding
    severity: str
    severity_meaning: str
    where: str
    grade: str
    grade_meaning: str
    effort: str
    notes: list[str]
    rules: list[str]
    measures: list[Measure]
    targets: list[Target]
    more_targets: int
    cutouts: list[Cutout]
    jumps: list[tuple[str, str]]
    current: Change | None
    proposed: Change | None
    references: list[Reference]
    points: float


def finding_view(
    number: int,
    finding: Finding,
    points: float,
    shots: Mapping[ViewportName, Shot],
    pins: Mapping[tuple[int, ViewportName], str],
) -> FindingView:
    """Work out a finding's card. `pins` has the id of the number on the picture by finding and view."""
    grade, meaning = words.GRADES[finding.evidence_grade]
    found = _targets(finding)
    return FindingView(
        number=number,
        rank=_RANKS[finding.severity],
        finding=finding,
        severity=words.SEVERITIES[finding.severity],
        severity_meaning=words.SEVERITY_MEANINGS[finding.severity],
        where=words.REACHES[finding.viewport],
        grade=grade,
        grade_meaning=meaning,
        effort=words.EFFORTS[finding.suggestion.effort],
        notes=_notes(finding),
        rules=[words.rule(rule) for rule in finding.rule_ids],
        measures=measures(finding.evidence),
        targets=found[:_MAX_TARGETS],
        more_targets=max(0, len(found) - _MAX_TARGETS),
        cutouts=_cutouts(finding, shots) if number <= _MAX_CUT else [],
        jumps=[(words.VIEWPORTS[v], pins[number, v]) for v in ViewportName if (number, v) in pins],
        current=_change(finding.suggestion.current),
        proposed=_change(finding.suggestion.proposed),
        references=[Reference(text, web_address(text)) for text in finding.references],
        points=points,
    )


def boxes(finding: Finding, viewport: ViewportName) -> list[Box]:
    """List where a finding's evidence lies in one view."""
    found = (e.box for e in finding.evidence if e.viewport is viewport and e.box is not None)
    return list(dict.fromkeys(found))[:MAX_BOXES]


def _targets(finding: Finding) -> list[Target]:
    found = (Target(short(e.text, 240), short(e.selector, 300)) for e in finding.evidence)
    return list(dict.fromkeys(t for t in found if t.text or t.selector))


def _notes(finding: Finding) -> list[str]:
    said = (
        words.SOURCES[finding.source],
        words.CONFIDENCES[finding.confidence],
        "A judgement: the place is proven, the opinion is not" if finding.verification == "supported" else "",
        words.STATUSES[finding.status],
    )
    return [note for note in said if note]


def _cutouts(finding: Finding, shots: Mapping[ViewportName, Shot]) -> list[Cutout]:
    cut = (
        (viewport, cutout(shot, boxes(finding, viewport), viewport, COLOURS[finding.severity]))
        for viewport, shot in shots.items()
    )
    return [Cutout(words.VIEWPORTS[viewport], viewport, picture) for viewport, picture in cut if picture is not None]


def _change(text: str) -> Change | None:
    if not text.strip():
        return None
    return Change(text=text, is_code=not _CODE_SIGNS.isdisjoint(text), swatch=swatch(text))


def in_order(findings: Sequence[Finding], cost: Mapping[str, float]) -> list[Finding]:
    """Sort findings: the most severe first, and of those the one that costs most."""
    return sorted(findings, key=lambda f: (_RANKS[f.severity], cost.get(f.id, 0.0)))
