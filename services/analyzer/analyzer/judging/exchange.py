"""What passes between the judge and whatever reaches Claude: a prompt, a reply, and the kinds of trouble."""

from dataclasses import dataclass
from enum import StrEnum

from analyzer.judging.answer import Answer
from analyzer.judging.pictures import Picture
from contracts.errors import ErrorCode
from contracts.result import AiRun, DegradedReason, TokenUsage
from runtime.errors import ServiceError


class Trouble(StrEnum):
    """Why there is no usable answer: log field and metric label."""

    RATE_LIMITED = "rate_limited"
    SPEND_LIMIT = "spend_limit"
    OVERLOADED = "overloaded"
    SERVER = "server"
    CONNECTION = "connection"
    TIMEOUT = "timeout"
    CREDENTIALS = "credentials"
    REQUEST = "request"
    GARBLED = "garbled"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    NOTHING_TO_JUDGE = "nothing_to_judge"
    CIRCUIT_OPEN = "circuit_open"
    BUDGET = "budget"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Prompt:
    """One request's parts, trusted and untrusted kept apart. `rubric` is the same for all pages and is cached."""

    rubric: str
    marker: str
    task: str
    pictures: tuple[tuple[str, Picture], ...]
    document: str
    closing: str
    answer: type[Answer]
    user_id: str


@dataclass(frozen=True)
class Reply:
    """What came back and what it cost, whether or not it is an answer."""

    text: str
    stop_reason: str
    usage: TokenUsage
    request_id: str
    model: str
    api_version: str
    batch: bool = False


@dataclass(frozen=True)
class BatchStatus:
    """How far a batch is; `expires_s` is in seconds since 1970."""

    id: str
    ended: bool
    processing: int
    expires_s: float


_DETAILS = {
    Trouble.SPEND_LIMIT: "The model provider's spending limit is reached.",
    Trouble.CREDENTIALS: "The model provider refused the API key: check ANTHROPIC_API_KEY.",
    Trouble.REQUEST: "The model provider refused the request: check the CLAUDE_MODEL_* settings.",
    Trouble.TIMEOUT: "The model did not answer in time.",
    Trouble.REFUSED: "The model declined to judge this page.",
    Trouble.TRUNCATED: "The model's answer was cut off: raise CLAUDE_MAX_OUTPUT_TOKENS.",
    Trouble.BUDGET: "The AI budget is spent.",
    Trouble.EXPIRED: "The batch did not run in time.",
    Trouble.CANCELLED: "The batch was cancelled.",
    Trouble.NOTHING_TO_JUDGE: "The page has no section that a model could judge.",
}
_DETAIL = "The model provider cannot answer now."
_DEGRADED = {
    Trouble.BUDGET: DegradedReason.BUDGET,
    Trouble.SPEND_LIMIT: DegradedReason.ACCOUNT,
    Trouble.CREDENTIALS: DegradedReason.ACCOUNT,
    Trouble.REQUEST: DegradedReason.MISCONFIGURED,
    Trouble.TIMEOUT: DegradedReason.TIMEOUT,
    Trouble.REFUSED: DegradedReason.REFUSED,
    Trouble.GARBLED: DegradedReason.UNUSABLE,
    Trouble.TRUNCATED: DegradedReason.UNUSABLE,
    Trouble.MALFORMED: DegradedReason.UNUSABLE,
    Trouble.NOTHING_TO_JUDGE: DegradedReason.NOTHING_TO_JUDGE,
}
_PASSES = frozenset(
    {
        Trouble.RATE_LIMITED,
        Trouble.OVERLOADED,
        Trouble.SERVER,
        Trouble.CONNECTION,
        Trouble.TIMEOUT,
        Trouble.GARBLED,
        Trouble.CIRCUIT_OPEN,
    }
)
"""What may be gone in an hour. The same page would be refused again, and a spent budget is spent again tomorrow."""


@dataclass(frozen=True)
class ModelState:
    """What the provider says about a model. `retires_at` is RFC 3339, empty where no date is set."""

    lifecycle: str
    retires_at: str = ""
    lacks: tuple[str, ...] = ()


class ClaudeUnavailable(ServiceError):  # noqa: N818  # it says a state, as its code does
    """No usable answer. `run` is what was spent all the same; None while nothing was."""

    def __init__(self, trouble: Trouble, reason: str, retry_after_s: float | None = None) -> None:
        """Make it of the kind of trouble and the text for the log."""
        detail = _DETAILS.get(trouble, _DETAIL)
        self._said = reason
        reason = f"{trouble}: {reason}"
        super().__init__(ErrorCode.ANALYSIS_UNAVAILABLE, detail, reason=reason, retry_after_s=retry_after_s)
        self.trouble = trouble
        self.degraded = _DEGRADED.get(trouble, DegradedReason.UNAVAILABLE)
        self.passes = trouble in _PASSES
        self.run: AiRun | None = None

    def again(self) -> "ClaudeUnavailable":
        """Return the same for another who waited for it: whoever catches one writes into it."""
        return ClaudeUnavailable(self.trouble, self._said, self.retry_after_s)
