"""What the rules hand to a model and what it hands back: the seam between measuring and judging."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from contracts.analyze import Preset
from contracts.facts import PageFacts
from contracts.geometry import ViewportName
from contracts.result import (
    AiRun,
    DegradedReason,
    Finding,
    Memo,
    PageType,
    ResultSection,
    RuleResult,
    Ticket,
    TicketState,
)


@dataclass(frozen=True)
class JudgedPage:
    """A measured page. `images` holds encoded pictures (JPEG, PNG or WebP) by section id, as far as there are any.

    Without `facts` it is a picture of a page: there are no elements and no words, only pixels.
    """

    url: str
    language: str
    type: PageType
    facts: Mapping[ViewportName, PageFacts]
    sections: tuple[ResultSection, ...]
    images: Mapping[str, bytes]
    findings: tuple[Finding, ...]
    rules: tuple[RuleResult, ...] = ()
    tenant_id: str = ""
    analysis_id: str = ""
    ai_budget_usd: Decimal | None = None
    rules_version: str = ""
    memo: Memo | None = None


@dataclass(frozen=True)
class Judgement:
    """A model's verified answer.

    `merged` explains rule findings (finding id → text), `section_summaries` and `section_types` are by section id.
    `degraded_reason` is empty when the preset's own model answered in full. `memo` is what to keep for the next time.
    """

    findings: tuple[Finding, ...]
    run: AiRun
    prompt_version: str = ""
    merged: Mapping[str, str] = field(default_factory=dict)
    section_summaries: Mapping[str, str] = field(default_factory=dict)
    section_types: Mapping[str, str] = field(default_factory=dict)
    strengths: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    degraded_reason: DegradedReason = DegradedReason.NONE
    degraded_detail: str = ""
    memo: Memo | None = None


class Judge(Protocol):
    """Asks a model about a page within `budget_ms`. Raises `ServiceError` when it cannot answer in time."""

    async def __call__(self, page: JudgedPage, preset: Preset, budget_ms: int) -> Judgement:
        """Judge one page."""
        ...


class BulkJudge(Protocol):
    """Asks a model in message batches. Raises `ServiceError` as a `Judge` does."""

    async def hand_in(self, page: JudgedPage, preset: Preset, budget_ms: int) -> Judgement | Ticket:
        """Send a page in a batch. A page whose answer is known already is judged at once."""
        ...

    async def redeem(self, page: JudgedPage, preset: Preset, budget_ms: int, ticket: Ticket) -> Judgement | Ticket:
        """Judge the page that was handed in; the same ticket again where it is too early."""
        ...

    async def look(self, ticket: Ticket) -> TicketState:
        """Say what a ticket is worth."""
        ...
