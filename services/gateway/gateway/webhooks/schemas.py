"""What customers send and receive about webhooks."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, ConfigDict, Field, JsonValue

from contracts.wire import PublicInput, Wire
from gateway.outbox.events import EventType
from gateway.webhooks.store import Delivery, Endpoint, Tried

WEBHOOKS = "/v1/webhooks"
MAX_CONCURRENCY = 50

_ALWAYS = frozenset({EventType.TEST})


def _choosable(events: list[EventType]) -> list[EventType]:
    if _ALWAYS & set(events):
        raise ValueError("webhook.test needs no subscription: it is sent when you ask for it")
    return sorted(set(events))


Url = Annotated[
    str,
    Field(min_length=1, max_length=4_096, description="an https address", examples=["https://hooks.example.com/cro"]),
]


def _written_out(value: object) -> object:
    # A number would be read as seconds since 1970.
    if isinstance(value, int | float) or (isinstance(value, str) and "T" not in value.upper()):
        raise ValueError("must be a moment such as 2026-11-20T00:00:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must be a moment that UTC has, too") from error


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]
_Chosen = Annotated[list[EventType], Field(min_length=1, max_length=50), AfterValidator(_choosable)]
Events = Annotated[_Chosen | None, Field(description="what it is told; null: everything, also what later releases add")]
Description = Annotated[str, Field(max_length=500, description="for you")]
Concurrency = Annotated[
    int | None, Field(ge=1, le=MAX_CONCURRENCY, description="most that it gets at once; null: as the operator set")
]


_ENDPOINT: dict[str, JsonValue] = {
    "id": "wh_0193f6b2c4d57a80b1c2d3e4f5a60718",
    "url": "https://hooks.example.com/cro",
    "events": ["analysis.failed", "analysis.succeeded"],
    "description": "",
    "concurrency": 5,
    "enabled": True,
    "disabled_reason": None,
    "disabled_at": None,
    "failing_since": None,
    "created_at": "2026-11-21T12:00:00Z",
}
_DELIVERY: dict[str, JsonValue] = {
    "id": "whd_0193f6b2c4d57a80b1c2d3e4f5a60718",
    "event_id": "evt_0193f6b2c4d57a80b1c2d3e4f5a60718",
    "event_type": "analysis.succeeded",
    "webhook_id": "wh_0193f6b2c4d57a80b1c2d3e4f5a60718",
    "url": "https://hooks.example.com/cro",
    "state": "pending",
    "attempts": 1,
    "next_attempt_at": "2026-11-21T12:05:00Z",
    "last_status": 503,
    "last_error": "unavailable",
    "created_at": "2026-11-21T12:00:04Z",
    "finished_at": None,
}
_EVENT: dict[str, JsonValue] = {"type": "analysis.succeeded", "timestamp": "2026-11-21T12:00:04Z", "data": {}}
_ATTEMPT: dict[str, JsonValue] = {
    "number": 1,
    "at": "2026-11-21T12:00:05Z",
    "status": 503,
    "error": "unavailable",
    "detail": "The receiver answered 503.",
    "answer": "busy",
    "ms": 210,
}


class WebhookCreate(PublicInput):
    """An endpoint that is told what happens."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"url": "https://hooks.example.com/cro", "events": ["analysis.succeeded", "analysis.failed"]}]
        }
    )

    url: Url
    events: Events = None
    description: Description = ""
    concurrency: Concurrency = None


class WebhookChange(PublicInput):
    """What to change; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": True}]})

    url: Url = ""
    events: Events = None
    description: Description = ""
    concurrency: Concurrency = None
    enabled: bool = Field(True, description="false: nothing more is sent, and what waits has failed")


class WebhookRead(Wire):
    """An endpoint."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ENDPOINT]})

    id: str
    url: str
    events: list[EventType] | None = Field(description="null: everything")
    description: str
    concurrency: int
    enabled: bool
    disabled_reason: str | None = Field(description="owner, failing (for days), or gone (it answered 410)")
    disabled_at: datetime | None
    failing_since: datetime | None = Field(description="nothing has gone through since then")
    created_at: datetime


