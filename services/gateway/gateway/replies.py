"""What answers to creating requests have in common: where the job is found, and how the request came by it."""

from datetime import UTC, datetime

from fastapi import Response

from gateway.acceptance import Accepted, Origin
from gateway.patience import RETRY_AFTER_S

_WORDS = {Origin.MADE: "miss", Origin.JOINED: "joined", Origin.CACHED: "hit"}


def origin(accepted: Accepted, finished_at: datetime | None) -> dict[str, str]:
    """Return the headers that say whether anything was made for this request."""
    headers = {"X-Cache": _WORDS[accepted.origin]}
    if accepted.replayed:
        headers["Idempotent-Replayed"] = "true"
    if accepted.cached and finished_at is not None:
        headers["Age"] = str(max(0, round((datetime.now(UTC) - finished_at).total_seconds())))
    return headers


def again(accepted: Accepted, location: str) -> Response | None:
    """Return what an earlier request with this key was answered while its job was not finished, if it was."""
    if accepted.answer is None:
        return None
    headers = {"Location": location, "Retry-After": str(RETRY_AFTER_S), **origin(accepted, None)}
    return Response(accepted.answer, 202, headers, media_type="application/json")
