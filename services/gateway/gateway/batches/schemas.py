"""What customers send and receive about batches."""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from contracts.wire import PublicInput, Wire
from gateway.batches.entries import Entry
from gateway.batches.store import Record, Reject
from gateway.jobs.states import BatchState, Document, Kind
from gateway.receivers import WebhookUrl

BATCHES = "/v1/batches"
MAX_URLS = 10_000
DEFAULT_CONCURRENCY = 100
MAX_CONCURRENCY = 100
MAX_STATIC_CONCURRENCY = 500
MAX_UNBLOCKER_CONCURRENCY = 3


class BatchKind(StrEnum):
    """What is done with each URL."""

    ANALYSIS = "analysis"
    CAPTURE = "capture"


class WebhookEvents(StrEnum):
    """What is told of a batch."""

    END = "end"
    EACH = "each"


class BatchAsked(PublicInput):
    """What goes for all URLs of a batch."""

    kind: BatchKind = BatchKind.ANALYSIS
    options: Document = Field(
        default_factory=dict,
        description="for all URLs: what a single analysis or capture may say of how it is made",
    )
    concurrency: int | None = Field(
        None,
        ge=1,
        le=MAX_STATIC_CONCURRENCY,
        description="URLs in the queue and in work at once; missing: 100, for the unblocker 3. "
        "At most 500 for the static tier, 3 for the unblocker, 100 else",
    )
    max_cost_usd: Decimal | None = Field(
        None, ge=0, le=1_000_000, description="what all URLs together may cost; those beyond it are cancelled"
    )

    webhook_url: WebhookUrl = None
    webhook_events: WebhookEvents = Field(
        WebhookEvents.END,
        description="what `webhook_url` and your endpoints are told: the end of the batch, or `each` URL's, too",
    )

    @property
    def job_kind(self) -> Kind:
        """The kind of the jobs that its URLs become."""
        return Kind(self.kind.value)


class BatchCreate(BatchAsked):
    """Up to 10,000 URLs, or the address of a sitemap that lists them."""

    urls: list[str | Entry] = Field(
        default_factory=list,
        max_length=MAX_URLS,
        description="addresses, or objects with `url` and `options` that go before those of the batch",
    )
    sitemap: str | None = Field(
        None,
        max_length=4_096,
        description="in the place of `urls`: a sitemap.xml, an index of them, packed or not, or a list of lines; it is "
        "read after the answer, and its first 10,000 URLs are taken",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.urls) == (self.sitemap is not None):
            raise PydanticCustomError("urls", "name either `urls`, one at least, or `sitemap`")
        return self


class BatchCounts(Wire):
    """URLs by state. `held` ones wait for the batch's own turn, `queued` ones for a worker."""

    total: int
    held: int
    queued: int
    running: int
    succeeded: int
    failed: int
    cancelled: int
    rejected: int = Field(description="set aside at acceptance; not in `total`")


class TierCounts(Wire):
    """Succeeded URLs by the tier that gave the page."""

    static: int
    browser: int
    unblocker: int


class RejectedUrl(Wire):
    """A URL that was set aside, and why."""

    place: int = Field(description="its place in the request, from 0")
    url: str = Field(description="as it was sent, at most 500 characters of it")
    reason: str = Field(description="duplicate, cut_off, or the error code that a request for it alone would have met")
    detail: str


class BatchError(Wire):
    """What kept a sitemap from being read."""

    code: str
    detail: str


class BatchLinks(Wire):
    """Where to go from here."""

    self: str
    results: str
    rejected: str
    events: str


class BatchRead(Wire):
    """A batch: how far it is, and what of it was refused."""

    id: str
    status: BatchState
    kind: Kind
    error: BatchError | None = Field(description="why it ended before it had URLs; null otherwise")
    counts: BatchCounts
    tiers: TierCounts
    cost: str = Field(description="USD so far, with providers")
    concurrency: int
    rate: float | None = Field(description="URLs ended per second since the start")
    estimated_finish: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    asked: dict[str, Any]
    rejected: list[RejectedUrl] = Field(description="the first 100; see `links.rejected` for all")
    links: BatchLinks


class BatchPage(Wire):
    """Batches, newest first, without their rejected URLs."""

    data: list[BatchRead]
    next_cursor: str | None = Field(description="pass it as `cursor` for the next page; null on the last one")


class RejectedPage(Wire):
    """URLs that were set aside, in the order of the request."""

    data: list[RejectedUrl]
    next_cursor: str | None


class ResultPage(Wire):
    """One object for each URL, in the order of the request; unfinished ones say where they are."""

    data: list[dict[str, Any]]
    next_cursor: str | None


def path_of(batch_id: str) -> str:
    """Return where a batch is found."""
    return f"{BATCHES}/{batch_id}"


def rejected(reject: Reject) -> RejectedUrl:
    """Show a URL that was set aside."""
    return RejectedUrl(place=reject.place, url=reject.url, reason=reject.code, detail=reject.detail)


def read(record: Record, rejects: list[Reject]) -> BatchRead:
    """Show a batch."""
    path = path_of(record.id)
    rate, finish = _forecast(record)
    return BatchRead(
        id=record.id,
        status=record.state,
        kind=record.kind,
        error=BatchError(code=record.error_code, detail=record.error_detail or "") if record.error_code else None,
        counts=BatchCounts(
            total=record.total,
            held=record.held,
            queued=max(0, record.in_queue - record.running),
            running=record.running,
            succeeded=record.succeeded,
            failed=record.failed,
            cancelled=record.cancelled,
            rejected=record.rejected,
        ),
        tiers=TierCounts(static=record.by_static, browser=record.by_browser, unblocker=record.by_unblocker),
        cost=f"{Decimal(record.cost_microusd) / 1_000_000:f}",
        concurrency=record.concurrency,
        rate=rate,
        estimated_finish=finish,
        created_at=record.created_at,
        started_at=record.started_at,
        finished_at=record.finished_at,
        asked=record.asked,
        rejected=[rejected(one) for one in rejects],
        links=BatchLinks(self=path, results=f"{path}/results", rejected=f"{path}/rejected", events=f"{path}/events"),
    )


def _forecast(record: Record) -> tuple[float | None, datetime | None]:
    """Return URLs per second since the start, and when the rest is done at that rate."""
    if record.started_at is None:
        return None, None
    until = record.finished_at or record.now
    seconds = (until - record.started_at).total_seconds()
    done = record.succeeded + record.failed
    if seconds <= 0 or not done:
        return None, record.finished_at
    rate = done / seconds
    left = record.held + record.in_queue
    if record.state is not BatchState.RUNNING:
        return round(rate, 2), record.finished_at
    return round(rate, 2), record.now + timedelta(seconds=left / rate)


DUPLICATE = "duplicate"
CUT_OFF = "cut_off"
