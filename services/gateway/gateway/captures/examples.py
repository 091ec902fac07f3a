"""What the API's description shows for captures; a test holds it to the schemas."""

from typing import Any

from fastapi.openapi.models import Example

_ID = "cap_0193f6b2c4d57a80b1c2d3e4f5a60718"
_PATH = f"/v1/captures/{_ID}"

CREATE: dict[str, Example] = {
    "picture": Example(summary="The first screen, as it is seen", value={"url": "https://example.com/", "wait": 30}),
    "full page": Example(
        summary="The whole page as PNG on a phone, without banners",
        value={
            "url": "https://example.com/",
            "outputs": [
                {
                    "kind": "screenshot",
                    "area": "full_page",
                    "format": "png",
                    "viewport": {"width": 390, "height": 844, "device_scale_factor": 2, "mobile": True},
                    "banners": "removed",
                }
            ],
        },
    ),
    "documents": Example(
        summary="Markdown, links and metadata by the cheapest way",
        value={
            "url": "https://example.com/",
            "tier": "auto",
            "outputs": [{"kind": "markdown"}, {"kind": "links"}, {"kind": "metadata"}],
        },
    ),
    "options": Example(
        summary="A visitor with a language, a login and conditions",
        value={
            "url": "https://example.com/account",
            "outputs": [{"kind": "screenshot"}, {"kind": "pdf"}, {"kind": "html"}],
            "visit": {
                "locale": "de-CH",
                "timezone": "Europe/Zurich",
                "color_scheme": "dark",
                "auth": {"username": "shop", "password": "…"},
            },
            "prepare": {"wait_for": {"selector": "main"}, "hide": [".chat"]},
            "fail_if": {"statuses": [404, 500], "text_present": ["Out of stock"]},
        },
    ),
}

_ASKED: dict[str, Any] = {  # JSON
    "tier": "auto",
    "max_tier": "browser",
    "max_cost_usd": "0.05",
    "outputs": [{"kind": "screenshot", "name": "screenshot", "area": "first_screen", "format": "jpeg", "quality": 80}],
    "visit": {"locale": "de-CH"},
    "prepare": {},
    "fail_if": {},
    "settle": None,
    "politeness": {"robots": False, "delay_ms": 0},
    "withheld": ["auth"],
}

QUEUED: dict[str, Any] = {  # JSON
    "id": _ID,
    "status": "queued",
    "url": "https://example.com/",
    "attempt": 0,
    "created_at": "2026-11-21T12:00:00Z",
    "started_at": None,
    "finished_at": None,
    "error": None,
    "links": {"self": _PATH},
    "asked": _ASKED,
    "result": None,
}

DONE: dict[str, Any] = {  # JSON
    **QUEUED,
    "status": "succeeded",
    "attempt": 1,
    "started_at": "2026-11-21T12:00:00.020Z",
    "finished_at": "2026-11-21T12:00:01.300Z",
    "result": {
        "requested_url": "https://example.com/",
        "final_url": "https://example.com/",
        "http_status": 200,
        "title": "Example Domain",
        "tier": "browser",
        "reason": "needs_browser_output",
        "cost_usd": "0",
        "attempts": [{"tier": "browser", "reason": "needs_browser_output", "outcome": "ok", "http_status": 200}],
        "artifacts": {
            "screenshot": {
                "name": "screenshot",
                "content_type": "image/jpeg",
                "bytes": 48_213,
                "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "width": 1440,
                "height": 900,
                "viewport": {"width": 1440, "height": 900, "device_scale_factor": 1, "mobile": False},
                "links": {
                    "self": f"{_PATH}/artifacts/screenshot",
                    "signed": f"/blobs/local/{_ID}/1/5f1c….jpg?expires=1795262400&sig=…",
                },
            }
        },
        "captured_at": "2026-11-21T12:00:01.250Z",
    },
}

CANCELLED: dict[str, Any] = {  # JSON
    **QUEUED,
    "status": "cancelled",
    "finished_at": "2026-11-21T12:00:00.500Z",
    "error": {
        "type": "/docs/errors#cancelled",
        "title": "The job was cancelled",
        "status": 409,
        "detail": "The capture was cancelled on request.",
        "instance": _PATH,
        "code": "cancelled",
    },
}

PAGE: dict[str, Any] = {  # JSON
    "data": [{name: value for name, value in DONE.items() if name not in {"asked", "result"}}],
    "next_cursor": "Y2FwXzAxOTNmNmIyYzRkNTdhODBiMWMyZDNlNGY1YTYwNzE4",
}
