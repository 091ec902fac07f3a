"""The HTTP application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from gateway import describing, manual, simple
from gateway.access import plans
from gateway.access.keyring import Keyring
from gateway.analyses import endpoints as analyses
from gateway.audit import endpoints as audit
from gateway.audit.recorder import Recorder
from gateway.audit.trail import Trail
from gateway.backlog import Backlog
from gateway.batches import endpoints as batches
from gateway.blobs import endpoints as blob_endpoints
from gateway.blobs.files import FileBlobs
from gateway.blobs.opening import open_store
from gateway.broker import Broker
from gateway.captures import endpoints as captures
from gateway.db import Database
from gateway.edge.addresses import Proxies, networks
from gateway.edge.bodies import Bounds
from gateway.edge.doorway import Doorway, House
from gateway.guard import guarded
from gateway.heads import HeadMiddleware
from gateway.health import endpoints as health
from gateway.hints import Hints, LocalHints
from gateway.keys import endpoints as keys
from gateway.limits.local import LocalLimiter
from gateway.limits.policy import Rates
from gateway.limits.shared import SharedLimiter
from gateway.places import Places
from gateway.readiness import Readiness
from gateway.settings import GatewaySettings
from gateway.shared_hints import SharedHints
from gateway.tenants import endpoints as tenants
from gateway.uploads.decoding import Decoder
from gateway.usage import endpoints as usage
from gateway.watch import Watch
from gateway.webhooks import endpoints as webhooks
from gateway.webhooks.described import webhooks as described
from gateway.wiring import Parts
from runtime.netguard import AddressPolicy
from runtime.web import service_app

log = structlog.get_logger(__name__)

_ABOUT = """Give it a URL; get back what keeps visitors of that page from converting, each finding with its proof.

Every failure is an [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem with a `code` of the
[list of errors](/docs/errors)."""

_CUSTOMERS: Final[tuple[tuple[str | None, APIRouter], ...]] = (
    ("analyses", analyses.router),
    ("captures", captures.router),
    ("batches", batches.router),
    ("analyses", simple.router),
    ("webhooks", webhooks.router),
    ("keys", keys.router),
    (None, tenants.router),
    ("usage", usage.router),
    ("audit", audit.router),
)
"""The routes that need a key, and whose scope it must have."""


def _parts(settings: GatewaySettings, hints: Hints | None) -> Parts:
    db = Database(settings.database_url, settings.api_database_seconds)
    broker = Broker(settings.redis_url) if settings.redis_url else None
    hints = hints or (SharedHints(settings.redis_url, broker) if broker else LocalHints())
    return Parts(
        settings=settings,
        db=db,
        hints=hints,
        blobs=open_store(settings),
        policy=AddressPolicy.from_setting(settings.egress_allow_private),
        keyring=Keyring(db, settings),
        plans=plans.load(settings.plans_file),
        broker=broker,
        limiter=SharedLimiter(broker, settings.api_processes) if broker else LocalLimiter(),
        rates=Rates(settings.rate_limit_key, settings.rate_limit_tenant, settings.rate_limit_address),
        backlog=Backlog(db, settings.queue_limit),
        readiness=Readiness(db, broker),
        watch=Watch(db, hints),
        decoder=Decoder(),
        places=Places(settings.events_per_tenant),
    )


def _house(parts: Parts) -> House:
    settings = parts.settings
    return House(
        proxies=Proxies(networks(settings.trusted_proxies)),
        bounds=Bounds(settings.max_body_bytes, settings.max_upload_bytes, settings.body_timeout_seconds),
        concurrency=settings.limit_concurrency,
        tally=parts.tally,
        leaving=lambda: parts.readiness.leaving,
    )


def create_app(settings: GatewaySettings, *, hints: Hints | None = None) -> FastAPI:
    """Build the API. `hints` is shared with a worker in the same process; the parts are at `app.state.parts`."""
    parts = _parts(settings, hints)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with parts.keyring.flushing():
            yield
        await parts.watch.aclose()
        await parts.hints.aclose()
        if parts.broker is not None:
            await parts.broker.aclose()
        await parts.blobs.aclose()
        await parts.db.aclose()

    app = service_app(
        "gateway",
        ready=parts.readiness.check,
        lifespan=lifespan,
        middleware=[Middleware(Doorway, house=_house(parts))],
        title="CRO Analyzer",
        version="0.1.0",
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = parts
    app.add_middleware(HeadMiddleware)
    if settings.capture_allow_scripts:
        log.warning("capture_scripts_allowed")
    log.info("auth_decided", auth=settings.auth_mode.value, host=settings.host)
    app.add_middleware(Recorder, trail=Trail(parts.db))
    for noun, router in _CUSTOMERS:
        app.include_router(router, dependencies=[guarded(noun)])
    app.webhooks.include_router(described)
    app.include_router(health.router)
    app.include_router(manual.router)
    if isinstance(parts.blobs, FileBlobs):
        app.include_router(blob_endpoints.router(parts.blobs))
    app.mount(manual.ASSETS, manual.assets())
    describing.complete(app, [router for _, router in _CUSTOMERS])
    return app
