"""How rates are written in settings, and what they become."""

import pytest
from pydantic import ValidationError

from gateway.limits.gcra import Limit
from gateway.limits.policy import Asker, Rates
from gateway.rates import Rate
from gateway.settings import GatewaySettings


def test_a_rate_is_requests_seconds_and_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMIT_KEY", " 600/60/100 ")
    rate = GatewaySettings().rate_limit_key
    assert (rate, rate.quota, rate.window_s, rate.burst) == ("600/60/100", 600, 60, 100)


@pytest.mark.parametrize("text", ["", "600", "600/60", "0/60/1", "6/0/1", "6/60/0", "1/2/3/4", "-1/2/3", "none"])
def test_anything_else_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ValidationError):
        GatewaySettings(rate_limit_key=text)  # type: ignore[arg-type]  # that is the test


def test_each_circle_has_its_own_limit_and_off_has_none() -> None:
    rates = Rates(Rate("10/60/1"), Rate("off"), Rate("20/60/2"))
    limits = rates.limits(Asker("2001:db8::1", "tnt_1", "key_1"))
    assert limits == [
        Limit("key", "key:key_1", 10, 60, 1),
        Limit("address", "address:2001:db8::/64", 20, 60, 2),
    ]
    assert rates.limits(Asker("127.0.0.1")) == []


def test_a_plans_rate_goes_before_the_tenants_usual_one_but_not_before_off() -> None:
    asker = Asker("127.0.0.1", "tnt_1", per_minute=60, burst=20)
    assert Rates(Rate("off"), Rate("3000/60/500"), Rate("off")).limits(asker) == [
        Limit("tenant", "tenant:tnt_1", 60, 60, 20)
    ]
    assert Rates(Rate("off"), Rate("off"), Rate("off")).limits(asker) == []
