"""From a model's answer to findings: what survives the checks, what joins a rule's finding, what is dropped and why."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from analyzer.fingerprint import finding_id, fingerprint
from analyzer.judged import JudgedPage
from analyzer.judging.answer import Answer, SectionAnswer
from analyzer.judging.canaries import holds_instructions
from analyzer.judging.claims import plain
from analyzer.judging.fact_table import SentPage, SentSection
from analyzer.judging.grounding import Grounded, Verdict, ground, overreach
from analyzer.judging.page_text import comparable
from analyzer.judging.prompts import MAX_PER_PAGE, MAX_PER_SECTION
from analyzer.judging.questions import SECTION_TYPES
from analyzer.judging.severities import rank, severity
from contracts.result import Evidence, Finding, Grade, Reach, Suggestion

_SUMMARY_CHARACTERS = 200
_MAX_STRENGTHS = 5
_NEAR = 0.5
"""Share of common words from which two texts count as saying the same."""
_CONFIDENCE = ("high", "medium", "low")
_KEPT = (Verdict.VERIFIED, Verdict.SUPPORTED, Verdict.MERGED)


@dataclass(frozen=True)
class Verified:
    """What is left of an answer. `verdicts` counts every proposal once."""

    findings: tuple[Finding, ...] = ()
    merged: Mapping[str, str] = field(default_factory=dict)
    summaries: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    strengths: tuple[str, ...] = ()
    verdicts: Mapping[Verdict, int] = field(default_factory=dict)
    supported: int = 0

    @property
    def proposed(self) -> int:
        """Return how many findings the model proposed."""
        return sum(self.verdicts.values())

    @property
    def rejected(self) -> int:
        """Return how many of them were dropped."""
        return sum(count for verdict, count in self.verdicts.items() if verdict not in _KEPT)


def verify(answer: Answer, sent: SentPage, page: JudgedPage, *, suspicious: bool) -> Verified:
    """Check an answer against what was sent of `page`. `suspicious`: nothing counts as more than supported."""
    verdicts: Counter[Verdict] = Counter()
    merged: dict[str, str] = {}
    fresh: list[Grounded] = []
    supported = 0
    for one in _grounded(answer, sent, verdicts):
        rule = _same(one, page.findings)
        refused = overreach(one, rule)
        if rule is not None and refused is None and rule.id not in merged:
            merged[rule.id] = f"{one.observation} {one.why}".strip()
            verdicts[Verdict.MERGED] += 1
            supported += suspicious or not one.proven
        elif rule is not None or refused is not None:
            verdicts[refused or Verdict.DUPLICATE] += 1
        else:
            fresh.append(one)
    findings = [_finding(one, page.analysis_id, suspicious=suspicious) for one in _capped(fresh, verdicts)]
    verdicts.update(Verdict(finding.verification) for finding in findings)
    known = {part.section_id: part for part in reversed(answer.sections) if part.section_id in sent.sections}
    return Verified(
        findings=tuple(findings),
        merged=merged,
        summaries={key: text for key, part in known.items() if (text := _said(part.summary))},
        types={key: part.type for key, part in known.items() if part.type in SECTION_TYPES},
        strengths=tuple(filter(None, map(_said, answer.page.strengths)))[:_MAX_STRENGTHS],
        verdicts=verdicts,
        supported=supported + verdicts[Verdict.SUPPORTED],
    )


def _said(text: str) -> str:
    return "" if holds_instructions(text) else plain(text, _SUMMARY_CHARACTERS)


def _grounded(answer: Answer, sent: SentPage, verdicts: Counter[Verdict]) -> Iterator[Grounded]:
    for part in answer.sections:
        section = sent.sections.get(part.section_id)
        if section is None:
            verdicts[Verdict.UNKNOWN_SECTION] += len(part.findings)
        else:
            yield from _of_section(part, section, verdicts)


def _of_section(part: SectionAnswer, section: SentSection, verdicts: Counter[Verdict]) -> Iterator[Grounded]:
    for proposal in part.findings:
        outcome = ground(proposal, section, part.type)
        if isinstance(outcome, Grounded):
            yield outcome
        else:
            verdicts[outcome] += 1


def _same(one: Grounded, rule_findings: Sequence[Finding]) -> Finding | None:
    """Return the rule's finding that this one explains: named by its rule at the same place, or in the same words."""
    viewport = one.sent.section.viewport.value
    selectors = {sent.element.selector for sent in one.elements}
    for finding in rule_findings:
        if finding.viewport not in {Reach.BOTH, viewport}:
            continue
        shown = {proof.selector for proof in finding.evidence if proof.selector}
        touches = not shown or not selectors or bool(shown & selectors)
        here = finding.section_id in {"", one.sent.section.id} or bool(shown & selectors)
        if touches and here and set(one.proposal.related_rule_ids) & set(finding.rule_ids):
            return finding
        if shown & selectors and _overlap(one.observation, f"{finding.title} {finding.description}") >= _NEAR:
            return finding
    return None


