"""A page that has not changed is judged again for nothing, by its own tenant alone."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from analyzer.fakeclaude.server import FakeServer
from analyzer.judged import JudgedPage, Judgement
from analyzer.judging.claude import Claude
from analyzer.judging.judge import ClaudeJudge
from analyzer.judging.settings import ClaudeSettings
from contracts.analyze import Preset
from contracts.result import Memo, Outcome, Reliability, RuleResult

BUDGET_MS = 20_000
Judged = Callable[..., Judgement]


@pytest.fixture
def judged(settings: ClaudeSettings) -> Judged:
    def run(page: JudgedPage, preset: Preset = Preset.STANDARD, **changes: Any) -> Judgement:  # noqa: ANN401  # any setting
        changed = settings.model_copy(update=changes)

        async def once() -> Judgement:
            async with ClaudeJudge(changed, Claude(changed)) as judge:
                return await judge(page, preset, BUDGET_MS)

        return asyncio.run(once())

    return run


@pytest.fixture
def memo(judged: Judged, page: JudgedPage) -> Memo:
    made = judged(page).memo
    assert made is not None
    return made


def test_an_unchanged_page_costs_nothing_and_says_the_same(
    judged: Judged, page: JudgedPage, memo: Memo, fake: FakeServer
) -> None:
    first = judged(page)
    fake.state.reset()
    again = judged(replace(page, memo=memo, ai_budget_usd=Decimal(0)))
    assert fake.requests == []
    assert again.findings == first.findings
    assert (again.run.requests, again.run.cost_usd, again.run.reused) == (0, "0", True)
    assert (again.run.verified, again.run.model) == (first.run.verified, first.run.model)
    assert first.run.reused is False
    assert again.memo == memo


def test_it_is_checked_anew_and_belongs_to_the_new_analysis(judged: Judged, page: JudgedPage, memo: Memo) -> None:
    one, other = (judged(replace(page, memo=memo, analysis_id=name)).findings[0] for name in ("an_1", "an_2"))
    assert one.fingerprint == other.fingerprint
    assert one.id != other.id


def test_another_time_in_milliseconds_is_the_same_page(judged: Judged, page: JudgedPage, fake: FakeServer) -> None:
    def slow(value: float) -> RuleResult:
        known = {
            "id": "perf.lcp",
            "viewport": "desktop",
            "outcome": Outcome.FAIL,
            "reliability": Reliability.INDICATIVE,
        }
        return RuleResult.model_validate({**known, "value": value, "unit": "ms"})

    memo = judged(replace(page, rules=(slow(4_001),))).memo
    fake.state.reset()
    assert judged(replace(page, rules=(slow(4_202),), memo=memo)).run.reused
    assert fake.requests == []


def reworded(page: JudgedPage) -> JudgedPage:
    (name, facts), *_ = page.facts.items()
    first, *rest = facts.elements
    slower = first.model_copy(update={"text": "Grow your shop slower"})
    return replace(page, facts={name: facts.model_copy(update={"elements": [slower, *rest]})})


@pytest.mark.parametrize(
    "change",
    ["tenant", "rules", "language", "pixels", "words", "model", "effort"],
)
def test_whatever_may_change_the_answer_asks_anew(
    change: str,
    judged: Judged,
    page: JudgedPage,
    picture_of: Callable[..., bytes],
    memo: Memo,
) -> None:
    changed = {
        "tenant": replace(page, tenant_id="tenant-8"),
        "rules": replace(page, rules_version="2"),
        "language": replace(page, language="de"),
        "pixels": replace(page, images={**page.images, "s1": picture_of(1440, 901)}),
        "words": reworded(page),
    }.get(change, page)
    settings = {"model": {"claude_model_standard": "claude-opus-5-5"}, "effort": {"claude_effort": "low"}}
    answer = judged(replace(changed, memo=memo), **settings.get(change, {}))
    assert (answer.run.requests, answer.run.reused) == (1, False)
    assert answer.memo is not None
    assert answer.memo.key != memo.key


def test_an_answer_that_cannot_be_read_any_more_is_asked_for_again(
    judged: Judged, page: JudgedPage, memo: Memo
) -> None:
    answer = judged(replace(page, memo=memo.model_copy(update={"answer": '{"sections": 7}'})))
    assert (answer.run.requests, answer.run.reused) == (1, False)


def test_a_page_that_took_over_is_not_remembered(judged: Judged, page: JudgedPage, fake: FakeServer) -> None:
    fake.script("echo")
    assert judged(page).memo is None


def test_the_smaller_models_answer_is_no_answer_of_the_larger(
    judged: Judged, page: JudgedPage, fake: FakeServer
) -> None:
    fake.script("refusal")
    smaller = judged(page)
    assert smaller.memo is not None
    fake.state.reset()
    assert judged(replace(page, memo=smaller.memo)).run.model == "claude-sonnet-5-5"
