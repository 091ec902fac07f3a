"""What the analyzer is asked. It answers with `contracts.result.Analyzed`."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import AllowInfNan, Field

from contracts.render import RenderResult, TransferSlot
from contracts.result import Memo, Ticket
from contracts.wire import PublicInput

Overrides = dict[str, dict[str, Annotated[float, AllowInfNan(False)]]]  # noqa: FBT003  # its only argument
"""Rule id → name of a threshold → a tenant's own value."""


class Preset(StrEnum):
    """How much judgement is bought. `rules` never calls the model."""

    RULES = "rules"
    FAST = "fast"
    STANDARD = "standard"
    DEEP = "deep"


class Asking(StrEnum):
    """When the model is asked, and at which price.

    `later`: not in this call, which gives the rules' part at once. `bulk`: in a message batch, at half the price and
    within 24 hours; this call gives a ticket, and a later one redeems it.
    """

    NOW = "now"
    LATER = "later"
    BULK = "bulk"


class AnalyzeRequest(PublicInput):
    """A rendered page, or (`render.source` upload) a picture of one, and where to read its artifacts."""

    job_id: str = Field("", max_length=100)
    tenant_id: str = Field("", max_length=100)
    analysis_id: str = Field(max_length=100)
    preset: Preset = Preset.STANDARD
    render: RenderResult
    downloads: dict[str, TransferSlot] = Field(description="artifact name → where to GET it; inline data needs none")
    asset_keys: dict[str, str] = Field(default_factory=dict, description="artifact name → key to name in the result")
    ai_budget_usd: Decimal | None = Field(None, ge=0, description="the model may cost no more; none: no limit")
    overrides: Overrides = Field(
        default_factory=dict, max_length=60, description="thresholds that replace the defaults; the result names them"
    )
    budget_ms: int = Field(60_000, ge=1_000, le=180_000)
    ai_later: bool = Field(False, description="the caller asks again later: say `ai_pending` where that may help")
    memo: Memo | None = Field(None, description="what the last analysis of this page gave to keep")
    ai: Asking = Field(Asking.NOW, description="when the model is asked; no matter to the preset `rules`")
    ticket: Ticket | None = Field(None, description="redeem it, whatever `ai` says")
