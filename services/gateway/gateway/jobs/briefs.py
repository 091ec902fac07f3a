"""One URL's line of a batch's results, written once, when the job ends: streaming ten thousand only copies them."""

import json
from decimal import Decimal
from typing import Any

from contracts.fetch import FetchResult
from contracts.result import Analysis
from contracts.wire import Wire
from gateway.jobs.states import Claimed, Kind, State

_PLURAL = {Kind.CAPTURE: "captures", Kind.ANALYSIS: "analyses"}


def of(job: Claimed, result: Wire) -> str:
    """Return the line of a job that has succeeded, without a line break."""
    head = {"id": job.id, "url": job.url, "status": State.SUCCEEDED.value}
    if isinstance(result, FetchResult):
        body = _captured(job, result)
    else:
        assert isinstance(result, Analysis)
        body = _analysed(job, result)
    return written({**head, **body, "error": None})


def ended(job_id: str, url: str, state: str, error: tuple[str, str] | None = None) -> str:
    """Return the line of a job without a result: `error` is what ended it, code and detail."""
    kind = next(kind for kind in _PLURAL if job_id.startswith(f"{kind.id_prefix}_"))
    return written(
        {
            "id": job_id,
            "url": url,
            "status": state,
            "tier": None,
            "reason": None,
            "cost": "0",
            "artifacts": {},
            "links": {"self": f"/v1/{_PLURAL[kind]}/{job_id}"},
            "error": error and {"code": error[0], "detail": error[1]},
        }
    )


def written(document: dict[str, Any]) -> str:
    """Write a line."""
    return json.dumps(document, ensure_ascii=True, separators=(",", ":"))


def _captured(job: Claimed, result: FetchResult) -> dict[str, Any]:
    path = f"/v1/captures/{job.id}"
    artifacts = {
        name: {
            "content_type": one.content_type,
            "bytes": one.bytes,
            "sha256": one.sha256,
            "links": {"self": f"{path}/artifacts/{name}"},
        }
        for name, one in result.artifacts.items()
    }
    return {
        "tier": result.tier.value,
        "reason": result.reason.value,
        "cost": money(result.cost_usd),
        "final_url": result.final_url,
        "http_status": result.http_status,
        "title": result.title,
        "partial": result.partial,
        "warnings": [warning.value for warning in result.warnings],
        "attempts": [one.model_dump(mode="json") for one in result.attempts],
        "ms": round(result.timings.total_ms),
        "artifacts": artifacts,
        "links": {"self": path},
    }


def _analysed(job: Claimed, result: Analysis) -> dict[str, Any]:
    path = f"/v1/analyses/{job.id}"
    return {
        "tier": "browser",
        "reason": "asked",
        "cost": money(Decimal(result.engine.ai.cost_usd) if result.engine.ai else Decimal(0)),
        "final_url": result.url.final,
        "http_status": result.url.http_status,
        "title": result.page.title,
        "score": result.scores.overall,
        "artifacts": {},
        "links": {"self": path, "report": f"{path}/report"},
    }


def money(usd: Decimal) -> str:
    """Write an amount in plain digits."""
    return format(usd.normalize(), "f")
