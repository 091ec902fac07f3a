"""The HTTP application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI

from gateway import manual, simple
from gateway.access import plans
from gateway.access.keyring import Keyring
from gateway.analyses import endpoints as analyses
from gateway.audit import endpoints as audit
from gateway.audit.recorder import Recorder
from gateway.audit.trail import Trail
from gateway.batches import endpoints as batches
from gateway.blobs import endpoints as blob_endpoints
from gateway.blobs.files import open_files
from gateway.captures import endpoints as captures
from gateway.db import Database
from gateway.hints import Hints, LocalHints
from gateway.keys import endpoints as keys
from gateway.readiness import Readiness
from gateway.settings import GatewaySettings
from gateway.tenants import endpoints as tenants
from gateway.usage import endpoints as usage
from gateway.wiring import Parts, needs
from runtime.netguard import AddressPolicy
from runtime.web import service_app

log = structlog.get_logger(__name__)

_ABOUT = """Give it a URL; get back what keeps visitors of that page from converting, each finding with its proof.

Every failure is an [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem with a `code` of the
[list of errors](/docs/errors)."""


def create_app(settings: GatewaySettings, *, hints: Hints | None = None) -> FastAPI:
    """Build the API. `hints` is shared with a worker in the same process; the parts are at `app.state.parts`."""
    db = Database(settings.database_url)
    parts = Parts(
        settings=settings,
        db=db,
        hints=hints or LocalHints(),
        blobs=open_files(settings.blobs_url, settings.blobs_base_url, settings.blobs_secret),
        policy=AddressPolicy.from_setting(settings.egress_allow_private),
        keyring=Keyring(db, settings),
        plans=plans.load(settings.plans_file),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with parts.keyring.flushing():
            yield
        await parts.db.aclose()

    app = service_app(
        "gateway",
        ready=Readiness(parts.db).check,
        lifespan=lifespan,
        title="CRO Analyzer",
        version="0.1.0",
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = parts
    if settings.capture_allow_scripts:
        log.warning("capture_scripts_allowed")
    log.info("auth_decided", auth=settings.auth_mode.value, host=settings.host)
    app.add_middleware(Recorder, trail=Trail(db))
    app.include_router(analyses.router, dependencies=[needs("analyses")])
    app.include_router(captures.router, dependencies=[needs("captures")])
    app.include_router(batches.router, dependencies=[needs("batches")])
    app.include_router(simple.router, dependencies=[needs("analyses")])
    for routes in (keys.router, tenants.router, usage.router, audit.router):
        app.include_router(routes)
    app.include_router(manual.router)
    app.include_router(blob_endpoints.router(parts.blobs))
    app.mount(manual.ASSETS, manual.assets())
    return app
