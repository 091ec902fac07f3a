"""The whole platform in one process: the same applications as in a cluster, joined by in-process transports."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from fastapi import FastAPI

from analyzer.service import create_service as analyzer_app
from analyzer.settings import AnalyzerSettings
from gateway.app import create_app as gateway_app
from gateway.auth import Auth
from gateway.hints import LocalHints
from gateway.migrate import migrate
from gateway.pipeline import Ports
from gateway.settings import GatewaySettings
from gateway.worker import Worker
from renderer.app import create_app as renderer_app
from renderer.settings import RendererSettings
from runtime.client import ServiceClient

# Never dialled: it names the file store's routes inside this process.
_STORE = "http://store.internal"


@dataclass(frozen=True)
class Profile:
    """What differs between a server and a single run; everything else comes from the services' own settings.

    `slots`: browsers. `patience_s`: how long a job waits for a service that is away. `drain_s`: how long running jobs
    may take when the platform stops; a server's jobs are given back and go on at its next start. `auth`: None where
    AUTH and API_KEY_PEPPER decide; only a run of one's own, which nobody else can call, is without keys in any case.
    """

    data: Path
    slots: int | None = None
    patience_s: int = 900
    drain_s: int = 5
    auth: Auth | None = Auth.LOOPBACK


def gateway_settings(profile: Profile) -> GatewaySettings:
    """Return the gateway's settings with what the profile decides."""
    settings = GatewaySettings(
        database_url=f"sqlite+aiosqlite:///{profile.data / 'cro.db'}",
        blobs_url=f"file://{profile.data / 'blobs'}",
        blobs_base_url=_STORE,
        outage_patience_seconds=profile.patience_s,
        drain_seconds=profile.drain_s,
    )
    return settings if profile.auth is None else settings.model_copy(update={"auth": profile.auth})


def _renderer_settings(profile: Profile) -> RendererSettings:
    settings = RendererSettings(renderer_upload_origins=_STORE, renderer_drain_s=profile.drain_s)
    return settings if profile.slots is None else settings.model_copy(update={"renderer_slots": profile.slots})


def create_app(profile: Profile) -> FastAPI:
    """Return the gateway's application; its lifespan also runs renderer, analyzer and a worker."""
    settings = gateway_settings(profile)
    hints = LocalHints()
    gateway = gateway_app(settings, hints=hints)
    storage = httpx2.ASGITransport(app=gateway)
    renderer = renderer_app(_renderer_settings(profile), storage=storage)
    analyzer = analyzer_app(AnalyzerSettings(analyzer_download_origins=_STORE), storage=storage)
    own_lifespan = gateway.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        profile.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        await asyncio.to_thread(migrate, settings.database_url)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(own_lifespan(app))
            for service in (renderer, analyzer):
                await stack.enter_async_context(service.router.lifespan_context(service))
            clients = [
                await stack.enter_async_context(_client(name, service))
                for name, service in (("renderer", renderer), ("analyzer", analyzer))
            ]
            parts = app.state.parts
            ports = Ports(renderer=clients[0], analyzer=clients[1], blobs=parts.blobs)
            await stack.enter_async_context(_working(Worker(parts.db, ports, hints, settings)))
            yield

    gateway.router.lifespan_context = lifespan
    return gateway


def _client(name: str, service: FastAPI) -> ServiceClient:
    return ServiceClient(name, f"http://{name}.internal", httpx2.ASGITransport(app=service))


@asynccontextmanager
async def _working(worker: Worker) -> AsyncIterator[None]:
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await task


@asynccontextmanager
async def reached(profile: Profile) -> AsyncIterator[httpx2.ASGITransport]:
    """Run the platform without a port, and yield the way to its API. Raises `ServiceError` when it cannot start."""
    app = create_app(profile)
    async with app.router.lifespan_context(app):
        yield httpx2.ASGITransport(app=app)


@asynccontextmanager
async def running(profile: Profile) -> AsyncIterator[httpx2.AsyncClient]:
    """Run the platform without a port, and yield a client of its API. Raises `ServiceError` when it cannot start."""
    async with (
        reached(profile) as transport,
        httpx2.AsyncClient(
            transport=transport, base_url="http://api.internal", timeout=None
        ) as api,  # the caller holds the budget
    ):
        yield api
