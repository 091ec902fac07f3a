"""The public routes of webhooks."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Response

from contracts.errors import ErrorCode
from gateway.cursors import opened, paged
from gateway.deliveries.parcels import REQUEST
from gateway.refusals import refusals
from gateway.webhooks import service, store
from gateway.webhooks.schemas import (
    WEBHOOKS,
    DeliveryPage,
    DeliveryRead,
    DeliveryState,
    DeliveryWhole,
    Replay,
    Replayed,
    Rotated,
    Rotation,
    WebhookChange,
    WebhookCreate,
    WebhookCreated,
    WebhookPage,
    WebhookRead,
    read,
    read_delivery,
    read_whole,
)
from gateway.wiring import Reading, TheCaller, TheParts

router = APIRouter(prefix=WEBHOOKS, tags=["webhooks"])

EndpointId = Annotated[str, Path(description="the id that was given at creation", examples=["wh_0193…"], max_length=64)]
WebhookId = Annotated[
    str,
    Path(
        description="an endpoint's id, or `request` for all URLs that came with single requests",
        examples=["wh_0193…", "request"],
        max_length=64,
    ),
]
DeliveryId = Annotated[str, Path(description="as the log shows it", examples=["whd_0193…"], max_length=64)]
Limit = Annotated[int, Query(ge=1, le=100, description="entries on a page")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")]
_URLS = (ErrorCode.INVALID_REQUEST, ErrorCode.URL_INVALID, ErrorCode.URL_FORBIDDEN)
_NOT_FOUND = refusals(ErrorCode.NOT_FOUND)
_A_DAY = Rotation()
_MAYBE_NOT_NOW = refusals(ErrorCode.NOT_FOUND, ErrorCode.CONFLICT)


@router.post("", summary="Add a webhook", status_code=201, responses=refusals(*_URLS, ErrorCode.CONFLICT))
async def create(response: Response, parts: TheParts, caller: TheCaller, body: WebhookCreate) -> WebhookCreated:
    """Add an endpoint. The answer holds its signing secret, which is never shown again."""
    endpoint, secret = await service.create(parts, caller, body)
    response.headers["Location"] = f"{WEBHOOKS}/{endpoint.id}"
    return WebhookCreated(**dict(read(endpoint)), secret=secret)


@router.get("", summary="List webhooks, newest first", responses=refusals(ErrorCode.INVALID_REQUEST))
async def index(
    db: Reading, parts: TheParts, caller: TheCaller, limit: Limit = 20, cursor: Cursor = None
) -> WebhookPage:
    """List endpoints, without their secrets."""
    before = opened(parts, caller, WEBHOOKS, cursor)
    found = await store.page(db, caller.tenant_id, limit + 1, before)
    shown, following = paged(parts, caller, WEBHOOKS, found, limit)
    return WebhookPage(data=[read(one) for one in shown], next_cursor=following)


@router.get("/{webhook_id}", summary="Read a webhook", responses=_NOT_FOUND)
async def show(db: Reading, caller: TheCaller, webhook_id: EndpointId) -> WebhookRead:
    """Read an endpoint: whether it is enabled, and if not, why."""
    endpoint = await store.get(db, caller.tenant_id, webhook_id)
    if endpoint is None:
        raise service.missing()
    return read(endpoint)


@router.patch("/{webhook_id}", summary="Change a webhook", responses=refusals(*_URLS, ErrorCode.NOT_FOUND))
async def change(parts: TheParts, caller: TheCaller, webhook_id: EndpointId, body: WebhookChange) -> WebhookRead:
    """Change what the body names; `enabled: true` also starts one anew that was disabled."""
    return read(await service.change(parts, caller, webhook_id, body))


@router.delete(
    "/{webhook_id}",
    summary="Delete a webhook",
    status_code=204,
    responses={204: {"description": "Gone"}, **_NOT_FOUND},
)
async def delete(parts: TheParts, caller: TheCaller, webhook_id: EndpointId) -> None:
    """Remove an endpoint with its secrets, its log and what still waits for it."""
    await service.remove(parts, caller, webhook_id)


@router.post("/{webhook_id}/rotate", summary="Change the signing secret", responses=_NOT_FOUND)
async def rotate(
    parts: TheParts, caller: TheCaller, webhook_id: WebhookId, body: Annotated[Rotation, Body()] = _A_DAY
) -> Rotated:
    """Make a new secret and show it this once. Until the overlap is over, messages bear signatures of both.

    For `request`: the secret that signs what is sent to a `webhook_url`. Rotating it is the way to see one.
    """
    secret, until = await service.rotate(parts, caller, webhook_id, timedelta(hours=body.overlap_hours))
    return Rotated(secret=secret, previous_until=until)


@router.post("/{webhook_id}/test", summary="Send a test event", status_code=202, responses=_MAYBE_NOT_NOW)
async def test(response: Response, parts: TheParts, caller: TheCaller, webhook_id: EndpointId) -> DeliveryRead:
    """Send an event of type `webhook.test`. `Location` tells what came of it."""
    delivery = await service.test(parts, caller, webhook_id)
    response.headers["Location"] = f"{WEBHOOKS}/{webhook_id}/deliveries/{delivery.id}"
    return read_delivery(delivery)


@router.get(
    "/{webhook_id}/deliveries",
    summary="The delivery log, newest first",
    responses=refusals(ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND),
)
async def deliveries(
    parts: TheParts,
    caller: TheCaller,
    webhook_id: WebhookId,
    limit: Limit = 20,
    cursor: Cursor = None,
    state: Annotated[DeliveryState | None, Query(description="only these")] = None,
) -> DeliveryPage:
    """List what was sent to a webhook and what came of it."""
    log = f"{WEBHOOKS}/{webhook_id}"
    before = opened(parts, caller, log, cursor)
    async with parts.db.read() as db:
        if webhook_id != REQUEST and await store.get(db, caller.tenant_id, webhook_id) is None:
            raise service.missing()
        found = await store.deliveries(db, caller.tenant_id, webhook_id, limit + 1, before=before, state=state)
    shown, following = paged(parts, caller, log, found, limit)
    return DeliveryPage(data=[read_delivery(one) for one in shown], next_cursor=following)


@router.get("/{webhook_id}/deliveries/{delivery_id}", summary="One delivery with its attempts", responses=_NOT_FOUND)
async def delivery(parts: TheParts, caller: TheCaller, webhook_id: WebhookId, delivery_id: DeliveryId) -> DeliveryWhole:
    """Read a delivery: what was sent, and what each attempt was answered."""
    return read_whole(*await service.whole(parts, caller, webhook_id, delivery_id))


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/replay",
    summary="Deliver again",
    status_code=202,
    responses=_MAYBE_NOT_NOW,
)
async def replay(parts: TheParts, caller: TheCaller, webhook_id: WebhookId, delivery_id: DeliveryId) -> DeliveryRead:
    """Send an event again, now, with the same `webhook-id` and the whole schedule of attempts."""
    return read_delivery(await service.replay(parts, caller, webhook_id, delivery_id))


@router.post(
    "/{webhook_id}/replay",
    summary="Deliver a time again",
    status_code=202,
    responses=refusals(ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND, ErrorCode.CONFLICT),
)
async def replay_span(parts: TheParts, caller: TheCaller, webhook_id: WebhookId, body: Replay) -> Replayed:
    """Send again what failed (or was delivered) between two moments: up to 1,000 events, oldest first."""
    count = await service.replay_span(parts, caller, webhook_id, body)
    return Replayed(count=count, more=count == service.REPLAYED_AT_ONCE)
