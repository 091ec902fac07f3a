"""What receivers get, as OpenAPI 3.1 describes it under `webhooks`. Nothing here is ever called."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Header

from gateway.outbox.events import (
    AnalysisEvent,
    BatchEvent,
    CaptureEvent,
    EndpointDisabledEvent,
    Event,
    EventType,
    TestEvent,
)

webhooks = APIRouter(tags=["webhooks"])

_ID = "0193f6b2c4d57a80b1c2d3e4f5a60718"
_MOMENT = "2026-11-21T12:00:31.250Z"
_JOB = {
    "event_id": f"evt_{_ID}",
    "timestamp": _MOMENT,
    "url": "https://example.com/",
    "attempt": 1,
    "created_at": "2026-11-21T12:00:00.000Z",
    "finished_at": _MOMENT,
    "error_code": None,
    "error": None,
    "cached": False,
}
ANALYSIS = {
    **_JOB,
    "type": "analysis.succeeded",
    "id": f"an_{_ID}",
    "status": "succeeded",
    "api_url": f"https://cro.example.com/v1/analyses/an_{_ID}",
    "preset": "standard",
    "final_url": "https://example.com/",
    "title": "Example Domain",
    "page_type": "landing",
    "score": 72,
    "findings": 9,
    "findings_critical": 1,
    "findings_high": 2,
    "findings_medium": 4,
    "findings_low": 2,
    "top_findings": ["The first screen has no call to action"],
    "engine": "rules+ai",
    "degraded": False,
    "ai_pending": False,
    "report_url": f"https://cro.example.com/v1/analyses/an_{_ID}/report",
}
CAPTURE = {
    **_JOB,
    "type": "capture.succeeded",
    "id": f"cap_{_ID}",
    "status": "succeeded",
    "api_url": f"https://cro.example.com/v1/captures/cap_{_ID}",
    "final_url": "https://example.com/",
    "title": "Example Domain",
    "http_status": 200,
    "tier": "browser",
    "cost_usd": "0",
    "partial": False,
    "artifacts": ["screenshot"],
}
BATCH = {
    "type": "batch.completed",
    "event_id": f"evt_{_ID}",
    "timestamp": _MOMENT,
    "id": f"bat_{_ID}",
    "status": "completed",
    "kind": "capture",
    "total": 998,
    "succeeded": 990,
    "failed": 8,
    "cancelled": 0,
    "rejected": 2,
    "cost_usd": "0.15",
    "created_at": "2026-11-21T11:55:00.000Z",
    "finished_at": _MOMENT,
    "api_url": f"https://cro.example.com/v1/batches/bat_{_ID}",
    "results_url": f"https://cro.example.com/v1/batches/bat_{_ID}/results",
}
DISABLED = {
    "type": "endpoint.disabled",
    "event_id": f"evt_{_ID}",
    "timestamp": _MOMENT,
    "endpoint_id": f"wh_{_ID}",
    "url": "https://hooks.example.com/cro",
    "reason": "failing",
    "failing_since": "2026-11-16T12:00:00.000Z",
    "api_url": f"https://cro.example.com/v1/webhooks/wh_{_ID}",
}
TEST = {
    "type": "webhook.test",
    "event_id": f"evt_{_ID}",
    "timestamp": _MOMENT,
    "endpoint_id": f"wh_{_ID}",
    "message": "This is a test event: your endpoint works when it answers 2xx.",
}
_SHAPES: dict[EventType, tuple[type[Event], dict[str, Any]]] = {  # JSON
    **{one: (AnalysisEvent, {**ANALYSIS, "type": one.value}) for one in EventType if one.startswith("analysis.")},
    **{one: (CaptureEvent, {**CAPTURE, "type": one.value}) for one in EventType if one.startswith("capture.")},
    **{one: (BatchEvent, {**BATCH, "type": one.value}) for one in EventType if one.startswith("batch.")},
    EventType.ENDPOINT_DISABLED: (EndpointDisabledEvent, DISABLED),
    EventType.TEST: (TestEvent, TEST),
}
_ANSWERS: dict[int | str, dict[str, object]] = {
    200: {"description": "Any 2xx within 15 seconds: delivered"},
    "3XX": {"description": "A failure: redirects are not followed"},
    410: {"description": "The endpoint is disabled at once"},
    429: {"description": "Tried again later, after `Retry-After` where that says so; 502 and 504 do the same"},
}


def _describe(event_type: EventType, shape: type[Event], example: dict[str, Any]) -> None:
    async def receive(
        body: Annotated[shape, Body(examples=[example])],  # type: ignore[valid-type]  # one of the events
        webhook_id: Annotated[str, Header(description="`event_id`, the same over all attempts")],
        webhook_timestamp: Annotated[str, Header(description="seconds since 1970 of this attempt")],
        webhook_signature: Annotated[str, Header(description="`v1,…` for each secret, with blanks between")],
    ) -> None:
        """Receive an event; signed as the Standard Webhooks specification says."""

    name = f"on_{event_type.replace('.', '_')}"
    webhooks.post(event_type.value, summary=f"`{event_type.value}`", name=name, responses=_ANSWERS)(receive)


for _type, (_shape, _example) in _SHAPES.items():
    _describe(_type, _shape, _example)
