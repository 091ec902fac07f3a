"""The public result document, schema 1.0: what a customer receives, stores and shows."""

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import Field

from contracts.geometry import Box, ViewportName
from contracts.wire import Wire


class Severity(StrEnum):
    """How much a finding matters, from a table in code: rule × page type × reach. Never from the model."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class Grade(StrEnum):
    """A: standard or plain fact. B: published study or benchmark. C: practitioner convention."""

    A = "A"
    B = "B"
    C = "C"


class LiftFactor(StrEnum):
    """The LIFT model's factors of conversion."""

    VALUE_PROPOSITION = "value_proposition"
    RELEVANCE = "relevance"
    CLARITY = "clarity"
    URGENCY = "urgency"
    ANXIETY = "anxiety"
    DISTRACTION = "distraction"


class PageType(StrEnum):
    """What the page is for, by signals."""

    LANDING = "landing"
    PRODUCT = "product"
    CHECKOUT = "checkout"
    PRICING = "pricing"
    OTHER = "other"


class Outcome(StrEnum):
    """What a rule found."""

    FAIL = "fail"
    WARN = "warn"
    PASS = "pass"  # noqa: S105  # a verdict
    NOT_APPLICABLE = "not_applicable"
    ERROR = "error"


class Reliability(StrEnum):
    """Whether a figure may count: `indicative` ones are shown and never scored."""

    MEASURED = "measured"
    ESTIMATED = "estimated"
    INDICATIVE = "indicative"


class Reach(StrEnum):
    """Which visitors meet the finding."""

    DESKTOP = "desktop"
    MOBILE = "mobile"
    BOTH = "both"


class Asset(Wire):
    """A stored picture of the page. `key` is its name in the artifact store, `w` and `h` its pixels."""

    kind: Literal["full", "first_screen", "section"]
    viewport: ViewportName
    key: str
    w: int
    h: int
    sha256: str
    box: Box | None = None


class Url(Wire):
    """Asked for, arrived at."""

    requested: str
    final: str
    redirects: int = 0
    http_status: int


class Page(Wire):
    """What kind of page it is."""

    type: PageType
    language: str = ""
    title: str = ""
    content_hash: str = Field("", description="sha256 of the visible text")


class Capture(Wire):
    """How the page was taken."""

    at: str
    chromium: str = ""
    viewports: list[str] = Field(default_factory=list)
    settled_by: str = ""
    consent_action: Literal["declined", "none", "failed"] = "none"
    height_px: dict[str, float] = Field(default_factory=dict)
    truncated: bool = False
    warnings: list[str] = Field(default_factory=list)
    assets: list[Asset] = Field(default_factory=list)


class TokenUsage(Wire):
    """Tokens as the provider billed them."""

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    thinking: int = 0


class AiRun(Wire):
    """What the model was asked, what it cost and how much of its answer survived the checks."""

    provider: Literal["anthropic"] = "anthropic"
    model: str
    api_version: str = ""
    requests: int = 0
    request_ids: list[str] = Field(default_factory=list)
    stop_reasons: list[str] = Field(default_factory=list)
    usage: TokenUsage = TokenUsage()
    cost_usd: str = "0"
    price_table: str = ""
    batch: bool = False
    reused: bool = Field(False, description="the same page was judged before: its answer was checked again, at no cost")
    proposed: int = 0
    verified: int = 0
    supported: int = 0
    rejected: int = 0


class DegradedReason(StrEnum):
    """Why a page was judged by less than was asked for. `degraded_detail` may say more; see docs/errors.md."""

    NONE = ""
    NO_KEY = "no_key"
    BUDGET = "budget"
    UNAVAILABLE = "unavailable"
    ACCOUNT = "account"
    MISCONFIGURED = "misconfigured"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    UNUSABLE = "unusable"
    NOTHING_TO_JUDGE = "nothing_to_judge"
    SMALLER_MODEL = "smaller_model"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, _value: object) -> "DegradedReason":
        # Stored results and newer releases may hold other words; a reader must not fail on one.
        return cls.UNKNOWN


class Engine(Wire):
    """What judged the page, and what it had to do without. With `ai_pending` the model is asked again later."""

    mode: Literal["rules", "rules+ai"]
    degraded: bool = False
    degraded_reason: DegradedReason = DegradedReason.NONE
    degraded_detail: str = Field("", description="which model failed in which way, for people")
    ai_pending: bool = Field(False, description="rules alone for now; the model's findings follow")
    rules_version: str
    prompt_version: str = ""
    overrides: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="thresholds of the tenant's own, by rule"
    )
    ai: AiRun | None = None


class ScoreStep(Wire):
    """One deduction: points = weight × severity × reach (× 0.5 for grade C)."""

    finding_id: str
    factor: LiftFactor
    points: float = Field(le=0)
    weight: float
    severity_factor: float
    reach_factor: float
    grade_factor: float


