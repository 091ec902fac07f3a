"""The numbers behind the rules, read once from rules.toml: thresholds, weights, severities and score factors."""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType

from contracts.result import Grade, PageType, Reach, Severity


@dataclass(frozen=True)
class RulePolicy:
    """One rule's numbers. `severity` is keyed by variant or outcome, then page type, then reach."""

    weight: float
    limits: Mapping[str, float]
    severity: Mapping[str, Severity]

    def severity_of(self, kinds: tuple[str, ...], page: PageType, reach: Reach) -> Severity:
        """Look up the most specific entry for the first of `kinds` that has one; info where none has."""
        for kind in kinds:
            for key in (f"{kind}.{page}.{reach}", f"{kind}.{page}", f"{kind}.{reach}", kind):
                if key in self.severity:
                    return self.severity[key]
        return Severity.INFO


@dataclass(frozen=True)
class Policy:
    """All numbers of one version of the rules."""

    version: str
    rules: Mapping[str, RulePolicy]
    severity_factor: Mapping[Severity, float]
    reach_factor: Mapping[Reach, float]
    grade_factor: Mapping[Grade, float]
    most_points_of_grade_c: float

    @property
    def limits(self) -> dict[str, Mapping[str, float]]:
        """The thresholds by rule and name."""
        return {name: rule.limits for name, rule in self.rules.items()}


def _rule(row: dict[str, object]) -> RulePolicy:
    weight, limits, severity = row["weight"], row.get("limits", {}), row["severity"]
    assert isinstance(weight, int | float)
    assert isinstance(limits, dict)
    assert isinstance(severity, dict)
    return RulePolicy(
        weight=float(weight),
        limits=MappingProxyType({name: float(value) for name, value in limits.items()}),
        severity=MappingProxyType({name: Severity(value) for name, value in severity.items()}),
    )


@functools.cache
def load() -> Policy:
    """Read the packaged numbers."""
    data = tomllib.loads(resources.files("analyzer.rules").joinpath("rules.toml").read_text(encoding="utf-8"))
    return Policy(
        version=data["version"],
        rules=MappingProxyType({name: _rule(row) for name, row in data["rules"].items()}),
        severity_factor=MappingProxyType({Severity(key): value for key, value in data["severity_factor"].items()}),
        reach_factor=MappingProxyType({Reach(key): value for key, value in data["reach_factor"].items()}),
        grade_factor=MappingProxyType({Grade(key): value for key, value in data["grade_factor"].items()}),
        most_points_of_grade_c=data["grade_c"]["most_points"],
    )
