"""All rules, in the order of the catalogue."""

from collections.abc import Mapping
from types import MappingProxyType

from analyzer.rules import (
    cta,
    forms,
    head,
    headline,
    media,
    motion,
    navigation,
    offer,
    overlays,
    performance,
    reading,
    trust,
)
from analyzer.rules.rule import Rule

RULES: tuple[Rule, ...] = (
    *cta.RULES,
    *headline.RULES,
    *reading.RULES,
    *forms.RULES,
    *trust.RULES,
    *offer.RULES,
    *overlays.RULES,
    *media.RULES,
    *performance.RULES,
    *head.RULES,
    *navigation.RULES,
    *motion.RULES,
)

BY_ID: Mapping[str, Rule] = MappingProxyType({rule.id: rule for rule in RULES})
