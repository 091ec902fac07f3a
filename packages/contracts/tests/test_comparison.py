from contracts.comparison import compare
from contracts.result import Analysis, Finding, Outcome, Severity
from tests.fixtures.report import unpictured


def other(before: Analysis, findings: list[Finding], **engine: object) -> Analysis:
    return before.model_copy(
        update={"id": "an_later", "findings": findings, "engine": before.engine.model_copy(update=engine)}
    )


def judged(analysis: Analysis) -> Analysis:
    """Let every rule that a finding names be among the rules that ran."""
    rules = [analysis.rules[0].model_copy(update={"id": name}) for f in analysis.findings for name in f.rule_ids]
    return analysis.model_copy(update={"rules": rules})


def test_the_same_analysis_is_unchanged() -> None:
    before = judged(unpictured())
    found = compare(before, other(before, before.findings))
    assert len(found.unchanged) == len(before.findings)
    assert (found.fixed, found.new, found.changed, found.not_compared, found.notes) == ([], [], [], [], [])
    assert found.overall.before == found.overall.after == before.scores.overall


def test_fixed_and_new_mirror_each_other() -> None:
    before = judged(unpictured())
    after = other(before, before.findings[1:])
    assert [one.fingerprint for one in compare(before, after).fixed] == [before.findings[0].fingerprint]
    assert [one.fingerprint for one in compare(after, before).new] == [before.findings[0].fingerprint]


def test_another_measure_or_severity_is_a_change() -> None:
    before = judged(unpictured())
    place, finding = next((n, f) for n, f in enumerate(before.findings) if f.evidence and f.evidence[0].value)
    evidence = [finding.evidence[0].model_copy(update={"value": 99.0}), *finding.evidence[1:]]
    worse = finding.model_copy(update={"evidence": evidence, "severity": Severity.CRITICAL})
    rest = [f for n, f in enumerate(before.findings) if n != place]
    (changed,) = compare(before, other(before, [worse, *rest])).changed
    assert (changed.value_before, changed.value_after) == (finding.evidence[0].value, 99.0)
    assert (changed.severity_before, changed.severity) == (finding.severity, Severity.CRITICAL)


def test_what_the_other_could_not_find_is_neither_fixed_nor_new() -> None:
    before = judged(unpictured())
    model = before.findings[0].model_copy(update={"source": "ai", "rule_ids": [], "fingerprint": "m"})
    asked = before.model_copy(update={"findings": [model]})
    found = compare(asked, other(before, [], mode="rules"))
    assert [one.fingerprint for one in found.not_compared] == ["m"]
    assert found.fixed == []
    assert found.notes == ["engine_mode"]
    rule = before.findings[0].rule_ids[0]
    broken = [r.model_copy(update={"outcome": Outcome.ERROR}) if r.id == rule else r for r in before.rules]
    gone = other(before, before.findings[1:]).model_copy(update={"rules": broken})
    assert [one.rule_ids for one in compare(before, gone).not_compared] == [[rule]]
