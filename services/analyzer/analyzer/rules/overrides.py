"""A tenant's own thresholds: checked by name and range, and named in the result."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from analyzer.rules.policy import Policy, RulePolicy
from contracts.analyze import Overrides
from contracts.errors import ErrorCode, FieldError
from runtime.errors import ServiceError

WIDEST = 4.0
"""A threshold may be moved to between a quarter and four times its value: further away it is another rule."""


def _wrong(rule: RulePolicy | None, name: str, value: float) -> str:
    if rule is None:
        return "There is no such rule."
    default = rule.limits.get(name)
    if default is None:
        known = ", ".join(rule.limits) or "none"
        return f"This rule has no such threshold; it has: {known}."
    low, high = default / WIDEST, default * WIDEST
    if 0 < default < 1:
        high = min(high, 1.0)
    return "" if low <= value <= high else f"It must be between {low:g} and {high:g}."


def _order(old: Mapping[str, float], new: Mapping[str, float]) -> list[str]:
    """Return the names of fail limits that would no longer lie beyond their warn limits."""
    pairs = [(name, name.replace("fail", "warn")) for name in old if "fail" in name]
    pairs = [(fail, warn) for fail, warn in pairs if warn in old]
    return [fail for fail, warn in pairs if (old[fail] - old[warn]) * (new[fail] - new[warn]) < 0]


def _problems(policy: Policy, overrides: Overrides) -> list[FieldError]:
    found = []
    for rule_id, limits in overrides.items():
        rule = policy.rules.get(rule_id)
        wrong = {name: text for name, value in limits.items() if (text := _wrong(rule, name, value))}
        if rule is not None and not wrong:
            order = _order(rule.limits, {**rule.limits, **limits})
            wrong = dict.fromkeys(order, "The limit for fail must stay beyond the one for warn.")
        found += [FieldError(field=f"overrides.{rule_id}.{name}", message=text) for name, text in wrong.items()]
    return found


def apply(policy: Policy, overrides: Overrides) -> Policy:
    """Return the policy with these thresholds.

    Raises ServiceError(INVALID_REQUEST), naming each field: an unknown rule or threshold, a value beyond a quarter or
    four times the default (shares: beyond 1), or a fail limit before its warn limit.
    """
    if not overrides:
        return policy
    if problems := _problems(policy, overrides):
        detail = "Some threshold overrides are not allowed."
        raise ServiceError(ErrorCode.INVALID_REQUEST, detail, errors=problems)
    rules = {
        name: replace(rule, limits=MappingProxyType({**rule.limits, **overrides[name]})) if name in overrides else rule
        for name, rule in policy.rules.items()
    }
    return replace(policy, rules=MappingProxyType(rules))
