"""One page through the platform: submit, follow, fetch the report."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import httpx2
from pydantic import BaseModel

from contracts.analyze import Preset
from contracts.errors import ErrorCode, Problem
from contracts.result import Analysis
from runtime.client import failure
from runtime.errors import ServiceError

OnStage = Callable[[str], None]

_POLL_S = 2


class _Job(BaseModel):
    """The part of the API's answer that the command line reads."""

    id: str
    status: str
    error: Problem | None = None
    result: Analysis | None = None


@dataclass(frozen=True)
class Report:
    """A finished analysis: as data and as a page."""

    analysis: Analysis
    html: str


async def analyze(api: httpx2.AsyncClient, url: str, preset: Preset, budget: timedelta, on_stage: OnStage) -> Report:
    """Analyse `url` and tell `on_stage` each new state. Raises `ServiceError` as the API does, or when time is up."""
    try:
        async with asyncio.timeout(budget.total_seconds()):
            job = _read(await api.post("/v1/analyses", json={"url": url, "preset": preset.value, "refresh": True}))
            job = await _follow(api, job, on_stage)
            html = await api.get(f"/v1/analyses/{job.id}/report")
    except TimeoutError as exc:
        raise ServiceError(
            ErrorCode.DEADLINE_EXCEEDED, f"The analysis took longer than {budget.total_seconds():.0f} s."
        ) from exc
    assert job.result is not None
    return Report(job.result, html.text)


async def _follow(api: httpx2.AsyncClient, job: _Job, on_stage: OnStage) -> _Job:
    seen = ""
    while True:
        if job.status != seen:
            seen = job.status
            on_stage(seen)
        if job.result is not None:
            return job
        if job.error is not None:
            raise ServiceError(job.error.code, job.error.detail, errors=job.error.errors)
        job = _read(await api.get(f"/v1/analyses/{job.id}", params={"wait": _POLL_S}))


def _read(answer: httpx2.Response) -> _Job:
    if answer.is_error:
        raise failure("platform", answer)
    return _Job.model_validate_json(answer.content)
