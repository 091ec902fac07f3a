from decimal import Decimal

from analyzer import prices
from contracts.result import TokenUsage

MILLION = 1_000_000


def test_each_kind_of_token_has_its_price() -> None:
    usage = TokenUsage(
        input=1_000, cache_read=2_000, cache_write_5m=3_000, cache_write_1h=4_000, output=500, thinking=400
    )
    expected = Decimal(1_000 * 2 + 500 * 10 + 4_000 * 4) + 2_000 * Decimal("0.1") + 3_000 * Decimal("2.5")
    assert prices.cost("claude-sonnet-5-5", usage) == expected / MILLION


def test_a_long_prompt_reprices_the_whole_request() -> None:
    assert prices.cost("claude-haiku-5-5", TokenUsage(input=100_000)) == Decimal("0.01")
    assert prices.cost("claude-haiku-5-5", TokenUsage(input=100_000, cache_read=1)) == Decimal("0.05")


def test_a_dated_id_has_its_models_price() -> None:
    usage = TokenUsage(input=MILLION // 10)
    assert prices.cost("claude-haiku-4-5-20251001", usage) == prices.cost("claude-haiku-4-5", usage) == Decimal("0.1")


def test_an_unknown_model_has_no_price_and_small_pictures() -> None:
    assert prices.cost("claude-next-9", TokenUsage(input=1)) is None
    assert prices.find("claude-next-9").max_edge_px == 1_568


def test_the_assumed_page_costs_what_the_cost_model_says() -> None:
    page = TokenUsage(input=22_900, output=7_000)
    assert prices.cost("claude-sonnet-5-5", page) == Decimal("0.1158")
    assert prices.cost("claude-opus-5-5", page) == Decimal("0.2316")
