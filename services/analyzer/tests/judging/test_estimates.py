"""Our own token arithmetic against the fake's, and what a budget does with it."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest

from analyzer.fakeclaude.server import FakeServer
from analyzer.judged import JudgedPage
from analyzer.judging import estimates, fact_table, pictures, prices, prompts
from analyzer.judging.claude import Claude
from analyzer.judging.exchange import ClaudeUnavailable, Prompt, Trouble
from analyzer.judging.judge import ClaudeJudge
from analyzer.judging.settings import ClaudeSettings
from contracts.analyze import Preset
from contracts.result import TokenUsage

BUDGET_MS = 20_000
PageOf = Callable[..., JudgedPage]


@pytest.fixture
def prompt(page: JudgedPage) -> Prompt:
    ready = pictures.prepare(page.images, prices.find("claude-sonnet-5-5"))
    return prompts.build(fact_table.build(page, ready), ready, prompts.new_marker(), "t")


def judged(judge: ClaudeJudge, page: JudgedPage, preset: Preset) -> str:
    async def run() -> str:
        async with judge:
            return (await judge(page, preset, BUDGET_MS)).degraded_detail

    return asyncio.run(run())


def test_the_estimate_is_what_is_charged(
    judge: ClaudeJudge, settings: ClaudeSettings, page: JudgedPage, prompt: Prompt, fake: FakeServer
) -> None:
    claude = Claude(settings)
    order = claude.order(prompt.answer, "claude-sonnet-5-5")
    estimated = estimates.input_tokens(prompt, order)

    async def run() -> TokenUsage:
        async with claude, judge:
            return (await judge(page, Preset.STANDARD, BUDGET_MS)).run.usage

    usage = asyncio.run(run())
    charged = usage.input + usage.cache_write_5m + usage.cache_read
    assert estimated == pytest.approx(charged, rel=0.05)


def test_the_most_is_never_less_than_the_bill(
    judge: ClaudeJudge, settings: ClaudeSettings, page: JudgedPage, prompt: Prompt
) -> None:
    claude = Claude(settings)
    most = claude.most_usd(prompt, "claude-sonnet-5-5")

    async def run() -> Decimal:
        async with claude, judge:
            return Decimal((await judge(page, Preset.STANDARD, BUDGET_MS)).run.cost_usd)

    assert most is not None
    assert asyncio.run(run()) < most
    assert most > prices.cost("claude-sonnet-5-5", TokenUsage(output=settings.claude_max_output_tokens))  # type: ignore[operator]  # its price is known


def test_chinese_is_about_a_token_a_character() -> None:
    assert estimates.text_tokens("转化率" * 100) == pytest.approx(273)
    assert estimates.text_tokens("rate " * 66) == 100


def test_a_budget_that_fits_changes_nothing(judge: ClaudeJudge, page_of: PageOf) -> None:
    assert judged(judge, page_of(ai_budget_usd=Decimal(1)), Preset.STANDARD) == ""


def test_a_small_budget_steps_down(judge: ClaudeJudge, page_of: PageOf, fake: FakeServer) -> None:
    reason = judged(judge, page_of(ai_budget_usd=Decimal("0.05")), Preset.STANDARD)
    assert reason == "claude-sonnet-5-5 budget; claude-haiku-5-5 answered"
    assert [one["body"]["model"] for one in fake.requests] == ["claude-haiku-5-5"]


@pytest.mark.parametrize("budget", ["0", "0.0001"])
def test_an_empty_budget_asks_nobody(budget: str, judge: ClaudeJudge, page_of: PageOf, fake: FakeServer) -> None:
    with pytest.raises(ClaudeUnavailable) as caught:
        judged(judge, page_of(ai_budget_usd=Decimal(budget)), Preset.STANDARD)
    assert (caught.value.trouble, caught.value.degraded) == (Trouble.BUDGET, "budget")
    assert fake.requests == []


def test_what_a_refusal_cost_is_gone_from_the_budget(
    settings: ClaudeSettings, page_of: PageOf, prompt: Prompt, fake: FakeServer
) -> None:
    models = {"claude_model_fast": "claude-opus-5-5", "claude_model_standard": "claude-sonnet-5-5"}
    steps = settings.model_copy(update=models)
    most = Claude(steps).most_usd(prompt, "claude-opus-5-5")
    fake.script("refusal")
    with pytest.raises(ClaudeUnavailable) as caught:
        judged(ClaudeJudge(steps, Claude(steps)), page_of(ai_budget_usd=most), Preset.STANDARD)
    assert caught.value.trouble is Trouble.BUDGET
    assert caught.value.run is not None
    assert caught.value.run.stop_reasons == ["refusal"]


def test_a_model_without_a_price_does_not_fit_any_budget(
    settings: ClaudeSettings, page_of: PageOf, fake: FakeServer
) -> None:
    odd = settings.model_copy(update={"claude_model_fast": "claude-fable-5-2"})
    with pytest.raises(ClaudeUnavailable) as caught:
        judged(ClaudeJudge(odd, Claude(odd)), page_of(ai_budget_usd=Decimal(100)), Preset.FAST)
    assert caught.value.trouble is Trouble.BUDGET
    assert fake.requests == []
