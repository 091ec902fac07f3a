"""What the API's description shows for analyses; a test holds it to the schemas."""

from typing import Any

Json = dict[str, Any]

_ID, _BEFORE = "an_0193f6b2c4d57a80b1c2d3e4f5a60718", "an_0193e1a0b3c46d7fa0b1c2d3e4f50617"
_PATH = f"/v1/analyses/{_ID}"

RESULT: Json = {
    "schema_version": "1.0",
    "id": _ID,
    "tenant_id": "ten_0193a0…",
    "job_id": _ID,
    "status": "complete",
    "url": {"requested": "https://example.com/", "final": "https://example.com/", "redirects": 0, "http_status": 200},
    "page": {"type": "landing", "language": "en", "title": "Example Domain"},
    "capture": {"at": "2026-11-21T12:00:02Z", "viewports": ["desktop", "mobile"]},
    "engine": {"mode": "rules", "rules_version": "2026.11"},
    "scores": {"overall": 82, "by_factor": {"value_proposition": 88, "clarity": 75}},
    "findings": [
        {
            "id": "f1",
            "fingerprint": "b1946ac92492d2347c6235b4d2611184",
            "source": "rule",
            "rule_ids": ["CTA-01"],
            "category": "cta",
            "lift_factor": "clarity",
            "severity": "high",
            "evidence_grade": "B",
            "viewport": "mobile",
            "title": "No call to action in the first screen",
            "description": "On the phone the first button comes 1,240 px down.",
            "evidence": [
                {
                    "kind": "measurement",
                    "viewport": "mobile",
                    "metric": "first_cta_y",
                    "value": 1240,
                    "threshold": 844,
                    "unit": "px",
                }
            ],
            "suggestion": {"summary": "Repeat the main button under the headline."},
        }
    ],
}

QUEUED: Json = {
    "id": _ID,
    "status": "queued",
    "url": "https://example.com/",
    "preset": "standard",
    "attempt": 0,
    "created_at": "2026-11-21T12:00:00Z",
    "started_at": None,
    "finished_at": None,
    "error": None,
    "links": {"self": _PATH, "report": None},
    "cached": False,
    "cost_usd": None,
    "result": None,
}

DONE: Json = {
    **QUEUED,
    "status": "succeeded",
    "attempt": 1,
    "started_at": "2026-11-21T12:00:00.020Z",
    "finished_at": "2026-11-21T12:00:04.300Z",
    "links": {"self": _PATH, "report": f"{_PATH}/report"},
    "cost_usd": "0",
    "result": RESULT,
}

CANCELLED: Json = {
    **QUEUED,
    "status": "cancelled",
    "finished_at": "2026-11-21T12:00:00.500Z",
    "error": {
        "type": "/docs/errors#cancelled",
        "title": "The job was cancelled",
        "status": 409,
        "detail": "The analysis was cancelled on request.",
        "instance": _PATH,
        "code": "cancelled",
    },
}

PAGE: Json = {
    "data": [{name: value for name, value in DONE.items() if name not in {"cached", "cost_usd", "result"}}],
    "next_cursor": "YW5fMDE5M2Y2YjJjNGQ1N2E4MGIxYzJkM2U0ZjVhNjA3MTg",
}

COMPARISON: Json = {
    "before_id": _BEFORE,
    "after_id": _ID,
    "url": "https://example.com/",
    "overall": {"before": 74, "after": 82},
    "by_factor": {"clarity": {"before": 61, "after": 75}},
    "fixed": [
        {
            "fingerprint": "b1946ac92492d2347c6235b4d2611184",
            "finding_id": "f1",
            "rule_ids": ["CTA-01"],
            "source": "rule",
            "severity": "high",
            "viewport": "mobile",
            "title": "No call to action in the first screen",
        }
    ],
    "notes": [],
}

REPORT = '<!doctype html><html lang="en"><title>Conversion report: example.com</title>…</html>'

_TASK: Json = {"task_id": _ID, "status_url": f"/status/{_ID}", "error_code": None, "error": None}
RUNNING_TASK: Json = {**_TASK, "status": "rendering", "result": None}
DONE_TASK: Json = {**_TASK, "status": "succeeded", "result": RESULT}


def answer(description: str, example: object, media_type: str = "application/json") -> Json:
    """Describe one answer for OpenAPI."""
    return {"description": description, "content": {media_type: {"example": example}}}