class WebhookCreated(WebhookRead):
    """An endpoint with its signing secret, which is shown this once."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_ENDPOINT, "secret": "whsec_bm90IGEgcmVhbA=="}]})

    secret: str = Field(description="`whsec_…`; keep it, nobody can show it again", examples=["whsec_bm90IGEgcmVhbA=="])


class WebhookPage(Wire):
    """Endpoints, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"data": [_ENDPOINT], "next_cursor": None}]})

    data: list[WebhookRead]
    next_cursor: str | None = Field(description="pass it as `cursor` for the next page; null on the last one")


class Rotation(PublicInput):
    """How to change the signing secret."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"overlap_hours": 24}]})

    overlap_hours: float = Field(24, ge=0, le=168, description="how long the old secret signs beside the new one")


class Rotated(Wire):
    """The new signing secret, which is shown this once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"secret": "whsec_bm90IGEgcmVhbA==", "previous_until": "2026-11-22T12:00:00Z"}]}
    )

    secret: str = Field(examples=["whsec_bm90IGEgcmVhbA=="])
    previous_until: datetime = Field(description="until then every message bears signatures of both")


class DeliveryState(StrEnum):
    """Where a delivery is."""

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"


class DeliveryRead(Wire):
    """One event on its way to one receiver."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DELIVERY]})

    id: str
    event_id: str = Field(description="the `webhook-id` of every attempt")
    event_type: str
    webhook_id: str = Field(description="`request`: the URL came with one request")
    url: str
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    last_status: int | None = Field(description="HTTP status of the last answer; null: there was none")
    last_error: str | None = Field(description="a documented code, or endpoint_disabled")
    created_at: datetime
    finished_at: datetime | None


class AttemptRead(Wire):
    """One attempt."""

    number: int
    at: datetime
    status: int | None
    error: str | None
    detail: str
    answer: str = Field(description="the first 4 KB of the receiver's answer, escaped for HTML")
    ms: int


class DeliveryWhole(DeliveryRead):
    """A delivery with what was sent and what came of each attempt."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_DELIVERY, "event": _EVENT, "log": [_ATTEMPT]}]})

    event: dict[str, Any] = Field(description="as it was sent, its own addresses relative")  # any of the events
    log: list[AttemptRead]


class DeliveryPage(Wire):
    """Deliveries, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"data": [_DELIVERY], "next_cursor": None}]})

    data: list[DeliveryRead]
    next_cursor: str | None = Field(description="pass it as `cursor` for the next page; null on the last one")


class Replay(PublicInput):
    """Which deliveries to repeat."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"since": "2026-11-20T00:00:00Z"}]})

    since: Moment = Field(description="of events that were announced then or later")
    until: Moment | None = Field(None, description="and before this; missing: now")
    states: list[DeliveryState] = Field(
        [DeliveryState.FAILED], min_length=1, max_length=2, description="failed, delivered, or both"
    )

    @property
    def end(self) -> datetime:
        """The end of the time."""
        return self.until or datetime.now(UTC)


class Replayed(Wire):
    """How many were put in the queue again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"count": 12, "more": False}]})

    count: int
    more: bool = Field(description="there may be more: ask again")


def read(endpoint: Endpoint) -> WebhookRead:
    """Show an endpoint."""
    return WebhookRead(**vars(endpoint))


def read_delivery(record: Delivery) -> DeliveryRead:
    """Show a delivery."""
    return DeliveryRead(**vars(record))


def read_whole(record: Delivery, log: list[Tried]) -> DeliveryWhole:
    """Show a delivery with its attempts."""
    tried = [AttemptRead(**vars(one)) for one in log]
    return DeliveryWhole(**vars(record), event=json.loads(record.document), log=tried)
