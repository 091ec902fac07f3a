"""The caller's own account: plan, usage, and what was done."""

from collections.abc import Mapping
from datetime import date

from cro_analyzer.flows import calls
from cro_analyzer.flows.calls import given
from cro_analyzer.models.accounts import AuditRead, TenantRead, UsageRead
from cro_analyzer.steps import Call, Flow, Request, Stream, ask


def tenant() -> Flow[TenantRead]:
    """Read the plan, how much of today's quotas is used, and what this key may do."""
    return ask(calls.get("/v1/tenant", TenantRead))


def set_thresholds(thresholds: Mapping[str, Mapping[str, float]]) -> Flow[dict[str, dict[str, float]]]:
    """Replace the account's own thresholds of rules, rule id → threshold → value: `{}` brings the defaults back."""
    body = {rule: dict(values) for rule, values in thresholds.items()}
    request = Request("PUT", "/v1/tenant/thresholds", json=body)
    return ask(Call(request, calls.body_as(dict[str, dict[str, float]])))


def usage(*, first: date | None = None, last: date | None = None) -> Flow[UsageRead]:
    """Read jobs and their cost in each day (UTC), by kind: the last 30 days, where nothing is said."""
    days = given(first=first, last=last)
    params = {name: str(days[key]) for key, name in (("first", "from"), ("last", "to")) if key in days}
    return ask(calls.get("/v1/usage", UsageRead, params))


def audit() -> Stream[AuditRead]:
    """Give every mutating call, newest first: who, what, when, from where, and the answer's status."""
    return calls.pages("/v1/audit", calls.as_(AuditRead))
