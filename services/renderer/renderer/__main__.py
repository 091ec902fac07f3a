"""`python -m renderer`: the renderer alone, on HOST and PORT."""

import asyncio
import signal
import socket
import sys

import uvicorn
from fastapi import FastAPI

from renderer.app import create_app
from renderer.settings import RendererSettings
from runtime import logging, telemetry
from runtime.errors import ServiceError


class Server(uvicorn.Server):
    """Says one line on standard output when it is ready."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then say so."""
        await super().startup(sockets)
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        sys.stdout.write(f"renderer ready on http://{host}:{port}\n")
        sys.stdout.flush()


def configure(settings: RendererSettings, app: FastAPI) -> uvicorn.Config:
    """Return how the service listens."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        lifespan="off",  # run here instead: what keeps it from starting is one line for the operator, not a traceback
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=round(settings.renderer_drain_s),
    )


async def serve(config: uvicorn.Config, app: FastAPI) -> None:
    """Serve until SIGINT or SIGTERM, then drain. Raises `ServiceError` when nothing can be started."""
    async with app.router.lifespan_context(app):
        await Server(config).serve()


def main() -> None:
    """Exit 0 after a drain, 1 with one line when it cannot start."""
    settings = RendererSettings()
    logging.configure("renderer", settings.log_level)
    telemetry.configure("renderer", "0.1.0")
    app = create_app(settings)
    config = configure(settings, app)
    # uvicorn raises the signal again once it has shut down cleanly: that is an orderly end, not a death.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    try:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(serve(config, app))
    except ServiceError as exc:
        sys.exit(exc.detail)


if __name__ == "__main__":
    main()
