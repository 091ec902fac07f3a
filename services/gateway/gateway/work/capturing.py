"""A capture: have the page through the tiers, and write what came of it."""

import time
from datetime import timedelta

from contracts.errors import ErrorCode
from contracts.fetch import FetchRequest, FetchResult, Reason, Tier, TierAttempt
from contracts.render import Warning  # noqa: A004  # the contract's word
from gateway.jobs import confidential, outcomes
from gateway.jobs.settling import Done
from gateway.jobs.states import Claimed, Document, LeaseLostError, NotEnoughError
from gateway.orders import asked, capture_keys, fetch_order
from gateway.pipeline import Pipeline
from runtime.errors import ServiceError

_WHOLE = "ok"
_ANOTHER_WAY = frozenset(
    {
        ErrorCode.TARGET_BLOCKED,
        ErrorCode.TARGET_REFUSED,
        ErrorCode.TARGET_TIMEOUT,
        ErrorCode.TARGET_TLS,
        ErrorCode.PAGE_EMPTY,
    }
)
"""Failures over plain HTTP that another tier may not have."""


async def run(line: Pipeline, job: Claimed) -> None:
    """Do a capture. Raises `ServiceError`, `LeaseLostError`, and `NotEnoughError` where it needs a browser now."""
    request = asked(job, await _secrets(line, job))
    keys = capture_keys(job, request)
    with line.in_the_pool(job):
        result = await (_fetch_light(line, request, keys) if job.light else _fetch(line, request, keys))
    result = _without_strays(result, keys)
    keys = await line.stored(result, keys)
    if not job.batch_id:
        await line.written(lambda db: outcomes.finish(db, job, result, keys))
    elif not await line.gathering.finish(Done(job, result, keys)):
        raise LeaseLostError


async def _secrets(line: Pipeline, job: Claimed) -> Document:
    if not (job.options or {}).get("withheld"):
        return {}
    async with line.db.read() as db:
        found = await confidential.load(db, job)
    if found is None:
        # Dropped only with the end of the job: whoever ended it was not us.
        raise LeaseLostError
    return found


async def _fetch(line: Pipeline, request: FetchRequest, keys: dict[str, str]) -> FetchResult:
    """Have the page. What it answered, and whether it is whole, is part of the result: `fail_if` says otherwise."""
    budget = timedelta(seconds=line.settings.capture_budget_seconds)
    order = fetch_order(request, keys, line.ports.blobs, budget)
    return await line.ask_renderer("/fetch", order, FetchResult, budget)


async def _fetch_light(line: Pipeline, request: FetchRequest, keys: dict[str, str]) -> FetchResult:
    """Have the page over plain HTTP, whatever dearer tier may follow. Raises `NotEnoughError` where one should."""
    if request.tier is not Tier.AUTO or request.max_tier is Tier.STATIC:
        return await _fetch(line, request, keys)
    begun = time.perf_counter()
    try:
        first = request.model_copy(update={"max_tier": Tier.STATIC, "spare_browser": True})
        result = await _fetch(line, first, keys)
    except ServiceError as error:
        if error.code not in _ANOTHER_WAY:
            raise
        raise NotEnoughError([_in_vain(error, begun)]) from error
    if not any(attempt.outcome == _WHOLE for attempt in result.attempts):
        raise NotEnoughError(result.attempts)
    return result


def _in_vain(error: ServiceError, begun: float) -> TierAttempt:
    ms = round((time.perf_counter() - begun) * 1_000, 1)
    return TierAttempt(tier=Tier.STATIC, reason=Reason.FIRST, outcome=error.code.value, ms=ms, error=error.code)


def _without_strays(result: FetchResult, keys: dict[str, str]) -> FetchResult:
    """Leave out artifacts that nobody gave a place to: they came with the answer, and a row is no place for them."""
    kept = {name: artifact for name, artifact in result.artifacts.items() if name in keys and artifact.data is None}
    if len(kept) == len(result.artifacts):
        return result
    warnings = list(dict.fromkeys([*result.warnings, Warning.PICTURES_MISSING]))
    return result.model_copy(update={"artifacts": kept, "warnings": warnings, "partial": True})
