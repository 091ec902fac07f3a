"""What jobs of every kind go through: the renderer's pool, a look at what was stored, a write while they are ours."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from contracts.errors import ErrorCode
from contracts.render import RenderRequest, RenderResult
from gateway.blobs.base import BlobStore
from gateway.db import Database, Write
from gateway.gathering import Gathering
from gateway.jobs.states import Claimed, LeaseLostError, Stage
from gateway.metrics import WORK_SECONDS
from gateway.renderers import Renderers
from gateway.room import Room
from gateway.settings import GatewaySettings
from runtime.client import ServiceClient
from runtime.errors import ServiceError

R = TypeVar("R", bound=RenderResult)
T = TypeVar("T")


@dataclass(frozen=True)
class Ports:
    """The other services, as a worker sees them."""

    renderer: Renderers | ServiceClient
    analyzer: ServiceClient
    blobs: BlobStore


@dataclass(frozen=True)
class Pipeline:
    """One worker's means, and the steps that it takes with every job."""

    db: Database
    ports: Ports
    room: Room
    settings: GatewaySettings
    gathering: Gathering

    @contextmanager
    def in_the_pool(self, job: Claimed) -> Iterator[None]:
        """Time the render and, however it ends, say that its place is free again."""
        try:
            with timed(Stage.RENDER):
                yield
        finally:
            self.room.rendered(job)

    async def ask_renderer(self, path: str, order: RenderRequest, answer: type[R], budget: timedelta) -> R:
        """Have a page opened, and learn how much room the pool has. Raises `ServiceError`."""
        render = await self.ports.renderer.post(path, order, answer, budget)
        if render.pool is not None:
            self.room.learn(render.pool)
        return render

    async def stored(self, render: RenderResult, keys: dict[str, str]) -> dict[str, str]:
        """Return the keys that hold an object, after a look at each: a row must never point at nothing."""
        used = {name: keys[name] for name, artifact in render.artifacts.items() if artifact.data is None}
        for name, key in used.items():
            if await self.ports.blobs.size(key) != render.artifacts[name].bytes:
                detail = "An artifact of the page could not be stored."
                raise ServiceError(ErrorCode.STORAGE_FAILED, detail, reason=f"{name} is missing or short")
        return used

    async def written(self, write: Write[T | None]) -> T:
        """Write, however long the database is away. Raises `LeaseLostError` where `write` says: no longer ours."""
        done = await self.db.insist(write, self.settings.patience)
        if done is None or done is False:
            raise LeaseLostError
        return done


@contextmanager
def timed(stage: Stage) -> Iterator[None]:
    """Count how long a stage took."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        WORK_SECONDS.labels(stage.value).observe(time.perf_counter() - begun)
