"""A tenant's own thresholds: checked by name and range, and named in the result."""

from dataclasses import replace
from types import MappingProxyType

from analyzer.rules.policy import Policy
from contracts import thresholds
from contracts.analyze import Overrides
from contracts.errors import ErrorCode
from runtime.errors import ServiceError


def apply(policy: Policy, overrides: Overrides) -> Policy:
    """Return the policy with these thresholds. Raises ServiceError(INVALID_REQUEST), naming each field."""
    if not overrides:
        return policy
    if problems := thresholds.problems(overrides, policy.limits, "overrides."):
        detail = "Some threshold overrides are not allowed."
        raise ServiceError(ErrorCode.INVALID_REQUEST, detail, errors=problems)
    rules = {
        name: replace(rule, limits=MappingProxyType({**rule.limits, **overrides[name]})) if name in overrides else rule
        for name, rule in policy.rules.items()
    }
    return replace(policy, rules=MappingProxyType(rules))
