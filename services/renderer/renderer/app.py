"""The renderer's HTTP face: one job in, pixels and facts out."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
import structlog
from fastapi import FastAPI, Request, Response

from contracts.errors import ErrorCode
from contracts.fetch import FetchRequest, FetchResult
from contracts.render import Pressure, RenderRequest, RenderResult
from renderer import answers, intake, pressure, render
from renderer.browser import Browser, start
from renderer.devices import DEVICES, Device
from renderer.egress import EgressProxy
from renderer.isolation import Isolation
from renderer.launcher import Launcher
from renderer.pool import Pool
from renderer.settings import RendererSettings
from renderer.tiers import answer
from renderer.tiers.fetching import Fetching
from renderer.uploads import Uploads
from runtime import netguard
from runtime.errors import ServiceError
from runtime.web import service_app

log = structlog.get_logger(__name__)

_UPLOAD = timedelta(seconds=5)
"""For the artifacts of a fetch, beside its budget."""


class Renderer:
    """What lives as long as the service: the pool, its way out, and the client of the artifact store."""

    def __init__(self, settings: RendererSettings, storage: httpx2.AsyncBaseTransport | None) -> None:
        """Nothing is started before `running`."""
        self._settings = settings
        self._policy = settings.policy()
        self._launcher = Launcher(settings)
        self._egress = EgressProxy(
            self._policy, settings.limits(), reach=settings.reach(), service=settings.egress_service()
        )
        self._uploads = Uploads(settings.renderer_upload_origins, storage)
        self.pool: Pool[Browser] = Pool(self._start, settings)
        self._isolation = Isolation(self.pool, settings.renderer_poison_s, settings.renderer_queue)
        self._chromium = ""
        self._fetching = Fetching(
            settings, self._policy, self.render, self.pool.state, lambda: self._chromium, dial=self._egress.dial
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start everything; at the end let running jobs finish, then leave no process and no folder."""
        if self._settings.egress_allow_private:
            log.warning("private_hosts_allowed", hosts=self._settings.egress_allow_private)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._uploads)
            await stack.enter_async_context(self._fetching)
            await stack.enter_async_context(self._launcher)
            stack.push_async_callback(self._egress.aclose)
            stack.push_async_callback(self.pool.drain, timedelta(seconds=self._settings.renderer_drain_s))
            await self.pool.start()
            log.info("renderer_started", slots=self.pool.state().slots)
            yield

    async def fetch(self, request: FetchRequest) -> render.Rendered:
        """Have one page through the tiers, and store what has a slot. Raises `ServiceError`."""
        request = intake.accept(request, self._settings)
        self._uploads.check(request.uploads)
        had = await self._fetching.fetch(request)
        await render.store(had, request.uploads, self._uploads, _UPLOAD)
        return had

    async def render(self, request: RenderRequest, *, watched: bool = True) -> render.Rendered:
        """Do one job. Raises `ServiceError`."""
        request = intake.accept(request, self._settings)
        target = netguard.parse(request.url)
        self._policy.check_target(target)
        self._uploads.check(request.uploads)
        return await render.render(request, target.url, self._isolation, self._uploads, watched=watched)

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
        bytes_wanted = answers.wants_bytes(body, ", ".join(request.headers.getlist("accept")))
        rendered = await _unless_gone(request, renderer.render(body, watched=not bytes_wanted))
        return answers.bare(rendered) if bytes_wanted else answers.whole(body, rendered)

    @app.post("/fetch", response_model=FetchResult, summary="Have a page through the cheapest tier that gives it whole")
    async def post_fetch(body: FetchRequest, request: Request) -> Response:
        bytes_wanted = answers.wants_bytes(body, ", ".join(request.headers.getlist("accept")))
        had = await _unless_gone(request, renderer.fetch(body))
        return answer.mark(answers.bare(had) if bytes_wanted else answers.whole(body, had), had.result)

    @app.get("/devices", summary="Devices that an output may name")
    async def devices() -> list[Device]:
        return list(DEVICES.values())

    @app.get("/pressure", response_model=Pressure, summary="Room in the pool, as JSON or as 200 ok / 503 busy")
    async def get_pressure(request: Request) -> Response:
        return pressure.answer(request, renderer.pool.pressure())

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
