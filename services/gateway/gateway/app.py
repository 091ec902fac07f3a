"""The HTTP application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI

from gateway import manual, simple
from gateway.analyses import endpoints as analyses
from gateway.blobs import endpoints as blob_endpoints
from gateway.blobs.files import open_files
from gateway.captures import endpoints as captures
from gateway.db import Database
from gateway.hints import Hints, LocalHints
from gateway.readiness import Readiness
from gateway.settings import GatewaySettings
from gateway.webhooks import endpoints as webhooks
from gateway.webhooks.described import webhooks as described
from gateway.wiring import Parts
from runtime.netguard import AddressPolicy
from runtime.web import service_app

log = structlog.get_logger(__name__)

_ABOUT = """Give it a URL; get back what keeps visitors of that page from converting, each finding with its proof.

Every failure is an [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem with a `code` of the
[list of errors](/docs/errors)."""


def create_app(settings: GatewaySettings, *, hints: Hints | None = None) -> FastAPI:
    """Build the API. `hints` is shared with a worker in the same process; the parts are at `app.state.parts`."""
    parts = Parts(
        settings=settings,
        db=Database(settings.database_url),
        hints=hints or LocalHints(),
        blobs=open_files(settings.blobs_url, settings.blobs_base_url, settings.blobs_secret),
        policy=AddressPolicy.from_setting(settings.egress_allow_private),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
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
    app.include_router(analyses.router)
    app.include_router(captures.router)
    app.include_router(simple.router)
    app.include_router(webhooks.router)
    app.webhooks.include_router(described)
    app.include_router(manual.router)
    app.include_router(blob_endpoints.router(parts.blobs))
    app.mount(manual.ASSETS, manual.assets())
    return app
