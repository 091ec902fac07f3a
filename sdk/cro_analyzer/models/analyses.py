"""Analyses as the API shows them."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

from cro_analyzer.models.jobs import Problem, State
from cro_analyzer.models.report import Analysis

Preset: TypeAlias = Literal["rules", "fast", "standard", "deep"]
"""How much judgement is bought. `rules` never calls the model."""

AiTiming: TypeAlias = Literal["now", "bulk"]
"""When the model judges: `bulk` is within 24 hours at half the price, and the rules' result comes at once."""


@dataclass(frozen=True, kw_only=True)
class Links:
    """Where to go from here."""

    href: str = field(metadata={"name": "self"})
    report: str | None = None
    """the HTML report, once there is one"""


@dataclass(frozen=True, kw_only=True)
class AnalysisSummary:
    """An analysis without its result."""

    id: str
    status: State
    url: str
    """the address, or `upload:` and the name of a picture that was sent"""
    preset: Preset
    attempt: int
    """attempts begun; a busy renderer or a restarted worker costs none"""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: Problem | None = None
    """why it failed or was cancelled"""
    links: Links


@dataclass(frozen=True, kw_only=True)
class AnalysisRead(AnalysisSummary):
    """An analysis with its result, when it has one."""

    cached: bool = False
    """true: it was finished at `finished_at`, before this request asked for it"""
    cost_usd: Decimal | None = None
    """what this answer cost with the model provider; 0 where cached"""
    result: Analysis | None = None
