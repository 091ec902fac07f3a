import pytest

from analyzer.rules import engine, overrides
from analyzer.rules.policy import load
from analyzer.rules.registry import BY_ID
from analyzer.view import build
from contracts.errors import ErrorCode
from contracts.geometry import ViewportName
from contracts.result import Outcome
from runtime.errors import ServiceError
from tests.fixtures.page_facts import page


def test_a_moved_threshold_moves_the_verdict() -> None:
    policy = overrides.apply(load(), {"hero.density": {"warn": 150}})
    views = build({ViewportName.DESKTOP: page(stats={"words_first_screen": 140})})
    (said,) = engine.run([BY_ID["hero.density"]], views, policy)
    assert said.verdicts[0].outcome is Outcome.PASS
    assert engine.result(said, policy).threshold == [150, 200]
    (usual,) = engine.run([BY_ID["hero.density"]], views, load())
    assert usual.verdicts[0].outcome is Outcome.WARN


def test_nothing_to_override_is_the_policy_itself() -> None:
    assert overrides.apply(load(), {}) is load()


@pytest.mark.parametrize(
    ("rule", "name", "value", "part"),
    [
        ("hero.dense", "warn", 100, "no such rule"),
        ("hero.density", "words", 100, "warn, fail"),
        ("trust.https", "warn", 1, "none"),
        ("hero.density", "warn", 29, "between 30 and 480"),
        ("hero.density", "warn", 481, "between 30 and 480"),
        ("overlay.blocking", "fail", 1.01, "between 0.075 and 1"),
        ("hero.density", "warn", 201, "beyond the one for warn"),
        ("cta.target_size", "fail", 45, "beyond the one for warn"),
        ("form.field_count", "lead_warn", 10, "beyond the one for warn"),
        ("hero.density", "warn", -1, "between 30 and 480"),
    ],
)
def test_what_is_refused_is_named(rule: str, name: str, value: float, part: str) -> None:
    with pytest.raises(ServiceError) as caught:
        overrides.apply(load(), {rule: {name: value}})
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert caught.value.errors[0].field.startswith(f"overrides.{rule}.")
    assert part in caught.value.errors[0].message
