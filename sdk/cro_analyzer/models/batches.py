"""Batches as the API shows them."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

from cro_analyzer.models.captures import TierAttempt
from cro_analyzer.models.jobs import FINAL

BatchKind: TypeAlias = Literal["analysis", "capture"]
BatchState: TypeAlias = Literal["queued", "running", "paused", "completed", "cancelled"]
ENDED = frozenset({"completed", "cancelled"})
"""States in which a batch does nothing more by itself."""

REJECTED = "rejected"
"""The status of a URL that was set aside at acceptance, beside those of jobs."""


@dataclass(frozen=True, kw_only=True)
class BatchCounts:
    """URLs by state. `held` ones wait for the batch's own turn, `queued` ones for a worker."""

    total: int
    held: int = 0
    queued: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    rejected: int = 0
    """set aside at acceptance; not in `total`"""

    @property
    def ended(self) -> int:
        """How many have come to their end, whichever."""
        return self.succeeded + self.failed + self.cancelled


@dataclass(frozen=True, kw_only=True)
class TierCounts:
    """Succeeded URLs by the tier that gave the page."""

    static: int = 0
    browser: int = 0
    unblocker: int = 0


@dataclass(frozen=True, kw_only=True)
class RejectedUrl:
    """A URL that was set aside, and why."""

    place: int = 0
    """its place in the request, from 0"""
    url: str
    reason: str
    """duplicate, cut_off, or the error code that a request for it alone would have met"""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class ResultError:
    """Why a URL, or a sitemap, gave nothing: `code` is a documented error code, or why it was set aside."""

    code: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class BatchLinks:
    """Where to go from here."""

    href: str = field(default="", metadata={"name": "self"})
    results: str = ""
    rejected: str = ""
    events: str = ""


@dataclass(frozen=True, kw_only=True)
class BatchRead:
    """A batch: how far it is, and what of it was refused."""

    id: str
    status: BatchState
    kind: BatchKind = "capture"
    counts: BatchCounts
    tiers: TierCounts = field(default_factory=TierCounts)
    cost: Decimal = Decimal(0)
    """USD so far, with providers"""
    concurrency: int = 0
    rate: float | None = None
    """URLs ended per second since the start"""
    estimated_finish: datetime | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    asked: dict[str, object] = field(default_factory=dict)
    rejected: list[RejectedUrl] = field(default_factory=list)
    """the first 100; `batches.rejected` gives all"""
    error: ResultError | None = None
    """why it ended before it had URLs: a sitemap that cannot be read"""
    links: BatchLinks = field(default_factory=BatchLinks)

    @property
    def ended(self) -> bool:
        """Whether nothing changes any more by itself."""
        return self.status in ENDED


@dataclass(frozen=True, kw_only=True)
class ResultArtifact:
    """A stored piece of one URL's result."""

    content_type: str
    bytes: int
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """What became of one URL of a batch. `raw` is its line as the API wrote it, newer fields included."""

    url: str
    status: str
    """a job's state, or `rejected`"""
    id: str = ""
    """of the capture or analysis; empty where it was rejected"""
    tier: str | None = None
    reason: str | None = None
    """why that tier"""
    cost: Decimal = Decimal(0)
    error: ResultError | None = None
    final_url: str = ""
    http_status: int = 0
    title: str = ""
    score: int | None = None
    partial: bool = False
    warnings: list[str] = field(default_factory=list)
    attempts: list[TierAttempt] = field(default_factory=list)
    ms: float = 0
    artifacts: dict[str, ResultArtifact] = field(default_factory=dict)
    raw: dict[str, object] = field(default_factory=dict, repr=False)

    @property
    def ok(self) -> bool:
        """Whether the page was had."""
        return self.status == "succeeded"

    @property
    def ended(self) -> bool:
        """Whether nothing changes any more."""
        return self.status in FINAL or self.status == REJECTED


@dataclass(frozen=True)
class Bookmark:
    """How far a batch's results have been taken: a page of them, and which of that page."""

    cursor: str | None = None
    told: frozenset[int] = frozenset()


@dataclass(frozen=True)
class NewResults:
    """What was new at a look: results that had not been told at `bookmark`, and where to go on."""

    batch: BatchRead
    results: list[BatchResult]
    bookmark: Bookmark
    complete: bool
    """no result is left to come"""
    more: bool = False
    """there is another page to look at right now"""