class Scores(Wire):
    """100 minus the deductions in `explanation`, never below 0; per LIFT factor and in all."""

    overall: int = Field(ge=0, le=100)
    by_factor: dict[LiftFactor, int]
    explanation: list[ScoreStep] = Field(default_factory=list)
    note: str = ""
    scored: bool = Field(True, description="false: no rule could be applied, so that `overall` says nothing")


class ResultSection(Wire):
    """A labelled part of the page."""

    id: str
    type: str
    viewport: ViewportName
    box: Box
    asset_key: str = ""
    heading: str = ""
    summary: str = ""
    sampled: str | None = None


class Evidence(Wire):
    """Something that can be checked: a number against a threshold, a quote, an element, pixels."""

    kind: Literal["measurement", "quote", "element", "screenshot"]
    viewport: ViewportName
    metric: str = ""
    value: float | str | None = None
    threshold: float | str | None = None
    unit: str = ""
    reliability: Reliability = Reliability.MEASURED
    selector: str = ""
    element_id: str = ""
    text: str = ""
    box: Box | None = None
    asset_key: str = ""


class Suggestion(Wire):
    """What to do, in exact terms where there are any."""

    summary: str
    current: str = ""
    proposed: str = ""
    effort: Literal["small", "medium", "large"] = "small"
    hypothesis: str = ""


class Finding(Wire):
    """A conversion problem with its proof."""

    id: str
    fingerprint: str = Field(description="the same for the same problem on the same page in every run")
    source: Literal["rule", "ai", "both"] = "rule"
    rule_ids: list[str] = Field(default_factory=list)
    question_id: str = ""
    category: str
    lift_factor: LiftFactor
    heuristics: list[str] = Field(default_factory=list)
    severity: Severity
    confidence: Literal["high", "medium", "low"] = "high"
    evidence_grade: Grade
    verification: Literal["verified", "supported"] = "verified"
    section_id: str = ""
    viewport: Reach
    title: str
    description: str
    evidence: list[Evidence] = Field(default_factory=list)
    suggestion: Suggestion
    references: list[str] = Field(default_factory=list)
    status: Literal["open", "dismissed", "fixed"] = "open"


class RuleResult(Wire):
    """What one rule said in one viewport, findings or not."""

    id: str
    viewport: ViewportName
    outcome: Outcome
    value: float | str | None = None
    unit: str = ""
    threshold: list[float | str] = Field(default_factory=list, description="[warn, fail], or [fail]")
    reliability: Reliability = Reliability.MEASURED
    element_ids: list[str] = Field(default_factory=list)
    detail: str = ""


class Analysis(Wire):
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
    sections: list[ResultSection] = Field(default_factory=list)
    findings: list[Finding] = Field(default_factory=list)
    rules: list[RuleResult] = Field(default_factory=list)
    strengths: list[str] = Field(default_factory=list)
    facts: dict[str, int] = Field(default_factory=dict)
    timings_ms: dict[str, float] = Field(default_factory=dict)


class Memo(Wire):
    """A model's answer to a page, kept by the caller for the next analysis of the same page.

    `key` covers the tenant, all that was sent, the versions and the model: an answer is used again only where it is
    the same. `answer` is the model's own text and is checked anew each time.
    """

    key: str = Field(max_length=100)
    answer: str = Field(max_length=400_000)
    model: str = Field(max_length=100)
    api_version: str = Field("", max_length=40)


class Ticket(Wire):
    """A claim on an answer that a message batch brings within 24 hours; the caller keeps it until then.

    `claim` is for the analyzer alone to read. It holds no secret.
    """

    claim: str = Field(max_length=4_000)
    most_usd: Decimal = Field(Decimal(0), ge=0, description="what the answer costs at most, as far as prices are known")


class TicketState(StrEnum):
    """What a ticket is worth. `lost`: nobody can redeem it any more, though its answer may have been paid for."""

    WAITING = "waiting"
    READY = "ready"
    LOST = "lost"


class TicketRead(Wire):
    """What POST /tickets answers."""

    state: TicketState


class Analyzed(Analysis):
    """What POST /analyze answers: the report and, for the caller alone, what to keep and when to ask again."""

    memo: Memo | None = Field(None, description="pass it as `memo` with the next analysis of this page")
    retry_after_s: float | None = Field(None, description="when to ask again, where `engine.ai_pending`")
    ticket: Ticket | None = Field(None, description="pass it with the next call: a batch was, or still is, on its way")

    def public(self) -> Analysis:
        """Return the report alone."""
        return Analysis.model_validate(self.model_dump(exclude={"memo", "retry_after_s", "ticket"}))
