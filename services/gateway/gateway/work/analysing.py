"""An analysis: have the page rendered, have the render judged, write the result."""

from datetime import timedelta

from contracts.errors import ErrorCode
from contracts.render import (
    RenderResult,
    Warning,  # noqa: A004  # the contract's word
)
from gateway.jobs import enrichment, outcomes
from gateway.jobs.delays import after_absence
from gateway.jobs.outcomes import Rendered
from gateway.jobs.states import Claimed, Stage
from gateway.orders import analysis_keys, render_order
from gateway.pipeline import Pipeline
from gateway.work import judging
from runtime.errors import ServiceError

_FIRST_ERROR_STATUS = 400
_UNAUTHORIZED = 401


async def run(line: Pipeline, job: Claimed) -> None:
    """Do what is left of an analysis: a finished render is not made again. Raises `ServiceError`, `LeaseLostError`."""
    rendered = await _saved(line, job) if job.stage is Stage.ANALYZE else await _rendered(line, job)
    analyzed = await judging.judged(line, job, job, rendered)
    again = timedelta() if enrichment.in_bulk(job) else after_absence(timedelta(), analyzed.retry_after_s)
    await line.written(lambda db: enrichment.conclude(db, job, analyzed, again))


async def _saved(line: Pipeline, job: Claimed) -> Rendered:
    async with line.db.read() as db:
        return await outcomes.load_render(db, job)


async def _rendered(line: Pipeline, job: Claimed) -> Rendered:
    keys = analysis_keys(job)
    with line.in_the_pool(job):
        render = await _render(line, job, keys)
    rendered = Rendered(render, await line.stored(render, keys))
    await line.written(lambda db: outcomes.save_render(db, job, *rendered))
    return rendered


async def _render(line: Pipeline, job: Claimed, keys: dict[str, str]) -> RenderResult:
    """Have the page, whole and well: nobody pays for the judgement of an error page. Raises `ServiceError`."""
    budget = timedelta(seconds=line.settings.render_budget_seconds)
    order = render_order(job, keys, line.ports.blobs, budget)
    render = await line.ask_renderer("/render", order, RenderResult, budget)
    if render.http_status == _UNAUTHORIZED:
        raise ServiceError(ErrorCode.TARGET_AUTH, "The site asks for a login (HTTP status 401).")
    if render.http_status >= _FIRST_ERROR_STATUS:
        detail = f"The site answered with HTTP status {render.http_status}."
        raise ServiceError(ErrorCode.TARGET_STATUS, detail)
    if Warning.PAGE_EMPTY in render.warnings:
        raise ServiceError(ErrorCode.PAGE_EMPTY, "The page loaded, but shows neither text nor pictures.")
    return render
