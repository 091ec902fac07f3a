"""Webhook endpoints and their deliveries. `cro_analyzer.webhooks.verify` checks what arrives."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from cro_analyzer.flows import calls
from cro_analyzer.flows.calls import given
from cro_analyzer.models.webhooks import DeliveryRead, DeliveryState, Replayed, Rotated, WebhookCreated, WebhookRead
from cro_analyzer.steps import Call, Flow, Request, Stream, ask

_PATH = "/v1/webhooks"


def create(
    url: str, *, events: Sequence[str] | None = None, description: str | None = None, concurrency: int | None = None
) -> Flow[WebhookCreated]:
    """Add an endpoint. The answer alone holds its signing secret. `events`: missing, it is told everything."""
    chosen = None if events is None else list(events)
    body = given(url=url, events=chosen, description=description, concurrency=concurrency)
    return ask(replace(calls.act(_PATH, WebhookCreated, body), repeatable=False))


def listed() -> Stream[WebhookRead]:
    """Give every endpoint, newest first, without secrets."""
    return calls.pages(_PATH, calls.as_(WebhookRead))


def get(webhook_id: str) -> Flow[WebhookRead]:
    """Read an endpoint: whether it is enabled, and if not, why."""
    return ask(calls.get(f"{_PATH}/{webhook_id}", WebhookRead))


def change(  # what may be changed of an endpoint
    webhook_id: str,
    *,
    url: str | None = None,
    events: Sequence[str] | None = None,
    description: str | None = None,
    concurrency: int | None = None,
    enabled: bool | None = None,
) -> Flow[WebhookRead]:
    """Change what is named; `enabled=True` also starts one anew that was disabled."""
    chosen = None if events is None else list(events)
    body = given(url=url, events=chosen, description=description, concurrency=concurrency, enabled=enabled)
    return ask(Call(Request("PATCH", f"{_PATH}/{webhook_id}", json=body), calls.body_as(WebhookRead)))


def delete(webhook_id: str) -> Flow[None]:
    """Remove an endpoint with its secrets, its log and what still waits for it."""
    return calls.gone(f"{_PATH}/{webhook_id}")


def rotate(webhook_id: str, *, overlap_hours: float | None = None) -> Flow[Rotated]:
    """Make a new signing secret; for `overlap_hours` (24) messages bear signatures of both.

    With `request` for an id: the secret of all `webhook_url`s that come with single requests.
    """
    call = calls.act(f"{_PATH}/{webhook_id}/rotate", Rotated, given(overlap_hours=overlap_hours))
    return ask(replace(call, repeatable=False))


def test(webhook_id: str) -> Flow[DeliveryRead]:
    """Send an event of type `webhook.test`."""
    return ask(calls.act(f"{_PATH}/{webhook_id}/test", DeliveryRead))


def deliveries(webhook_id: str, *, state: DeliveryState | None = None) -> Stream[DeliveryRead]:
    """Give what was sent to an endpoint, newest first, and what came of it."""
    return calls.pages(f"{_PATH}/{webhook_id}/deliveries", calls.as_(DeliveryRead), given(state=state))


def replay(webhook_id: str, delivery_id: str) -> Flow[DeliveryRead]:
    """Send an event again, now, with the same id."""
    return ask(calls.act(f"{_PATH}/{webhook_id}/deliveries/{delivery_id}/replay", DeliveryRead))


def replay_since(webhook_id: str, since: datetime, *, until: datetime | None = None) -> Flow[Replayed]:
    """Send again what failed between two moments: up to 1,000 events, oldest first."""
    ends = None if until is None else until.isoformat()
    body = given(since=since.isoformat(), until=ends)
    return ask(calls.act(f"{_PATH}/{webhook_id}/replay", Replayed, body))
