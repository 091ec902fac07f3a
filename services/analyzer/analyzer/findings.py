"""From what the rules said to findings with proof: one for each problem, both viewports in one."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Literal

import structlog

from analyzer import geometry
from analyzer.fingerprint import finding_id, fingerprint
from analyzer.rules.engine import Said
from analyzer.rules.policy import Policy
from analyzer.rules.rule import Proof, Verdict
from analyzer.view import View
from analyzer.wording.problem import Problem, clean
from analyzer.wording.registry import WORDINGS
from contracts.geometry import Box, ViewportName
from contracts.result import (
    Asset,
    Evidence,
    Finding,
    Outcome,
    Reliability,
    ResultSection,
    Suggestion,
)

log = structlog.get_logger(__name__)

WORDING_FAILED = "wording_failed"
_MOST_EVIDENCE = 5
_CONFIDENCE: dict[Reliability, Literal["high", "medium", "low"]] = {
    Reliability.MEASURED: "high",
    Reliability.ESTIMATED: "medium",
    Reliability.INDICATIVE: "low",
}


@dataclass(frozen=True)
class Places:
    """Where boxes can be looked up: the stored pictures and the sections."""

    analysis_id: str
    assets: Sequence[Asset] = ()
    sections: Sequence[ResultSection] = ()

    def asset_key(self, viewport: ViewportName, box: Box | None) -> str:
        """Return the full-page picture of this viewport that shows the box."""
        for asset in self.assets:
            if asset.kind == "full" and asset.viewport is viewport and box is not None:
                return asset.key if asset.box is None or geometry.overlap(asset.box, box) > 0 else ""
        return ""

    def section_id(self, viewport: ViewportName, box: Box | None) -> str:
        """Return the section in which the box's middle lies."""
        if box is None:
            return ""
        inside = (s.id for s in self.sections if s.viewport is viewport and geometry.centre_in(s.box, box))
        return next(inside, "")


def problems(said: Sequence[Said]) -> list[Problem]:
    """Group warnings and failures by rule and variant, so that both viewports make one problem."""
    found: dict[tuple[str, str], dict[ViewportName, tuple[Said, Verdict]]] = {}
    for one in said:
        for verdict in one.verdicts:
            if verdict.outcome in {Outcome.FAIL, Outcome.WARN}:
                found.setdefault((one.rule.id, verdict.variant), {}).setdefault(one.view.name, (one, verdict))
    return [
        Problem(
            rule=next(iter(by_view.values()))[0].rule,
            variant=variant,
            said=tuple((one.view, verdict) for one, verdict in by_view.values()),
        )
        for (_, variant), by_view in found.items()
    ]


def _plain(value: float | str | None) -> float | str | None:
    if isinstance(value, str):
        return clean(value)[:200]
    return value if value is None or math.isfinite(value) else None


def _evidence(view: View, proof: Proof, reliability: Reliability, places: Places) -> Evidence:
    element = proof.element
    box = element.box if element else None
    text = proof.text or (element.text or element.name if element else "")
    return Evidence(
        kind="element" if element is not None and isinstance(proof.value, str) else "measurement",
        viewport=view.name,
        metric=proof.metric,
        value=_plain(proof.value),
        threshold=_plain(proof.threshold),
        unit=proof.unit,
        reliability=reliability,
        selector=element.selector if element else "",
        element_id=element.id if element else "",
        text=clean(text)[:200],
        box=box,
        asset_key=places.asset_key(view.name, box),
    )


def _proofs(problem: Problem) -> Iterator[tuple[View, Verdict, Proof]]:
    each = ([(view, verdict, proof) for proof in verdict.proofs] for view, verdict in problem.said)
    return (row for row in chain.from_iterable(zip_longest(*each)) if row is not None)


def _all_evidence(problem: Problem, places: Places) -> list[Evidence]:
    rows = [_evidence(view, proof, verdict.reliability, places) for view, verdict, proof in _proofs(problem)]
    return rows[:_MOST_EVIDENCE]


def _finding(problem: Problem, policy: Policy, places: Places) -> Finding:
    rule, words = problem.rule, WORDINGS[problem.rule.id](problem)
    subject = problem.said[0][1].subject
    mark = fingerprint(rule.id, problem.variant, subject)
    evidence = _all_evidence(problem, places)
    outcome, variant = problem.verdict.outcome.value, problem.variant
    kinds = (f"{variant}.{outcome}", variant, outcome) if variant else (outcome,)
    reliability = problem.verdict.reliability
    placed = next((one for one in evidence if one.box is not None), None)
    return Finding(
        id=finding_id(places.analysis_id, mark),
        fingerprint=mark,
        rule_ids=[rule.id],
        category=rule.category,
        lift_factor=rule.factor,
        heuristics=list(rule.heuristics),
        severity=policy.rules[rule.id].severity_of(kinds, problem.view.type, problem.reach),
        confidence=_CONFIDENCE[reliability],
        evidence_grade=rule.grade,
        section_id=places.section_id(placed.viewport, placed.box) if placed else "",
        viewport=problem.reach,
        title=words.title,
        description=words.description,
        evidence=evidence,
        suggestion=Suggestion(
            summary=words.summary,
            current=words.current,
            proposed=words.proposed,
            effort=words.effort,
            hypothesis=words.hypothesis,
        ),
        references=list(rule.sources),
    )


def build(said: Sequence[Said], policy: Policy, places: Places) -> tuple[list[Finding], frozenset[str]]:
    """Return the findings, and the ids of rules whose problem could not be put into words."""
    findings: list[Finding] = []
    broken: set[str] = set()
    for problem in problems(said):
        try:
            findings.append(_finding(problem, policy, places))
        except Exception:  # the outermost loop of rules: one broken text must not take the report
            log.exception(WORDING_FAILED, rule=problem.rule.id, variant=problem.variant)
            broken.add(problem.rule.id)
    return findings, frozenset(broken)
