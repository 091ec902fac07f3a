"""The analyzer over HTTP: POST /analyze, POST /tickets, GET /rules."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import httpx2
from fastapi import FastAPI

from analyzer.analyze import analyze
from analyzer.artifacts import ArtifactReader
from analyzer.catalogue import Catalogue, catalogue
from analyzer.judged import BulkJudge, Judge
from analyzer.rules import policy
from analyzer.settings import AnalyzerSettings
from contracts.analyze import AnalyzeRequest
from contracts.errors import ErrorCode
from contracts.result import Analyzed, Ticket, TicketRead, TicketState
from runtime.errors import ServiceError
from runtime.web import service_app


def create_app(
    settings: AnalyzerSettings,
    *,
    storage: httpx2.AsyncBaseTransport | None = None,
    judge: Judge | None = None,
    bulk: BulkJudge | None = None,
    detail: Callable[[], Mapping[str, str]] = lambda: {"claude": "off: no key"},
) -> FastAPI:
    """Make the service. `storage` replaces the network towards the artifact store.

    Without `judge`, rules alone; without `bulk`, every page is asked about at once. `detail` is what `/readyz` says
    beside its verdict.
    """
    numbers = policy.load()
    readers: list[ArtifactReader] = []

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with ArtifactReader(settings.origins, settings.analyzer_max_artifact_bytes, storage) as reader:
            readers.append(reader)
            yield
            readers.clear()

    async def ready() -> Mapping[str, str]:
        if not readers:
            raise ServiceError(ErrorCode.UNAVAILABLE, "The analyzer is not running.", retry_after_s=1)
        return detail()

    app = service_app("analyzer", ready=ready, lifespan=lifespan, title="CRO Analyzer: analyzer")

    @app.post("/analyze", tags=["analysis"], summary="Judge a rendered page, or a picture of one")
    async def post_analyze(request: AnalyzeRequest) -> Analyzed:
        await ready()
        return await analyze(request, readers[0], judge, numbers, bulk)

    @app.post("/tickets", tags=["analysis"], summary="Ask whether the answer to a page that was handed in is there")
    async def post_ticket(ticket: Ticket) -> TicketRead:
        return TicketRead(state=await bulk.look(ticket) if bulk is not None else TicketState.LOST)

    @app.get("/rules", tags=["analysis"], summary="The catalogue of rules")
    async def get_rules() -> Catalogue:
        return catalogue()

    return app