def _overlap(one: str, other: str) -> float:
    left, right = set(comparable(one).split()), set(comparable(other).split())
    return len(left & right) / max(1, min(len(left), len(right)))


def _capped(fresh: Sequence[Grounded], verdicts: Counter[Verdict]) -> Iterator[Grounded]:
    """Yield the most important ones, each question once in a section, within the caps."""
    seen: set[tuple[str, str]] = set()
    per_section: Counter[str] = Counter()
    for one in sorted(fresh, key=_importance):
        section_id = one.sent.section.id
        if (section_id, one.question.id) in seen:
            verdicts[Verdict.DUPLICATE] += 1
        elif len(seen) == MAX_PER_PAGE or per_section[section_id] == MAX_PER_SECTION:
            verdicts[Verdict.OVER_CAP] += 1
        else:
            seen.add((section_id, one.question.id))
            per_section[section_id] += 1
            yield one


def _importance(one: Grounded) -> tuple[int, int]:
    confidence = one.proposal.confidence
    return rank(severity(one.question, confidence)), _CONFIDENCE.index(confidence)


def _finding(one: Grounded, analysis_id: str, *, suspicious: bool) -> Finding:
    section = one.sent.section
    mark = fingerprint("ai", one.question.id, section.id)
    return Finding(
        id=finding_id(analysis_id, mark),
        fingerprint=mark,
        source="ai",
        question_id=one.question.id,
        category=one.question.category,
        lift_factor=one.proposal.lift_factor,
        severity=severity(one.question, one.proposal.confidence),
        confidence=one.proposal.confidence,
        evidence_grade=Grade.C,
        verification="verified" if one.proven and not suspicious else "supported",
        section_id=section.id,
        viewport=Reach(section.viewport.value),
        title=one.question.title,
        description=f"{one.observation} {one.why}".strip(),
        evidence=list(_evidence(one)),
        suggestion=Suggestion(
            summary=one.suggestion,
            current=one.quote,
            proposed=one.rewrite,
            effort=one.proposal.effort,
            hypothesis=_hypothesis(one),
        ),
    )


def _hypothesis(one: Grounded) -> str:
    change = one.suggestion.rstrip(".!")
    because = f", because {one.why[0].lower()}{one.why[1:].rstrip('.!')}" if one.why else ""
    return f"If we {change[0].lower()}{change[1:]}, then {one.question.effect}{because}."


def _evidence(one: Grounded) -> Iterator[Evidence]:
    section = one.sent.section
    said = comparable(one.quote)
    if one.quote:
        holder = next((sent.element for sent in one.elements if said in comparable(sent.text)), None)
        yield Evidence(
            kind="quote",
            viewport=section.viewport,
            text=one.quote,
            selector=holder.selector if holder else "",
            element_id=holder.id if holder else "",
            box=holder.box if holder else section.box,
            asset_key=section.asset_key,
        )
    for sent in one.elements:
        yield Evidence(
            kind="element",
            viewport=section.viewport,
            selector=sent.element.selector,
            element_id=sent.element.id,
            text=sent.text,
            box=sent.element.box,
            asset_key=section.asset_key,
        )
    if not one.elements:
        box = one.box or section.box
        yield Evidence(kind="screenshot", viewport=section.viewport, box=box, asset_key=section.asset_key)
