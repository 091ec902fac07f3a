"""What customers send and receive about captures."""

from datetime import datetime, timedelta
from decimal import Decimal

from pydantic import Field

from contracts.errors import Problem
from contracts.fetch import FetchResult, Politeness, Tier
from contracts.outputs import Output
from contracts.render import Artifact, PoolState, Settle
from contracts.visit import FailIf, Prepare, Visit
from contracts.wire import Wire
from gateway.blobs.base import BlobStore
from gateway.captures.store import Whole
from gateway.jobs.records import Record
from gateway.jobs.states import State
from gateway.patience import MAX_WAIT_S
from gateway.receivers import WebhookUrl
from gateway.reuse.schemas import Reuse

MAX_OUTPUTS = 20
CAPTURES = "/v1/captures"


class CaptureCreate(Reuse):
    """A page to capture. Everything but `url` may be left out: one picture of the first screen is made then."""

    url: str = Field(min_length=1, max_length=4_096, description="an http or https address, as a visitor would open it")
    tier: Tier = Field(Tier.AUTO, description="auto: the cheapest way that gives the page whole")
    max_tier: Tier = Field(Tier.BROWSER, description="the dearest tier that `auto` may use")
    max_cost_usd: Decimal | None = Field(None, ge=0, description="a tier that would cost more is not tried")
    outputs: list[Output] | None = Field(
        None,
        min_length=1,
        max_length=MAX_OUTPUTS,
        description="what is wanted of the page, all from the same load; missing: what `Accept` names, or a screenshot",
    )
    visit: Visit = Field(Visit(), description="who the visitor is, and what the browser lets through")
    prepare: Prepare = Field(Prepare(), description="what is waited for and done before anything is taken")
    fail_if: FailIf = Field(FailIf(), description="what makes the capture fail on purpose")
    settle: Settle | None = Field(None, description="when the page counts as ready; missing: what the outputs need")
    politeness: Politeness = Field(Politeness(), description="how the site is treated")
    wait: int | None = Field(
        None,
        ge=0,
        le=MAX_WAIT_S,
        description="seconds to wait for the result; the header `Prefer: wait=N` does the same",
    )
    webhook_url: WebhookUrl = None


class CaptureLinks(Wire):
    """Where to go from here."""

    self: str


class ArtifactLinks(Wire):
    """Where the bytes are."""

    self: str = Field(description="with your key")
    signed: str = Field(description="for anybody who has it, for a while; relative to this API where it names no host")


class ArtifactRead(Artifact):
    """A stored piece of the result."""

    data: None = Field(None, exclude=True)
    links: ArtifactLinks


class CaptureResult(FetchResult):
    """The page: how it was had, what it answered, what was made of it, and what that lacks."""

    job_id: str = Field("", exclude=True)
    pool: PoolState | None = Field(None, exclude=True)
    artifacts: dict[str, ArtifactRead] = Field(default_factory=dict)  # type: ignore[assignment]  # frozen, so narrower is sound


class CaptureAsked(Wire):
    """What was asked, with all defaults; what is confidential was dropped, and is only named."""

    tier: Tier
    max_tier: Tier
    max_cost_usd: Decimal | None
    outputs: list[Output]
    visit: Visit
    prepare: Prepare
    fail_if: FailIf
    settle: Settle | None
    politeness: Politeness
    withheld: list[str] = Field(
        description="parts of `visit` that were given and are not shown: headers, cookies, auth"
    )


class CaptureSummary(Wire):
    """A capture without its result."""

    id: str
    status: State
    url: str
    attempt: int = Field(description="attempts begun; a busy renderer or a restarted worker costs none")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: Problem | None = Field(None, description="why it failed or was cancelled")
    links: CaptureLinks


class CaptureRead(CaptureSummary):
    """A capture with its result, when it has one."""

    asked: CaptureAsked
    cached: bool = Field(False, description="true: it was finished at `finished_at`, before this request asked for it")
    cost_usd: Decimal | None = Field(None, description="what this answer cost; 0 where cached")
    result: CaptureResult | None = None


class CapturePage(Wire):
    """Captures, newest first."""

    data: list[CaptureSummary]
    next_cursor: str | None = Field(description="pass it as `cursor` for the next page; null on the last one")


def path_of(capture_id: str) -> str:
    """Return where a capture is found."""
    return f"{CAPTURES}/{capture_id}"


def summary(record: Record) -> CaptureSummary:
    """Show a record without its result."""
    return CaptureSummary(
        id=record.id,
        status=record.state,
        url=record.url,
        attempt=record.attempt,
        created_at=record.created_at,
        started_at=record.started_at,
        finished_at=record.finished_at,
        error=record.problem(path_of(record.id)),
        links=CaptureLinks(self=path_of(record.id)),
    )


def read(record: Whole, blobs: BlobStore, lifetime: timedelta, *, cached: bool = False) -> CaptureRead:
    """Show a record with its result, whose links are good for `lifetime`."""
    asked = CaptureAsked.model_validate(record.options)
    cost = record.result.cost_usd if record.result else None
    result = _result(record, blobs, lifetime)
    return CaptureRead(
        **dict(summary(record)), asked=asked, cached=cached, cost_usd=Decimal(0) if cached else cost, result=result
    )


def _result(record: Whole, blobs: BlobStore, lifetime: timedelta) -> CaptureResult | None:
    if record.result is None:
        return None
    artifacts = {}
    for name, artifact in record.result.artifacts.items():
        own = f"{path_of(record.id)}/artifacts/{name}"
        links = ArtifactLinks(self=own, signed=blobs.link(record.keys[name], lifetime))
        artifacts[name] = ArtifactRead(**{**dict(artifact), "data": None}, links=links)
    return CaptureResult.model_validate({**dict(record.result), "artifacts": artifacts})
