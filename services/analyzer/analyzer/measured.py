"""A page put through the rules: everything that needs no network and no model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analyzer import findings, labels, strengths, view
from analyzer.rules import engine
from analyzer.rules.policy import Policy
from analyzer.rules.registry import RULES
from analyzer.rules.rule import Rule, Verdict
from analyzer.view import View
from contracts.facts import PageFacts
from contracts.geometry import ViewportName
from contracts.render import Section
from contracts.result import Asset, Finding, LiftFactor, Outcome, Reliability, ResultSection, RuleResult

_JUDGED = frozenset({Outcome.PASS, Outcome.WARN, Outcome.FAIL})


@dataclass(frozen=True)
class Measured:
    """What the rules made of a page. `judged` are the factors for which at least one scored rule applied."""

    views: Mapping[ViewportName, View]
    sections: tuple[ResultSection, ...]
    findings: tuple[Finding, ...]
    rules: tuple[RuleResult, ...]
    strengths: tuple[str, ...]
    judged: frozenset[LiftFactor]


def viewport_name(section: Section) -> ViewportName:
    """Return which visitor a section was cut for."""
    return ViewportName.MOBILE if section.viewport.mobile else ViewportName.DESKTOP


def section_ids(sections: Sequence[Section]) -> list[str]:
    """Return an id for each section that is its own in the document: a phone's section may share the desktop's hash."""
    taken: set[str] = set()
    ids = []
    for section in sections:
        base = f"{section.id}-m" if section.viewport.mobile else section.id
        unique, number = base, 2
        while unique in taken:
            unique, number = f"{base}-{number}", number + 1
        taken.add(unique)
        ids.append(unique)
    return ids


def _types(sections: Sequence[Section], views: Mapping[ViewportName, View]) -> dict[int, str]:
    found: dict[int, str] = {}
    for name, one in views.items():
        places = [place for place, section in enumerate(sections) if viewport_name(section) is name]
        places.sort(key=lambda place: sections[place].box.y)
        found.update(zip(places, labels.label([sections[place] for place in places], one), strict=True))
    return found


def _sections(
    sections: Sequence[Section], views: Mapping[ViewportName, View], keys: Mapping[str, str]
) -> tuple[ResultSection, ...]:
    ids, types = section_ids(sections), _types(sections, views)
    return tuple(
        ResultSection(
            id=ids[place],
            type=types[place],
            viewport=viewport_name(section),
            box=section.box,
            asset_key=keys.get(section.artifact, section.artifact),
            heading=section.heading,
            sampled=section.sampled or None,
        )
        for place, section in enumerate(sections)
        if place in types
    )


def _result(said: engine.Said, broken: frozenset[str], policy: Policy) -> RuleResult:
    result = engine.result(said, policy)
    return result.model_copy(update={"outcome": Outcome.ERROR}) if said.rule.id in broken else result


@dataclass(frozen=True)
class Pixels:
    """The render's pictures and sections, as the result names them."""

    analysis_id: str
    sections: tuple[Section, ...] = ()
    assets: tuple[Asset, ...] = ()
    keys: Mapping[str, str] | None = None


def _counts(verdict: Verdict) -> bool:
    return verdict.outcome in _JUDGED and verdict.reliability is not Reliability.INDICATIVE


def measure(
    facts: Mapping[ViewportName, PageFacts], pixels: Pixels, policy: Policy, rules: Sequence[Rule] = RULES
) -> Measured:
    """Apply the rules to a page. CPU-bound: run it in a thread."""
    views = view.build(facts)
    sections = _sections(pixels.sections, views, pixels.keys or {})
    said = engine.run(rules, views, policy)
    found, broken = findings.build(said, policy, findings.Places(pixels.analysis_id, pixels.assets, sections))
    results = tuple(_result(one, broken, policy) for one in said)
    judged = {one.rule.factor for one in said if _counts(engine.worst_of(one))}
    return Measured(views, sections, tuple(found), results, tuple(strengths.strengths(said)), frozenset(judged))
