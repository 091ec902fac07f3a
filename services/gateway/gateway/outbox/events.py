"""The events and their documents: flat, small, every key always there."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from contracts.wire import Wire

MAX_BYTES = 20_000
"""Of one event's document. Source: the Standard Webhooks specification 1.0.0, on payload size."""

_TITLES = 200
_TEXTS = 300
_HEADLINES = 100
_NAMES = 50


class EventType(StrEnum):
    """What may happen."""

    ANALYSIS_SUCCEEDED = "analysis.succeeded"
    ANALYSIS_FAILED = "analysis.failed"
    ANALYSIS_CANCELLED = "analysis.cancelled"
    ANALYSIS_ENRICHED = "analysis.enriched"
    BATCH_COMPLETED = "batch.completed"
    BATCH_CANCELLED = "batch.cancelled"
    CAPTURE_SUCCEEDED = "capture.succeeded"
    CAPTURE_FAILED = "capture.failed"
    CAPTURE_CANCELLED = "capture.cancelled"
    ENDPOINT_DISABLED = "endpoint.disabled"
    TEST = "webhook.test"


def _clipped(most: int) -> AfterValidator:
    return AfterValidator(lambda text: text if len(text) <= most else text[: most - 1] + "…")


Title: TypeAlias = Annotated[str, _clipped(_TITLES)]
Text: TypeAlias = Annotated[str, _clipped(_TEXTS)]
Headline: TypeAlias = Annotated[str, _clipped(_HEADLINES)]


class Event(Wire):
    """What every event has."""

    type: EventType
    event_id: str = Field(description="the same over all attempts; also the header `webhook-id`")
    timestamp: str = Field(description="when it happened (RFC 3339, UTC)")


class JobEvent(Event):
    """The end of a job."""

    id: str = Field(description="of the analysis or capture")
    status: str
    url: str = Field(description="as it was asked for")
    attempt: int
    created_at: str
    finished_at: str
    error_code: str | None = Field(None, description="one of the documented codes, where it failed or was cancelled")
    error: Text | None = None
    api_url: str = Field(description="where the whole of it is read, with your key")
    cached: bool = Field(False, description="true: it ended before your request, which was answered with it")


class AnalysisEvent(JobEvent):
    """The end of an analysis: the report in short."""

    preset: str
    final_url: str | None = None
    title: Title | None = None
    page_type: str | None = None
    score: int | None = Field(None, description="0 to 100")
    findings: int | None = None
    findings_critical: int | None = None
    findings_high: int | None = None
    findings_medium: int | None = None
    findings_low: int | None = None
    top_findings: list[Headline] = Field(default_factory=list, max_length=3, description="titles, worst first")
    engine: str | None = Field(None, description="rules, or rules+ai")
    degraded: bool | None = None
    ai_pending: bool | None = Field(None, description="true: the model was away, and `analysis.enriched` may follow")
    report_url: str | None = Field(None, description="the report as a page")


class CaptureEvent(JobEvent):
    """The end of a capture."""

    final_url: str | None = None
    title: Title | None = None
    http_status: int | None = None
    tier: str | None = None
    cost_usd: str | None = None
    partial: bool | None = None
    artifacts: list[Headline] = Field(
        default_factory=list, max_length=_NAMES, description="names; the bytes are under `api_url`/artifacts/…"
    )


class BatchEvent(Event):
    """The end of a batch."""

    id: str
    status: str
    kind: str = Field(description="analysis or capture")
    total: int
    succeeded: int
    failed: int
    cancelled: int
    rejected: int = Field(description="set aside at acceptance; not in `total`")
    cost_usd: str
    created_at: str
    finished_at: str
    api_url: str
    results_url: str = Field(description="all results: pages of JSON, or NDJSON where `Accept` asks for it")


class EndpointDisabledEvent(Event):
    """An endpoint of yours gets nothing more until you enable it again; told to your others."""

    type: Literal[EventType.ENDPOINT_DISABLED] = EventType.ENDPOINT_DISABLED
    endpoint_id: str
    url: str
    reason: str = Field(description="failing: nothing went through for days; gone: it answered 410")
    failing_since: str | None = None
    api_url: str


class TestEvent(Event):
    """Sent when somebody asks for it; nothing has happened."""

    __test__ = False  # for pytest, which collects by name

    type: Literal[EventType.TEST] = EventType.TEST
    endpoint_id: str
    message: str = "This is a test event: your endpoint works when it answers 2xx."


def instant(moment: datetime) -> str:
    """Write a moment as events do."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def written(event: Event) -> str:
    """Return the document as it is stored: ASCII, so that nothing on the way can read it otherwise."""
    return json.dumps(event.model_dump(mode="json"), separators=(",", ":"))


def addressed(document: str, public_url: str) -> bytes:
    """Return what is sent: the stored document, with the addresses of our own under `public_url`."""
    if not public_url:
        return document.encode()
    fields = json.loads(document)
    for name, value in fields.items():
        if name.endswith("_url") and isinstance(value, str) and value.startswith("/"):
            fields[name] = public_url.rstrip("/") + value
    return json.dumps(fields, separators=(",", ":")).encode()
