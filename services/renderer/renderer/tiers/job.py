"""One request on its way through the tiers, and what each tier made of it."""

import time
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from contracts.errors import ErrorCode, FieldError
from contracts.fetch import FetchRequest, Reason, Tier, TierAttempt
from contracts.outputs import DocumentKind
from contracts.visit import Prepare
from renderer.render import Rendered
from renderer.tiers.page import Page
from renderer.tiers.seen import Seen
from renderer.tiers.verdict import PAGE, Finding, Verdict
from renderer.tiers.visitor import Visitor
from runtime.errors import ServiceError
from runtime.netguard import Target

_DOCUMENTS = frozenset(kind.value for kind in DocumentKind)
_NOTHING_PREPARED = Prepare()
_LADDER = (Tier.STATIC, Tier.BROWSER, Tier.UNBLOCKER)


@dataclass(frozen=True)
class Job:
    """A request with what was worked out of it. `begun` is a reading of the monotonic clock."""

    request: FetchRequest
    target: Target
    visitor: Visitor
    tiers: tuple[Tier, ...]
    begun: float

    @property
    def left(self) -> timedelta:
        """What is left of the budget; never negative."""
        return timedelta(seconds=max(0.0, self.begun + self.request.budget_ms / 1_000 - time.monotonic()))

    @property
    def delay(self) -> timedelta:
        """The shortest time between two requests to one host."""
        return timedelta(milliseconds=self.request.politeness.delay_ms)

    @property
    def site(self) -> str:
        """What is remembered together: one host and port."""
        return f"{self.target.host}:{self.target.port}"


@dataclass(frozen=True)
class Found:
    """What a tier brought: a page over plain HTTP, or what the browser rendered."""

    status: int
    bytes: int
    verdict: Verdict = PAGE
    page: Page | None = None
    seen: Seen | None = None
    rendered: Rendered | None = None
    cost_usd: Decimal = Decimal(0)


@dataclass(frozen=True)
class Tried:
    """One attempt: something found, or an error."""

    tier: Tier
    reason: Reason
    ms: float
    found: Found | None = None
    error: ServiceError | None = None
    cost_usd: Decimal = Decimal(0)

    @property
    def good(self) -> bool:
        """Whether it is the page."""
        return self.found is not None and self.found.verdict.finding is Finding.PAGE

    @property
    def outcome(self) -> str:
        """The word for it: ok, needs_javascript, blocked, or an error code."""
        if self.error:
            return self.error.code.value
        return self.found.verdict.finding.value if self.found else ""

    def attempt(self) -> TierAttempt:
        """Return it as the caller sees it."""
        return TierAttempt(
            tier=self.tier,
            reason=self.reason,
            outcome=self.outcome,
            http_status=self.found.status if self.found else 0,
            ms=round(self.ms, 1),
            bytes=self.found.bytes if self.found else 0,
            cost_usd=self.cost_usd,
            error=self.error.code if self.error else None,
        )


@dataclass
class Climb:
    """All attempts of a job in the order in which they began, and the one that is the answer."""

    tried: list[Tried] = field(default_factory=list)
    winner: Tried | None = None


def needs_browser(request: FetchRequest) -> str:
    """Return the field that only a browser can serve, or an empty string."""
    for index, output in enumerate(request.outputs):
        if output.kind not in _DOCUMENTS:
            return f"outputs.{index}.kind"
    if request.prepare != _NOTHING_PREPARED:
        return "prepare"
    return "fail_if.request_failed" if request.fail_if.request_failed else ""


def tiers_for(request: FetchRequest, unblocker: Decimal | None) -> tuple[Tier, ...]:
    """Return the tiers that may serve `request`, cheapest first; `unblocker` is its price, None where there is none.

    Raises `ServiceError` (invalid_request) when there is none, naming the field.
    """
    only_browser = needs_browser(request)
    if request.max_tier is Tier.AUTO:
        raise _invalid("max_tier", "Name the dearest tier: static, browser or unblocker.")
    asked = request.tier
    wanted = _LADDER[: _LADDER.index(request.max_tier) + 1] if asked is Tier.AUTO else (asked,)
    if only_browser and Tier.BROWSER not in wanted:
        name = "tier" if asked is not Tier.AUTO else "max_tier"
        raise _invalid(name, f"The {wanted[-1]} tier cannot serve {only_browser}. Allow the browser.")
    if asked is Tier.UNBLOCKER:
        _check_unblocker(request, unblocker)
    dear = unblocker is None or (request.max_cost_usd is not None and unblocker > request.max_cost_usd)
    return tuple(
        tier for tier in wanted if (tier is Tier.BROWSER or not only_browser) and not (tier is Tier.UNBLOCKER and dear)
    )


def _check_unblocker(request: FetchRequest, price: Decimal | None) -> None:
    if price is None:
        raise _invalid("tier", "No unblocker is configured here. Use auto, static or browser.")
    if request.max_cost_usd is not None and price > request.max_cost_usd:
        raise _invalid("max_cost_usd", f"The unblocker costs {price} USD a page. Raise the limit, or use another tier.")


def _invalid(name: str, message: str) -> ServiceError:
    return ServiceError(
        ErrorCode.INVALID_REQUEST, f"{name}: {message}", errors=[FieldError(field=name, message=message)]
    )
