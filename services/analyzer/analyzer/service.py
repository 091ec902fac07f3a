"""The analyzer as it runs: rules, and Claude when there is a key."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx2
from fastapi import FastAPI

from analyzer.app import create_app
from analyzer.judging.settings import ClaudeSettings
from analyzer.settings import AnalyzerSettings


def create_service(settings: AnalyzerSettings, *, storage: httpx2.AsyncBaseTransport | None = None) -> FastAPI:
    """Make the service with the judge that the environment allows; its connections close with the service.

    Its start raises `ServiceError` for a configured model that is gone. A provider that is away stops nothing.
    """
    asked = ClaudeSettings()
    if not asked.enabled:
        return create_app(settings, storage=storage)
    from analyzer.judging import bulk as judging  # noqa: PLC0415  # 1.5 s and 30 MB that an analyzer without a key never pays

    judge, bulk = judging.from_settings(asked)
    app = create_app(settings, storage=storage, judge=judge, bulk=bulk, detail=judge.models.detail)
    serving = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(judge)
            await stack.enter_async_context(judge.models)
            stack.push_async_callback(bulk.aclose)
            await stack.enter_async_context(serving(app))
            yield

    app.router.lifespan_context = lifespan
    return app
