"""Captures as the API shows them."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

from cro_analyzer.models.jobs import Problem, State
from cro_analyzer.models.report import Box

Tier: TypeAlias = Literal["auto", "static", "browser", "unblocker"]
"""How a page is had. `auto` begins with static and escalates when what came is not the page."""


Reason: TypeAlias = Literal[
    "asked", "first", "remembered", "needs_browser_output", "needs_javascript", "blocked", "failed", "slow", "recheck"
]
"""Why the tier that answered was the one."""


RenderWarning: TypeAlias = Literal[
    "truncated",
    "not_settled",
    "load_timeout",
    "images_pending",
    "fonts_pending",
    "layout_moved",
    "facts_missing",
    "pictures_missing",
    "documents_missing",
    "page_empty",
    "requests_blocked",
    "wait_failed",
    "selector_missing",
]
"""What a result lacks."""


@dataclass(frozen=True, kw_only=True)
class Viewport:
    """What the page is shown in. `mobile` turns on touch, the mobile user agent and the viewport meta tag."""

    width: int = 1440
    height: int = 900
    device_scale_factor: float = 1
    mobile: bool = False


@dataclass(frozen=True, kw_only=True)
class ArtifactLinks:
    """Where the bytes are."""

    href: str = field(metadata={"name": "self"})
    """with your key"""
    signed: str
    """for anybody who has it, for a while; relative to this API where it names no host"""


@dataclass(frozen=True, kw_only=True)
class ArtifactRead:
    """A stored piece of the result."""

    name: str
    content_type: str
    bytes: int
    sha256: str
    width: int | None = None
    """pixels of the image"""
    height: int | None = None
    viewport: Viewport
    box: Box | None = None
    """the part of the page that the image shows"""
    links: ArtifactLinks


@dataclass(frozen=True, kw_only=True)
class Section:
    """A horizontal part of the page, as split in one viewport."""

    id: str
    viewport: Viewport
    box: Box
    heading: str = ""
    tag: str = ""
    kind: str = ""
    """hero, form, pricing, product, testimonials, logos, faq, features, cart, footer, other"""
    artifact: str = ""
    """name of its picture, if one was asked for"""
    sampled: str = ""
    """`n of m` where repeated rows were left out"""


@dataclass(frozen=True, kw_only=True)
class Completeness:
    """What one viewport's pictures lack. `complete` is true when nothing is listed."""

    viewport: Viewport
    complete: bool
    attempts: int = 1
    """2: the page was given a second chance, and this is what was better"""
    images_pending: list[str] = field(default_factory=list)
    """URLs, at most 20"""
    fonts_missing: list[str] = field(default_factory=list)
    """families that did not load, at most 20"""
    blank_bands: list[Box] = field(default_factory=list)
    """screen-high parts of the page in one colour"""
    unrevealed: list[Box] = field(default_factory=list)
    """content that is laid out but not shown"""
    consent_left: bool = False
    """a consent banner was asked away and is still there"""


@dataclass(frozen=True, kw_only=True)
class BannerAction:
    """One thing that was done about a banner or an overlay."""

    viewport: Viewport
    kind: str
    """consent, dialog, newsletter, chat, other"""
    selector: str = ""
    action: Literal["declined", "dismissed", "hidden", "failed"]
    coverage: float = 0
    """share of the first screen that it covered, 0 to 1"""


@dataclass(frozen=True, kw_only=True)
class Timings:
    """Milliseconds of each phase. `browser_ms` is the time spent waiting on Chromium, `own_ms` the rest."""

    queue_ms: float = 0
    open_ms: float = 0
    goto_ms: float = 0
    settle_ms: float = 0
    facts_ms: float = 0
    capture_ms: float = 0
    upload_ms: float = 0
    total_ms: float = 0
    browser_ms: float = 0
    own_ms: float = 0


@dataclass(frozen=True, kw_only=True)
class TierAttempt:
    """One tier that was tried."""

    tier: Tier
    reason: Reason
    outcome: str
    """ok, needs_javascript, blocked, or an error code"""
    http_status: int = 0
    ms: float = 0
    bytes: int = 0
    cost_usd: Decimal = Decimal(0)
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class CaptureResult:
    """The page: how it was had, what it answered, what was made of it, and what that lacks."""

    requested_url: str
    final_url: str
    redirects: int = 0
    http_status: int
    title: str = ""
    artifacts: dict[str, ArtifactRead] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)
    partial: bool = False
    warnings: list[RenderWarning] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    """what was still loading, at most 20 URLs"""
    completeness: list[Completeness] = field(default_factory=list)
    """one verdict for each viewport"""
    banner_actions: list[BannerAction] = field(default_factory=list)
    """in the order in which they were done"""
    response_headers: dict[str, str] = field(default_factory=dict)
    """of the main document; no Set-Cookie"""
    settled_by: Literal["quiet", "cap", "load", "none"] = "none"
    chromium: str = ""
    captured_at: str = ""
    """RFC 3339, UTC"""
    timings: Timings = field(default_factory=Timings)
    source: Literal["browser", "upload"] = "browser"
    """upload: no page was opened; the artifact `upload` is all there is"""
    tier: Tier
    reason: Reason
    cost_usd: Decimal = Decimal(0)
    attempts: list[TierAttempt] = field(default_factory=list)
    charset: str = ""


@dataclass(frozen=True, kw_only=True)
class CaptureAsked:
    """What was asked, with all defaults; what is confidential was dropped, and is only named."""

    tier: Tier
    max_tier: Tier
    max_cost_usd: Decimal | None
    outputs: list[dict[str, object]]
    visit: dict[str, object]
    prepare: dict[str, object]
    fail_if: dict[str, object]
    settle: dict[str, object] | None
    politeness: dict[str, object]
    withheld: list[str]
    """parts of `visit` that were given and are not shown: headers, cookies, auth"""


@dataclass(frozen=True, kw_only=True)
class CaptureLinks:
    """Where to go from here."""

    href: str = field(metadata={"name": "self"})


@dataclass(frozen=True, kw_only=True)
class CaptureSummary:
    """A capture without its result."""

    id: str
    status: State
    url: str
    attempt: int
    """attempts begun; a busy renderer or a restarted worker costs none"""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: Problem | None = None
    """why it failed or was cancelled"""
    links: CaptureLinks


@dataclass(frozen=True, kw_only=True)
class CaptureRead(CaptureSummary):
    """A capture with its result, when it has one."""

    asked: CaptureAsked
    cached: bool = False
    """true: it was finished at `finished_at`, before this request asked for it"""
    cost_usd: Decimal | None = None
    """what this answer cost; 0 where cached"""
    result: CaptureResult | None = None
