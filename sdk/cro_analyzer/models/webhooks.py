"""Webhook endpoints and their deliveries as the API shows them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

DeliveryState: TypeAlias = Literal["pending", "sending", "delivered", "failed"]


@dataclass(frozen=True, kw_only=True)
class WebhookRead:
    """An endpoint that is told what happens."""

    id: str
    url: str
    events: list[str] | None
    """None: everything"""
    description: str
    concurrency: int
    enabled: bool
    disabled_reason: str | None
    """owner, failing (for days), or gone (it answered 410)"""
    disabled_at: datetime | None
    failing_since: datetime | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class WebhookCreated(WebhookRead):
    """An endpoint with its signing secret, which is shown this once."""

    secret: str
    """`whsec_…`"""


@dataclass(frozen=True, kw_only=True)
class Rotated:
    """The new signing secret, which is shown this once."""

    secret: str
    previous_until: datetime
    """until then every message bears signatures of both"""


@dataclass(frozen=True, kw_only=True)
class DeliveryRead:
    """One event on its way to one receiver."""

    id: str
    event_id: str
    event_type: str
    webhook_id: str
    url: str
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """How many deliveries were put in the queue again."""

    count: int
    more: bool
    """there may be more: ask again"""


@dataclass(frozen=True, kw_only=True)
class WebhookEvent:
    """A message that was verified. `data` is the whole document."""

    type: str
    event_id: str
    """the same over all attempts: remember those you have handled"""
    timestamp: datetime
    data: dict[str, object] = field(default_factory=dict)
