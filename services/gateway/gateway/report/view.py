"""What the report's template shows, worked out from the result document and the page's pictures."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.geometry import Box, ViewportName
from contracts.result import Analysis, Finding, LiftFactor, Severity
from gateway.report import pictures, provenance, words
from gateway.report.arithmetic import Arithmetic, arithmetic, costs
from gateway.report.checks import Checks, checks
from gateway.report.finding import FindingView, Reference, boxes, finding_view, in_order
from gateway.report.marks import SPACE, Mark, Place, marks
from gateway.report.pictures import Picture, Shot
from gateway.report.untrusted import host, web_address

MAX_FINDINGS = 200
_FULL_PIXELS = {ViewportName.DESKTOP: 1440, ViewportName.MOBILE: 560}
_LEAST_COLUMNS = {ViewportName.DESKTOP: 2, ViewportName.MOBILE: 4}
_MAX_COLUMNS = 6
_PAPER_MM = (180, 222)
_GAP_MM = 3.4
_SCREEN_PIXELS = {ViewportName.DESKTOP: 1120, ViewportName.MOBILE: 420}


@dataclass(frozen=True)
class PageView:
    """The whole page in one view, with marks. Lengths are CSS pixels; `slices` (top, height) are for paper."""

    viewport: ViewportName
    name: str
    picture: Picture
    marks: list[Mark]
    width: float
    height: float
    radius: float
    columns: int
    slices: list[tuple[float, float]]


@dataclass(frozen=True)
class Factor:
    """A LIFT factor's score, 0 to 100."""

    name: str
    question: str
    score: int


@dataclass(frozen=True)
class ReportView:
    """Everything that the template needs."""

    analysis: Analysis
    title: str
    host: str
    url: Reference
    taken_at: str
    generated_at: str
    page_type: str
    verdict: str
    factors: list[Factor]
    counts: list[tuple[Severity, str, int]]
    findings: list[FindingView]
    left_out: int
    costliest: list[FindingView]
    screens: list[tuple[ViewportName, str, Picture]]
    pages: list[PageView]
    arithmetic: Arithmetic
    checks: Checks
    shortcomings: list[str]
    details: list[tuple[str, str]]
    grades: list[tuple[str, str, str]]


def report_view(analysis: Analysis, taken: Mapping[str, bytes], generated_at: datetime) -> ReportView:
    """Work out everything that the report shows."""
    cost = costs(analysis.scores)
    ordered = in_order(analysis.findings, cost)
    shots = _shots(analysis, taken)
    pages = [_page(viewport, shot, ordered[:MAX_FINDINGS]) for viewport, shot in shots.items()]
    pins = {(mark.number, page.viewport): mark.id for page in pages for mark in reversed(page.marks)}
    shown = [finding_view(n, f, cost.get(f.id, 0.0), shots, pins) for n, f in enumerate(ordered[:MAX_FINDINGS], 1)]
    return ReportView(
        analysis=analysis,
        title=analysis.page.title.strip() or host(analysis.url.final),
        host=host(analysis.url.final),
        url=Reference(analysis.url.final, web_address(analysis.url.final)),
        taken_at=provenance.moment_of(analysis.capture.at),
        generated_at=provenance.moment(generated_at),
        page_type=words.PAGE_TYPES[analysis.page.type],
        verdict=words.verdict(analysis.scores.overall) if analysis.scores.scored else analysis.scores.note,
        factors=_factors(analysis),
        counts=_counts(analysis.findings),
        findings=shown,
        left_out=len(ordered) - len(shown),
        costliest=sorted((f for f in shown if f.points < 0), key=lambda f: f.points)[:3],
        screens=_screens(analysis, taken, shots),
        pages=pages,
        arithmetic=arithmetic(analysis.scores, analysis.findings, {f.finding.id: f.number for f in reversed(shown)}),
        checks=checks(analysis.rules),
        shortcomings=provenance.shortcomings(analysis, shots),
        details=provenance.details(analysis),
        grades=[(grade, *text) for grade, text in words.GRADES.items()],
    )


def _shots(analysis: Analysis, taken: Mapping[str, bytes]) -> dict[ViewportName, Shot]:
    found = ((viewport, pictures.shot(analysis.capture.assets, "full", viewport, taken)) for viewport in ViewportName)
    return {viewport: shot for viewport, shot in found if shot is not None}


def _page(viewport: ViewportName, shot: Shot, ordered: Sequence[Finding]) -> PageView:
    columns = _columns(shot.box, _LEAST_COLUMNS[viewport])
    places = [Place(number, box) for number, f in enumerate(ordered, 1) for box in boxes(f, viewport)]
    return PageView(
        viewport=viewport,
        name=words.VIEWPORTS[viewport],
        picture=pictures.picture(shot, width=_FULL_PIXELS[viewport], quality=70),
        marks=marks(places, shot.box, viewport),
        width=shot.box.width,
        height=shot.box.height,
        radius=shot.box.width * SPACE[viewport] * 0.46,
        columns=columns,
        slices=_slices(shot.box, columns),
    )


def _columns(shown: Box, least: int) -> int:
    """Count the columns that show a whole page on one sheet of paper, but at least `least`."""
    return next((n for n in range(least, _MAX_COLUMNS) if n * _tallest(shown, n) >= shown.height), _MAX_COLUMNS)


def _tallest(shown: Box, columns: int) -> float:
    width_mm = (_PAPER_MM[0] - _GAP_MM * (columns - 1)) / columns
    return shown.width * _PAPER_MM[1] / width_mm


def _slices(shown: Box, columns: int) -> list[tuple[float, float]]:
    count = max(1, math.ceil(shown.height / _tallest(shown, columns)))
    return [(shown.height / count * n, shown.height / count) for n in range(count)]


def _screens(
    analysis: Analysis, taken: Mapping[str, bytes], full: Mapping[ViewportName, Shot]
) -> list[tuple[ViewportName, str, Picture]]:
    found = []
    for viewport in ViewportName:
        shot = pictures.shot(analysis.capture.assets, "first_screen", viewport, taken)
        if shot is None and viewport in full:
            shot = pictures.first_screen(full[viewport], viewport)
        if shot is not None:
            small = pictures.picture(shot, width=_SCREEN_PIXELS[viewport], quality=74)
            found.append((viewport, words.VIEWPORTS[viewport], small))
    return found


def _factors(analysis: Analysis) -> list[Factor]:
    scores = analysis.scores.by_factor
    return [Factor(*words.FACTORS[factor], scores[factor]) for factor in LiftFactor if factor in scores]


def _counts(findings: Sequence[Finding]) -> list[tuple[Severity, str, int]]:
    count = Counter(f.severity for f in findings)
    return [(severity, words.SEVERITIES[severity], count[severity]) for severity in Severity]
