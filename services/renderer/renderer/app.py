"""The renderer's HTTP face: one job in, pixels and facts out."""

import asyncio
import base64
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
import structlog
from fastapi import FastAPI, Request, Response

from contracts.errors import ErrorCode
from contracts.fetch import FetchRequest, FetchResult
from contracts.outputs import MANY, Output, ScreenshotOutput
from contracts.render import PoolState, RenderRequest, RenderResult
from renderer import documents, render
from renderer.browser import Browser, start
from renderer.egress import EgressProxy
from renderer.launcher import Launcher
from renderer.pool import Pool
from renderer.settings import RendererSettings
from renderer.tiers import answer, endpoint
from renderer.tiers.fetching import Fetching
from renderer.uploads import Uploads
from runtime import netguard
from runtime.errors import ServiceError
from runtime.web import service_app

log = structlog.get_logger(__name__)


class Renderer:
    """What lives as long as the service: the pool, its way out, and the client of the artifact store."""

    def __init__(self, settings: RendererSettings, storage: httpx2.AsyncBaseTransport | None) -> None:
        """Nothing is started before `running`."""
        self._settings = settings
        self._policy = netguard.AddressPolicy.from_setting(settings.egress_allow_private)
        self._launcher = Launcher(settings)
        self._egress = EgressProxy(self._policy)
        self._uploads = Uploads(settings.renderer_upload_origins, storage)
        self.pool: Pool[Browser] = Pool(self._start, settings)
        self._chromium = ""
        self._fetching = Fetching(settings, self._policy, self.render, self.pool.state, lambda: self._chromium)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start everything; at the end let running jobs finish, then leave no process and no folder."""
        if self._settings.egress_allow_private:
            log.warning("private_hosts_allowed", hosts=self._settings.egress_allow_private)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._uploads)
            await stack.enter_async_context(self._fetching)
            await stack.enter_async_context(self._launcher)
            await self._egress.start()
            stack.push_async_callback(self._egress.aclose)
            stack.push_async_callback(self.pool.drain, timedelta(seconds=self._settings.renderer_drain_s))
            await self.pool.start()
            log.info("renderer_started", slots=self.pool.state().slots)
            yield

    async def fetch(self, request: FetchRequest) -> render.Rendered:
        """Do one fetch. Raises `ServiceError`."""
        return await endpoint.fetch(request, self._fetching, self._uploads)

    async def render(self, request: RenderRequest) -> render.Rendered:
        """Do one job. Raises `ServiceError`."""
        render.check(request)
        target = netguard.parse(request.url)
        self._policy.check_target(target)
        self._uploads.check(request.uploads)
        return await render.render(request, target.url, self.pool, self._uploads)

    async def _start(self) -> Browser:
        browser = await start(self._launcher, self._egress.listener, sandboxed=self._settings.renderer_sandbox == "on")
        self._chromium = browser.version
        return browser


def create_app(settings: RendererSettings, *, storage: httpx2.AsyncBaseTransport | None = None) -> FastAPI:
    """Make the service; `storage` replaces the network for uploads when everything runs in one process."""
    renderer = Renderer(settings, storage)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with renderer.running():
            yield

    app = service_app(
        "renderer", ready=renderer.pool.ready, lifespan=lifespan, title="CRO Analyzer renderer", version="0.1.0"
    )

    @app.post("/render", response_model=RenderResult, summary="Open a page; return its pictures and facts")
    async def post_render(body: RenderRequest, request: Request) -> Response:
        rendered = await _unless_gone(request, renderer.render(body))
        return _answer(body, rendered)

    @app.post("/fetch", response_model=FetchResult, summary="Have a page through the cheapest tier that gives it whole")
    async def post_fetch(body: FetchRequest, request: Request) -> Response:
        had = await _unless_gone(request, renderer.fetch(body))
        return answer.mark(_answer(body, had), had.result)

    @app.get("/pressure", summary="Room in the pool")
    async def pressure() -> PoolState:
        return renderer.pool.state()

    return app


async def _unless_gone(request: Request, work: Coroutine[Any, Any, render.Rendered]) -> render.Rendered:
    """Run `work` and cancel it when the caller has gone: nobody would read the answer."""
    job = asyncio.create_task(work)
    leaving = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait([job, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not job.done():
            raise ServiceError(ErrorCode.CANCELLED, "The caller has gone.")
        return job.result()
    finally:
        leaving.cancel()
        job.cancel()
        await asyncio.wait([job, leaving])


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _answer(body: RenderRequest, rendered: render.Rendered) -> Response:
    """One picture or one set of facts, asked for without a slot, is the answer itself; all else is a RenderResult."""
    if len(body.outputs) == 1 and not body.uploads and _bare(body.outputs[0]):
        return _bare_answer(rendered)
    inline = {
        piece.artifact.name: piece.artifact.model_copy(update={"data": piece.text or _base64(piece.data)})
        for piece in rendered.pieces
        if piece.artifact.name not in body.uploads
    }
    result = rendered.result.model_copy(update={"artifacts": {**rendered.result.artifacts, **inline}})
    return Response(result.model_dump_json(), media_type="application/json")


def _bare(output: Output) -> bool:
    return not isinstance(output, ScreenshotOutput) or output.area not in MANY


def _bare_answer(rendered: render.Rendered) -> Response:
    result = rendered.result
    if not rendered.pieces:
        raise ServiceError(ErrorCode.DEADLINE_EXCEEDED, "The page took longer than the time budget.")
    headers = {
        "X-Final-Url": result.final_url,
        "X-Http-Status": str(result.http_status),
        "X-Warnings": ",".join(result.warnings),
    }
    piece = rendered.pieces[0]
    headers |= documents.safeguards(piece.artifact.content_type)
    return Response(piece.data, media_type=piece.artifact.content_type, headers=headers)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
