"""How far a tenant may move the thresholds of rules, checked alike where they are stored and where they are used."""

import functools
import json
from collections.abc import Mapping
from importlib import resources

from contracts.analyze import Overrides
from contracts.errors import FieldError

WIDEST = 4.0
"""A threshold may be moved to between a quarter and four times its value: further away it is another rule."""

Limits = Mapping[str, Mapping[str, float]]
"""Rule id → name of a threshold → its default."""


@functools.cache
def defaults() -> Limits:
    """Return the thresholds of this release's rules; generated from the rules' own data."""
    text = resources.files("contracts").joinpath("thresholds.json").read_text(encoding="utf-8")
    limits: Limits = json.loads(text)
    return limits


def problems(overrides: Overrides, limits: Limits, place: str = "") -> list[FieldError]:
    """Return what is wrong with `overrides` of `limits`; `place` stands before each field's name.

    Wrong are an unknown rule or threshold, a value beyond a quarter or four times the default (shares: beyond 1), and
    a fail limit before its warn limit.
    """
    found = []
    for rule_id, own in overrides.items():
        rule = limits.get(rule_id)
        wrong = {name: text for name, value in own.items() if (text := _wrong(rule, name, value))}
        if rule is not None and not wrong:
            wrong = dict.fromkeys(
                _crossed(rule, {**rule, **own}), "The limit for fail must stay beyond the one for warn."
            )
        found += [FieldError(field=f"{place}{rule_id}.{name}", message=text) for name, text in wrong.items()]
    return found


def _wrong(rule: Mapping[str, float] | None, name: str, value: float) -> str:
    if rule is None:
        return "There is no such rule."
    default = rule.get(name)
    if default is None:
        known = ", ".join(rule) or "none"
        return f"This rule has no such threshold; it has: {known}."
    low, high = default / WIDEST, default * WIDEST
    if 0 < default < 1:
        high = min(high, 1.0)
    return "" if low <= value <= high else f"It must be between {low:g} and {high:g}."


def _crossed(old: Mapping[str, float], new: Mapping[str, float]) -> list[str]:
    """Return the names of fail limits that would no longer lie beyond their warn limits."""
    pairs = [(name, name.replace("fail", "warn")) for name in old if "fail" in name]
    pairs = [(fail, warn) for fail, warn in pairs if warn in old]
    return [fail for fail, warn in pairs if (old[fail] - old[warn]) * (new[fail] - new[warn]) < 0]
