from analyzer import scoring
from analyzer.measured import Pixels, measure
from analyzer.rules.policy import load
from contracts.render import Section
from contracts.result import Outcome
from tests.fixtures import fuzz


def test_500_fuzzed_pages_break_no_rule_and_no_text() -> None:
    broken = []
    outcomes: set[Outcome] = set()
    for seed, facts in fuzz.pages(500):
        measured = measure(facts, Pixels(f"an_{seed}"), load())
        broken += [(seed, rule.id, rule.detail) for rule in measured.rules if rule.outcome is Outcome.ERROR]
        outcomes |= {rule.outcome for rule in measured.rules}
        scores = scoring.score(measured.findings, measured.judged, load())
        assert 0 <= scores.overall <= 100
        for finding in measured.findings:
            finding.model_validate_json(finding.model_dump_json())
    assert broken == []
    assert outcomes == set(Outcome) - {Outcome.ERROR}


def test_fuzzed_sections_get_a_type() -> None:
    for seed, facts in fuzz.pages(50):
        source = fuzz.Source(seed)
        sections = tuple(
            Section(id=f"s{n}", viewport=next(iter(facts.values())).viewport, box=source.box(), heading=source.text())
            for n in range(5)
        )
        measured = measure(facts, Pixels("an_1", sections), load())
        assert len(measured.sections) == 5
        assert all(section.type for section in measured.sections)
