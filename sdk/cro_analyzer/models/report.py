"""The report of an analysis, schema 1.0."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["critical", "high", "medium", "low", "info"]
"""How much a finding matters, from a table in code: rule × page type × reach. Never from the model."""


Grade: TypeAlias = Literal["A", "B", "C"]
"""A: standard or plain fact. B: published study or benchmark. C: practitioner convention."""


LiftFactor: TypeAlias = Literal["value_proposition", "relevance", "clarity", "urgency", "anxiety", "distraction"]
"""The LIFT model's factors of conversion."""


PageType: TypeAlias = Literal["landing", "product", "checkout", "pricing", "other"]
"""What the page is for, by signals."""


Outcome: TypeAlias = Literal["fail", "warn", "pass", "not_applicable", "error"]
"""What a rule found."""


Reliability: TypeAlias = Literal["measured", "estimated", "indicative"]
"""Whether a figure may count: `indicative` ones are shown and never scored."""


Reach: TypeAlias = Literal["desktop", "mobile", "both"]
"""Which visitors meet the finding."""


ViewportName: TypeAlias = Literal["desktop", "mobile"]
"""The two visitors that an analysis looks through."""


DegradedReason: TypeAlias = Literal[
    "",
    "no_key",
    "budget",
    "unavailable",
    "account",
    "misconfigured",
    "timeout",
    "refused",
    "unusable",
    "nothing_to_judge",
    "smaller_model",
    "unknown",
]
"""Why a page was judged by less than was asked for. `degraded_detail` may say more; see docs/errors.md."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle in page coordinates (scroll position 0)."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A stored picture of the page. `key` is its name in the artifact store, `w` and `h` its pixels."""

    kind: Literal["full", "first_screen", "section"]
    viewport: ViewportName
    key: str
    w: int
    h: int
    sha256: str
    box: Box | None = None


@dataclass(frozen=True, kw_only=True)
class Url:
    """Asked for, arrived at."""

    requested: str
    final: str
    redirects: int = 0
    http_status: int


@dataclass(frozen=True, kw_only=True)
class Page:
    """What kind of page it is."""

    type: PageType
    language: str = ""
    title: str = ""
    content_hash: str = ""
    """sha256 of the visible text"""


@dataclass(frozen=True, kw_only=True)
class Capture:
    """How the page was taken."""

    at: str
    """RFC 3339, UTC"""
    chromium: str = ""
    viewports: list[str] = field(default_factory=list)
    settled_by: str = ""
    consent_action: Literal["declined", "none", "failed"] = "none"
    height_px: dict[str, float] = field(default_factory=dict)
    truncated: bool = False
    warnings: list[str] = field(default_factory=list)
    assets: list[Asset] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class TokenUsage:
    """Tokens as the provider billed them."""

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    thinking: int = 0


@dataclass(frozen=True, kw_only=True)
class AiRun:
    """What the model was asked, what it cost and how much of its answer survived the checks."""

    provider: Literal["anthropic"] = "anthropic"
    model: str
    api_version: str = ""
    requests: int = 0
    request_ids: list[str] = field(default_factory=list)
    stop_reasons: list[str] = field(default_factory=list)
    usage: TokenUsage = field(default_factory=TokenUsage)
    cost_usd: Decimal = Decimal(0)
    price_table: str = ""
    batch: bool = False
    reused: bool = False
    """the same page was judged before: its answer was checked again, at no cost"""
    proposed: int = 0
    verified: int = 0
    supported: int = 0
    rejected: int = 0


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What judged the page, and what it had to do without. With `ai_pending` the model is asked again later."""

    mode: Literal["rules", "rules+ai"]
    degraded: bool = False
    degraded_reason: DegradedReason = ""
    degraded_detail: str = ""
    """which model failed in which way, for people"""
    ai_pending: bool = False
    """rules alone for now; the model's findings follow"""
    rules_version: str
    prompt_version: str = ""
    overrides: dict[str, dict[str, float]] = field(default_factory=dict)
    """thresholds of the tenant's own, by rule"""
    ai: AiRun | None = None


@dataclass(frozen=True, kw_only=True)
class ScoreStep:
    """One deduction: points = weight × severity × reach (× 0.5 for grade C)."""

    finding_id: str
    factor: LiftFactor
    points: float
    weight: float
    severity_factor: float
    reach_factor: float
    grade_factor: float


@dataclass(frozen=True, kw_only=True)
class Scores:
    """100 minus the deductions in `explanation`, never below 0; per LIFT factor and in all."""

    overall: int
    by_factor: dict[str, int]
    explanation: list[ScoreStep] = field(default_factory=list)
    note: str = ""
    scored: bool = True
    """false: no rule could be applied, so that `overall` says nothing"""


@dataclass(frozen=True, kw_only=True)
class ResultSection:
    """A labelled part of the page."""

    id: str
    type: str
    viewport: ViewportName
    box: Box
    asset_key: str = ""
    heading: str = ""
    summary: str = ""
    sampled: str | None = None


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Something that can be checked: a number against a threshold, a quote, an element, pixels."""

    kind: Literal["measurement", "quote", "element", "screenshot"]
    viewport: ViewportName
    metric: str = ""
    value: float | str | None = None
    threshold: float | str | None = None
    unit: str = ""
    reliability: Reliability = "measured"
    selector: str = ""
    element_id: str = ""
    text: str = ""
    box: Box | None = None
    asset_key: str = ""


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """What to do, in exact terms where there are any."""

    summary: str
    current: str = ""
    proposed: str = ""
    effort: Literal["small", "medium", "large"] = "small"
    hypothesis: str = ""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A conversion problem with its proof."""

    id: str
    fingerprint: str
    """the same for the same problem on the same page in every run"""
    source: Literal["rule", "ai", "both"] = "rule"
    rule_ids: list[str] = field(default_factory=list)
    question_id: str = ""
    category: str
    lift_factor: LiftFactor
    heuristics: list[str] = field(default_factory=list)
    severity: Severity
    confidence: Literal["high", "medium", "low"] = "high"
    evidence_grade: Grade
    verification: Literal["verified", "supported"] = "verified"
    section_id: str = ""
    viewport: Reach
    title: str
    description: str
    evidence: list[Evidence] = field(default_factory=list)
    suggestion: Suggestion
    references: list[str] = field(default_factory=list)
    status: Literal["open", "dismissed", "fixed"] = "open"


@dataclass(frozen=True, kw_only=True)
class RuleResult:
    """What one rule said in one viewport, findings or not."""

    id: str
    viewport: ViewportName
    outcome: Outcome
    value: float | str | None = None
    unit: str = ""
    threshold: list[float | str] = field(default_factory=list)
    """[warn, fail], or [fail]"""
    reliability: Reliability = "measured"
    element_ids: list[str] = field(default_factory=list)
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """The report as data."""

    schema_version: Literal["1.0"] = "1.0"
    id: str
    tenant_id: str = ""
    job_id: str | None = None
    status: Literal["complete", "partial"] = "complete"
    url: Url
    page: Page
    capture: Capture
    engine: Engine
    scores: Scores
    sections: list[ResultSection] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    rules: list[RuleResult] = field(default_factory=list)
    strengths: list[str] = field(default_factory=list)
    facts: dict[str, int] = field(default_factory=dict)
    timings_ms: dict[str, float] = field(default_factory=dict)
