"""Changing endpoints and their secrets, and asking for deliveries."""

from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from contracts.errors import ErrorCode, FieldError
from gateway.deliveries import records
from gateway.deliveries.parcels import REQUEST
from gateway.deliveries.signing import new_secret, wrapping
from gateway.deliveries.targets import checked
from gateway.hints import DELIVERIES
from gateway.outbox import announce
from gateway.outbox.announce import Recipient
from gateway.outbox.events import TestEvent, instant
from gateway.webhooks import store
from gateway.webhooks.schemas import DeliveryState, Replay, WebhookChange, WebhookCreate
from gateway.webhooks.store import Delivery, Endpoint, Span, Tried
from gateway.wiring import Caller, Parts
from runtime.errors import ServiceError
from runtime.ids import new_id

log = structlog.get_logger(__name__)

MAX_ENDPOINTS = 50
"""Of one tenant: each of its events is written once for each of them."""

REPLAYED_AT_ONCE = 1_000
_OWNER = "owner"


def missing() -> ServiceError:
    """Say that there is no such endpoint; another tenant's is none."""
    return ServiceError(ErrorCode.NOT_FOUND, "There is no webhook with this id.")


def missing_delivery() -> ServiceError:
    """Say that there is no such delivery."""
    return ServiceError(ErrorCode.NOT_FOUND, "This webhook has no delivery with this id.")


async def create(parts: Parts, caller: Caller, body: WebhookCreate) -> tuple[Endpoint, str]:
    """Add an endpoint; return it with its secret. Raises URL_INVALID, URL_FORBIDDEN, and CONFLICT at too many."""
    values: dict[str, Any] = {  # columns
        "url": checked(parts.policy, body.url),
        "events": body.events,
        "description": body.description,
        "concurrency": body.concurrency or parts.settings.webhook_endpoint_concurrency,
    }
    secret = new_secret()
    async with parts.db.begin() as db:
        if await store.count(db, caller.tenant_id) >= MAX_ENDPOINTS:
            raise ServiceError(ErrorCode.CONFLICT, f"There are {MAX_ENDPOINTS} webhooks already: delete one first.")
        endpoint_id = await store.add(db, caller.tenant_id, values)
        await records.keep_secret(db, caller.tenant_id, endpoint_id, wrapping(parts.settings).wrap(secret))
        endpoint = await store.get(db, caller.tenant_id, endpoint_id)
    assert endpoint is not None
    log.info("webhook_created", endpoint_id=endpoint_id)
    return endpoint, secret


async def change(parts: Parts, caller: Caller, endpoint_id: str, body: WebhookChange) -> Endpoint:
    """Change what the body names. Raises NOT_FOUND, URL_INVALID, URL_FORBIDDEN."""
    given = body.model_dump(exclude_unset=True, exclude={"enabled"})
    if "url" in given:
        given["url"] = checked(parts.policy, body.url)
    if "concurrency" in given:
        given["concurrency"] = body.concurrency or parts.settings.webhook_endpoint_concurrency
    async with parts.db.begin() as db:
        before = await store.get(db, caller.tenant_id, endpoint_id)
        if before is None:
            raise missing()
        if given:
            await store.change(db, caller.tenant_id, endpoint_id, given)
        if "enabled" in body.model_fields_set and body.enabled != before.enabled:
            if body.enabled:
                await store.enable(db, caller.tenant_id, endpoint_id)
            else:
                await records.disable(db, caller.tenant_id, endpoint_id, _OWNER)
        endpoint = await store.get(db, caller.tenant_id, endpoint_id)
    if endpoint is None:
        raise missing()
    log.info("webhook_changed", endpoint_id=endpoint_id, enabled=endpoint.enabled)
    return endpoint


async def remove(parts: Parts, caller: Caller, endpoint_id: str) -> None:
    """Remove an endpoint and its log. Raises NOT_FOUND."""
    async with parts.db.begin() as db:
        if not await store.remove(db, caller.tenant_id, endpoint_id):
            raise missing()
    log.info("webhook_removed", endpoint_id=endpoint_id)


