"""The harness itself: it counts rightly, and asks Claude (the fake) within its budget."""

import base64
import hashlib
from collections.abc import Iterator
from decimal import Decimal

import pytest
from pydantic import SecretStr

from analyzer.fakeclaude.server import FakeServer
from analyzer.judging.judge import from_settings
from analyzer.judging.settings import ClaudeSettings
from analyzer.measured import Pixels, measure
from analyzer.rules.policy import load
from analyzer.rules.registry import RULES
from contracts.analyze import Preset
from contracts.geometry import DESKTOP, Box
from contracts.render import Artifact, RenderResult, Section
from contracts.result import Outcome
from evals import model, real, seeded, seeds
from evals.seeds import Seed
from evals.template import CLEAN
from tests.fixtures.page_facts import Row, both, button, heading, page, paragraph
from tests.fixtures.pages import PACKAGES, TEMPLATES
from tests.fixtures.site import png

NEVER_SEEDED = {"trust.https"}


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


def render() -> RenderResult:
    text = (heading("Get paid in two days"), button("Start free trial", contrast=2.1), paragraph("Fair and fast."))
    contents = {
        "facts.desktop": page(*text).model_dump_json().encode(),
        "facts.mobile": page(*text, phone=True).model_dump_json().encode(),
        "sections.desktop.1": png(720, 450, (200, 200, 200)),
    }
    artifacts = {
        name: Artifact(
            name=name,
            content_type="image/png" if name.startswith("sections") else "application/json",
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            viewport=DESKTOP,
            data=base64.b64encode(data).decode(),
        )
        for name, data in contents.items()
    }
    box = Box(x=0, y=0, width=1440, height=900)
    return RenderResult(
        requested_url="https://shop.test/",
        final_url="https://shop.test/",
        http_status=200,
        artifacts=artifacts,
        sections=[Section(id="s1", viewport=DESKTOP, box=box, artifact="sections.desktop.1")],
    )


@pytest.mark.anyio
@pytest.mark.parametrize(("budget", "asked"), [("5", 2), ("0", 0)])
async def test_claude_is_asked_while_the_budget_lasts(fake: FakeServer, budget: str, asked: int) -> None:
    fake.state.reset()
    settings = ClaudeSettings(anthropic_api_key=SecretStr("sk-ant-test-0123456789"), anthropic_base_url=fake.url)
    judge = from_settings(settings)
    assert judge is not None
    spending = model.Spending(Decimal(budget))
    async with judge:
        results = await model.judge_pages({"one": render(), "two": render()}, judge, Preset.STANDARD, spending)
    assert len(results) == asked
    assert spending.spent <= spending.limit
    text = "\n".join(model.table(results, spending))
    assert ("claude-sonnet-5-5, prompt" in text) is bool(asked)
    assert ("for want of money: one, two" in text) is not asked


def test_every_rule_is_seeded_with_more_than_one_outcome() -> None:
    seen: dict[str, set[Outcome]] = {}
    for seed in seeds.all_seeds():
        seen.setdefault(seed.rule, set()).add(seed.expected)
    assert set(seen) == {rule.id for rule in RULES} - NEVER_SEEDED
    assert not {rule for rule, outcomes in seen.items() if len(outcomes) < 2}


def test_failures_are_counted_on_every_rule() -> None:
    tally = seeded.Tally()
    bad = Seed("cta.text_contrast", "x", Outcome.FAIL, CLEAN, also=("media.alt",))
    said = {"cta.text_contrast": Outcome.FAIL, "media.alt": Outcome.FAIL, "media.broken": Outcome.FAIL}
    seeded.count(tally, bad, said)
    seeded.count(tally, bad, {"cta.text_contrast": Outcome.WARN})
    assert (tally.right, len(tally.false_alarms), len(tally.missed), len(tally.wrong)) == (1, 1, 1, 1)
    assert (tally.precision, tally.recall) == (0.5, 0.5)


def test_labels_name_pages_and_rules_that_exist() -> None:
    labels = real.labels()
    assert set(labels) == set(PACKAGES) | set(TEMPLATES)
    named = {problem.partition("/")[0] for label in labels.values() for problem in label.problems | label.either}
    assert named <= {rule.id for rule in RULES}


def test_a_page_is_scored_against_its_label() -> None:
    measured = measure(both(heading("Get paid in two days"), button("Submit")), Pixels("an_1"), load())
    label = real.Label("landing", frozenset({"cta.generic_label", "media.broken"}), frozenset({"trust.social_proof"}))
    score = real.scored(label, measured)
    assert score.right == ["cta.generic_label"]
    assert score.missed == ["media.broken"]
    assert score.false_alarms == ["trust.contact"]
    assert score.type_right


def test_fingerprints_stay_when_counts_sizes_and_neighbours_change() -> None:
    def run(*more: Row, contrast: float = 2.1, height: int = 43) -> dict[str, str]:
        rows = (heading("Get paid"), button("Start free trial", contrast=contrast, height=height), *more)
        found = measure(both(*rows), Pixels("an_1"), load()).findings
        return {finding.fingerprint: finding.rule_ids[0] for finding in found}

    first = run()
    assert "cta.text_contrast" in first.values()
    assert run() == first
    second = run(paragraph("A new paragraph further down"), contrast=2.4, height=41)
    assert set(first) <= set(second)
