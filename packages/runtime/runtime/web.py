"""The frame of every HTTP service: problem answers, request ids, health and metrics."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from runtime import problems
from runtime.requests import RequestMiddleware

Ready = Callable[[], Awaitable[str | Mapping[str, str] | None]]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def service_app(service: str, *, ready: Ready, lifespan: Lifespan, **options: Any) -> FastAPI:  # noqa: ANN401  # FastAPI's own options
    """Make a service's application. `ready` raises `ServiceError` while the service should get no traffic.

    What it returns is shown: a word as the status, details beside it.
    """
    app = FastAPI(lifespan=lifespan, **options)
    problems.install(app)
    app.add_middleware(RequestMiddleware, service=service, surprised=problems.unexpected)

    @app.get("/livez", tags=["health"], summary="The process runs; depends on nothing else")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", tags=["health"], summary="The service can take work")
    async def readyz() -> dict[str, str]:
        told = await ready()
        return {"status": told or "ready"} if isinstance(told, str | None) else {"status": "ready", **told}

    @app.get("/metrics", tags=["health"], summary="Prometheus metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app