async def rotate(parts: Parts, caller: Caller, webhook_id: str, overlap: timedelta) -> tuple[str, datetime]:
    """Make a new secret, beside which the old one signs for `overlap`; return it and that moment. Raises NOT_FOUND."""
    secret = new_secret()
    async with parts.db.begin() as db:
        if webhook_id != REQUEST and await store.get(db, caller.tenant_id, webhook_id) is None:
            raise missing()
        until = await store.expire_secrets(db, caller.tenant_id, webhook_id, overlap)
        await records.keep_secret(db, caller.tenant_id, webhook_id, wrapping(parts.settings).wrap(secret))
    log.info("webhook_secret_rotated", endpoint_id=webhook_id)
    return secret, until


async def test(parts: Parts, caller: Caller, endpoint_id: str) -> Delivery:
    """Send a test event to an endpoint. Raises NOT_FOUND, and CONFLICT while it is disabled."""
    async with parts.db.begin() as db:
        endpoint = await store.get(db, caller.tenant_id, endpoint_id)
        if endpoint is None:
            raise missing()
        _refuse_disabled(endpoint)
        event = TestEvent(event_id=new_id("evt"), timestamp=instant(datetime.now(UTC)), endpoint_id=endpoint_id)
        to = [Recipient(endpoint_id, None)]
        (delivery_id,) = await announce.announce(db, caller.tenant_id, event, to)
        delivery = await store.delivery(db, caller.tenant_id, endpoint_id, delivery_id)
    assert delivery is not None
    await parts.hints.notify(DELIVERIES)
    return delivery


def _refuse_disabled(endpoint: Endpoint) -> None:
    if not endpoint.enabled:
        raise ServiceError(ErrorCode.CONFLICT, "The webhook is disabled. Enable it first.")


async def whole(parts: Parts, caller: Caller, webhook_id: str, delivery_id: str) -> tuple[Delivery, list[Tried]]:
    """Return a delivery with its attempts. Raises NOT_FOUND."""
    async with parts.db.read() as db:
        delivery = await store.delivery(db, caller.tenant_id, webhook_id, delivery_id)
        if delivery is None:
            raise missing_delivery()
        return delivery, await store.attempts(db, caller.tenant_id, delivery_id)


async def replay(parts: Parts, caller: Caller, webhook_id: str, delivery_id: str) -> Delivery:
    """Deliver again, now. Raises NOT_FOUND, and CONFLICT while it is being sent or the endpoint is disabled."""
    await _usable(parts, caller, webhook_id)
    async with parts.db.begin() as db:
        if await store.delivery(db, caller.tenant_id, webhook_id, delivery_id) is None:
            raise missing_delivery()
        if not await store.replay(db, caller.tenant_id, webhook_id, delivery_id):
            raise ServiceError(ErrorCode.CONFLICT, "It is being sent at this moment. Look again.", retry_after_s=1)
        delivery = await store.delivery(db, caller.tenant_id, webhook_id, delivery_id)
    assert delivery is not None
    await parts.hints.notify(DELIVERIES)
    return delivery


async def _usable(parts: Parts, caller: Caller, webhook_id: str) -> None:
    if webhook_id == REQUEST:
        return
    async with parts.db.read() as db:
        endpoint = await store.get(db, caller.tenant_id, webhook_id)
    if endpoint is None:
        raise missing()
    _refuse_disabled(endpoint)


async def replay_span(parts: Parts, caller: Caller, webhook_id: str, body: Replay) -> int:
    """Deliver those of a time again; return how many. Raises NOT_FOUND, CONFLICT, INVALID_REQUEST."""
    if set(body.states) - {DeliveryState.FAILED, DeliveryState.DELIVERED}:
        text = "only deliveries that have ended can be repeated: failed, delivered"
        errors = [FieldError(field="states", message=text)]
        raise ServiceError(ErrorCode.INVALID_REQUEST, f"states: {text}", errors=errors)
    await _usable(parts, caller, webhook_id)
    span = Span(body.since, body.end, [state.value for state in body.states])
    async with parts.db.begin() as db:
        count = await store.replay_span(db, caller.tenant_id, webhook_id, span, REPLAYED_AT_ONCE)
    await parts.hints.notify(DELIVERIES)
    return count
