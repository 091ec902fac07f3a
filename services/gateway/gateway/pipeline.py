"""One job from render to result. No transaction is open while another service is waited for."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from contracts import render as wire
from contracts.analyze import Preset
from contracts.errors import ErrorCode
from contracts.render import RenderResult
from contracts.result import Analysis
from gateway.blobs.base import BlobStore
from gateway.db import Database
from gateway.jobs import outcomes
from gateway.jobs.states import Claimed, LeaseLostError, Stage
from gateway.metrics import WORK_SECONDS
from gateway.orders import analyze_order, new_keys, render_order
from gateway.room import Room
from gateway.settings import GatewaySettings
from runtime.client import ServiceClient
from runtime.errors import ServiceError

_FIRST_ERROR_STATUS = 400
_UNAUTHORIZED = 401


@dataclass(frozen=True)
class Ports:
    """The other services, as a worker sees them."""

    renderer: ServiceClient
    analyzer: ServiceClient
    blobs: BlobStore


@dataclass(frozen=True)
class Pipeline:
    """What every job of a worker goes through."""

    db: Database
    ports: Ports
    room: Room
    settings: GatewaySettings

    async def run(self, job: Claimed) -> None:
        """Do what is left of `job` and write its result.

        Raises `ServiceError` when it failed, and `LeaseLostError` when it is no longer ours.
        """
        render, keys = await self._rendered(job)
        with _timed(Stage.ANALYZE):
            budget = timedelta(seconds=self.settings.analyze_budget_seconds)
            held = await self._held(job)
            order = analyze_order(job, render, keys, self.ports.blobs, budget, ai_budget_usd=held)
            analysis = await self.ports.analyzer.post("/analyze", order, Analysis, budget)
        if not await self.db.insist(lambda db: outcomes.finish(db, job, analysis), self.settings.patience):
            raise LeaseLostError

    async def _held(self, job: Claimed) -> Decimal | None:
        """Return how much of the tenant's AI budget this analysis may spend, held until its end. None: no limit."""
        limit = self.settings.tenant_ai_budget_usd_per_day
        if limit is None or job.preset is Preset.RULES:
            return None
        wanted = Decimal(str(self.settings.ai_reservation_usd.get(job.preset, 0)))
        held = await self.db.insist(lambda db: outcomes.reserve(db, job, wanted, limit), self.settings.patience)
        if held is None:
            raise LeaseLostError
        return held

    async def _rendered(self, job: Claimed) -> tuple[RenderResult, dict[str, str]]:
        if job.stage is Stage.ANALYZE:
            async with self.db.read() as db:
                return await outcomes.load_render(db, job)
        keys = new_keys(job)
        try:
            with _timed(Stage.RENDER):
                render = await self._render(job, keys)
        finally:
            self.room.rendered(job)
        keys = await self._stored(render, keys)
        if not await self.db.insist(lambda db: outcomes.save_render(db, job, render, keys), self.settings.patience):
            raise LeaseLostError
        return render, keys

    async def _render(self, job: Claimed, keys: dict[str, str]) -> RenderResult:
        budget = timedelta(seconds=self.settings.render_budget_seconds)
        order = render_order(job, keys, self.ports.blobs, budget)
        render = await self.ports.renderer.post("/render", order, RenderResult, budget)
        if render.pool is not None:
            self.room.learn(render.pool)
        if render.http_status == _UNAUTHORIZED:
            raise ServiceError(ErrorCode.TARGET_AUTH, "The site asks for a login (HTTP status 401).")
        if render.http_status >= _FIRST_ERROR_STATUS:
            detail = f"The site answered with HTTP status {render.http_status}."
            raise ServiceError(ErrorCode.TARGET_STATUS, detail)
        if wire.Warning.PAGE_EMPTY in render.warnings:
            raise ServiceError(ErrorCode.PAGE_EMPTY, "The page loaded, but shows neither text nor pictures.")
        return render

    async def _stored(self, render: RenderResult, keys: dict[str, str]) -> dict[str, str]:
        """Return the keys that hold an object, after a look at each: a row must never point at nothing."""
        used = {name: keys[name] for name, artifact in render.artifacts.items() if artifact.data is None}
        for name, key in used.items():
            if await self.ports.blobs.size(key) != render.artifacts[name].bytes:
                detail = "A picture of the page could not be stored."
                raise ServiceError(ErrorCode.STORAGE_FAILED, detail, reason=f"{name} is missing or short")
        return used


@contextmanager
def _timed(stage: Stage) -> Iterator[None]:
    begun = time.perf_counter()
    try:
        yield
    finally:
        WORK_SECONDS.labels(stage.value).observe(time.perf_counter() - begun)
