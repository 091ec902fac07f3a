"""A second opinion on what rules say, by axe-core, where the renderer asked it.

How disagreement is resolved:

- A rule finds fault with elements, and axe-core, which looked at the whole page, has nothing against any of them and is
  not unsure: the finding stays, as an estimate (medium confidence), and says so. Our measure blends opacity and layers
  that axe-core does not; axe-core knows exceptions that we do not.
- A rule passes or does not apply, and axe-core is certain of a violation on an element of our table: for names (labels,
  alternative texts) axe-core is right, because it computes accessible names by the whole standard. For contrast and
  sizes our measure stands, and the result mentions the difference.
- Where both find fault, the finding says that axe-core confirms it.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from analyzer.rules.rule import Proof, Verdict
from analyzer.view import View
from contracts.facts import Axe, AxeCheck, Element
from contracts.result import Outcome, Reliability

CHECKS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "cta.text_contrast": frozenset({"color-contrast"}),
        "copy.text_contrast": frozenset({"color-contrast"}),
        "cta.target_size": frozenset({"target-size"}),
        "form.labels": frozenset({"label", "select-name"}),
        "media.alt": frozenset({"image-alt", "input-image-alt"}),
    }
)
"""Which of axe-core's rules measure the same as ours."""

CONFIRMED = "axe-core confirms it"
ALONE = "axe-core finds no fault here"
OTHERS = "axe-core finds fault elsewhere"

_NAMES = frozenset({"form.labels", "media.alt"})
_BAD = frozenset({Outcome.FAIL, Outcome.WARN})
_OTHER_QUESTIONS = frozenset({"placeholder", "untied"})
"""Variants that axe-core does not judge: to it, a placeholder is a name."""

_METRIC = {"form.labels": ("label", "none", "label"), "media.alt": ("alt", "missing", "alt text")}


def _ids(checks: list[AxeCheck], *, unsure: bool) -> set[str]:
    targets = (target for check in checks for target in (check.unsure_targets if unsure else check.targets))
    return {target.element_id for target in targets if target.element_id}


def _with(verdict: Verdict, note: str) -> Verdict:
    return replace(verdict, detail=verdict.detail or note)


def _checked(verdict: Verdict, wrong: set[str], unsure: set[str]) -> Verdict:
    own = {proof.element.id for proof in verdict.proofs if proof.element is not None}
    if not own or verdict.outcome not in _BAD or verdict.variant in _OTHER_QUESTIONS:
        return verdict
    if own & wrong:
        return _with(verdict, CONFIRMED)
    if own & unsure or verdict.reliability is not Reliability.MEASURED:
        return verdict
    return replace(_with(verdict, ALONE), reliability=Reliability.ESTIMATED)


def _added(rule_id: str, elements: list[Element]) -> Verdict:
    metric, value, threshold = _METRIC[rule_id]
    proofs = tuple(Proof(metric, value, threshold, element=e, text=e.name or e.selector) for e in elements)
    outcome = Outcome.FAIL if rule_id == "form.labels" else Outcome.WARN
    return Verdict(outcome, len(elements), proofs, total=len(elements), detail=CONFIRMED)


def _missed(rule_id: str, view: View, wrong: set[str]) -> list[Verdict]:
    shown = [e for e in view.seen if e.id in wrong and e.landmark not in {"consent", "dialog"}]
    return [_added(rule_id, shown)] if shown else []


def _trusted(axe: Axe, wanted: frozenset[str]) -> list[AxeCheck]:
    checks = [check for check in axe.checks if check.id in wanted]
    return checks if axe.complete or len(checks) == len(wanted) else []


def weighed(rule_id: str, view: View, verdicts: list[Verdict]) -> list[Verdict]:
    """Return the verdicts in the light of axe-core's opinion; unchanged where it has none."""
    axe, wanted = view.facts.axe, CHECKS.get(rule_id)
    if axe is None or wanted is None:
        return verdicts
    checks = _trusted(axe, wanted)
    if not checks:
        return verdicts
    wrong, unsure = _ids(checks, unsure=False), _ids(checks, unsure=True)
    # More violations than are listed: an element that is not among them may be one all the same.
    unlisted = any(
        check.violations > len(check.targets) or check.unsure > len(check.unsure_targets) for check in checks
    )
    if unlisted:
        unsure |= {element.id for element in view.seen}
    if any(verdict.outcome in _BAD for verdict in verdicts):
        return [_checked(verdict, wrong, unsure) for verdict in verdicts]
    if rule_id in _NAMES:
        return _missed(rule_id, view, wrong) or verdicts
    return [_with(verdict, OTHERS) if wrong and verdict.outcome is Outcome.PASS else verdict for verdict in verdicts]
