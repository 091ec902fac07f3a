"""Runs every rule on every viewport. What breaks inside a rule stays inside that rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from analyzer.rules import opinion
from analyzer.rules.policy import Policy
from analyzer.rules.rule import Rule, Scope, Verdict, rank, skip, worst
from analyzer.view import View
from contracts.geometry import ViewportName
from contracts.result import Outcome, RuleResult

log = structlog.get_logger(__name__)

RULE_FAILED = "rule_failed"
_MOST_IDS = 50


@dataclass(frozen=True)
class Said:
    """What a rule said in one viewport. `view` is the viewport that decided, for rules about the whole page."""

    rule: Rule
    view: View
    verdicts: tuple[Verdict, ...]


def _apply(rule: Rule, view: View, policy: Policy) -> Said:
    if view.type not in rule.types:
        return Said(rule, view, tuple(skip(f"Not a rule for {view.type} pages")))
    try:
        verdicts = opinion.weighed(rule.id, view, rule.check(view, policy.rules[rule.id].limits))
    except Exception as exc:  # the outermost loop of rules: one broken rule must not take the report
        log.exception(RULE_FAILED, rule=rule.id, viewport=view.name.value)
        verdicts = [Verdict(Outcome.ERROR, detail=type(exc).__name__)]
    return Said(rule, view, tuple(verdicts))


def _views(rule: Rule, views: Mapping[ViewportName, View]) -> list[View]:
    if rule.scope is Scope.MOBILE:
        return [view for view in views.values() if view.mobile]
    return list(views.values())


def _best(said: Sequence[Said]) -> Said:
    sound = [one for one in said if worst_of(one).outcome is not Outcome.ERROR]
    applicable = [one for one in sound if worst_of(one).outcome is not Outcome.NOT_APPLICABLE]
    return min(applicable or sound or said, key=lambda one: _severity(worst_of(one)))


def _severity(verdict: Verdict) -> int:
    return -1 if verdict.outcome is Outcome.ERROR else rank(verdict.outcome)


def worst_of(said: Said) -> Verdict:
    """Return the verdict that decides the rule's outcome."""
    broken = [verdict for verdict in said.verdicts if verdict.outcome is Outcome.ERROR]
    return broken[0] if broken else worst(list(said.verdicts))


def run(rules: Sequence[Rule], views: Mapping[ViewportName, View], policy: Policy) -> list[Said]:
    """Apply every rule. A rule about the whole page says one thing: that of the viewport where it does best."""
    everything: list[Said] = []
    for rule in rules:
        said = [_apply(rule, view, policy) for view in _views(rule, views)]
        everything += [_best(said)] if rule.scope is Scope.PAGE and said else said
    return everything


def _thresholds(limits: Mapping[str, float]) -> list[float | str]:
    return [limits[name] for name in ("warn", "fail") if name in limits]


def result(said: Said, policy: Policy) -> RuleResult:
    """Describe what a rule said for the result document."""
    verdict = worst_of(said)
    shown = [proof.element.id for one in said.verdicts for proof in one.proofs if proof.element is not None]
    return RuleResult(
        id=said.rule.id,
        viewport=said.view.name,
        outcome=verdict.outcome,
        value=verdict.value,
        unit=said.rule.unit,
        threshold=_thresholds(policy.rules[said.rule.id].limits),
        reliability=verdict.reliability,
        element_ids=list(dict.fromkeys(shown))[:_MOST_IDS],
        detail=verdict.detail or (verdict.variant if verdict.outcome in {Outcome.FAIL, Outcome.WARN} else ""),
    )
