"""A page through the cheapest tier that gives it whole: plain HTTP, Chromium, or a provider that gets past blocks."""

from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from contracts.errors import ErrorCode
from contracts.render import RenderRequest, RenderResult
from contracts.wire import PublicInput, Wire


class Tier(StrEnum):
    """How a page is had. `auto` begins with static and escalates when what came is not the page."""

    AUTO = "auto"
    STATIC = "static"
    BROWSER = "browser"
    UNBLOCKER = "unblocker"


class Reason(StrEnum):
    """Why the tier that answered was the one."""

    ASKED = "asked"
    FIRST = "first"
    REMEMBERED = "remembered"
    NEEDS_BROWSER_OUTPUT = "needs_browser_output"
    NEEDS_JAVASCRIPT = "needs_javascript"
    BLOCKED = "blocked"
    FAILED = "failed"
    SLOW = "slow"
    RECHECK = "recheck"


class Politeness(PublicInput):
    """How one host is treated."""

    robots: bool = Field(False, description="true: what robots.txt disallows is refused with `robots_disallowed`")
    delay_ms: int = Field(0, ge=0, le=60_000, description="shortest time between two requests to one host")


class TierAttempt(Wire):
    """One tier that was tried."""

    tier: Tier
    reason: Reason
    outcome: str = Field(description="ok, needs_javascript, blocked, or an error code")
    http_status: int = 0
    ms: float = 0
    bytes: int = 0
    cost_usd: Decimal = Decimal(0)
    error: ErrorCode | None = None


class FetchRequest(RenderRequest):
    """One page, through the tiers that are allowed."""

    tier: Tier = Tier.AUTO
    max_tier: Tier = Field(Tier.BROWSER, description="the dearest tier that `auto` may use")
    max_cost_usd: Decimal | None = Field(None, ge=0, description="a tier that would cost more is not tried")
    politeness: Politeness = Politeness()
    spare_browser: bool = Field(
        False, description="true: an idle browser may check what plain HTTP gave, whatever `max_tier` says"
    )
    climbed: list[TierAttempt] = Field(
        default_factory=list, max_length=10, description="what was tried before: `auto` goes on behind it"
    )


class FetchResult(RenderResult):
    """A page and how it was had; `cost_usd` sums all attempts that a provider bills."""

    tier: Tier
    reason: Reason
    cost_usd: Decimal = Decimal(0)
    attempts: list[TierAttempt] = Field(default_factory=list)
    charset: str = ""
