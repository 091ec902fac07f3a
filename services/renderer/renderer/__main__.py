"""`python -m renderer`: the renderer alone, on HOST and PORT."""

import signal
import socket
import sys

import uvicorn

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


def main() -> None:
    """Serve until SIGINT or SIGTERM; exit 0 after a drain, 1 with one line when it cannot start."""
    settings = RendererSettings()
    logging.configure("renderer", settings.log_level)
    telemetry.configure("renderer", "0.1.0")
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=round(settings.renderer_drain_s),
    )
    # uvicorn raises the signal again once it has shut down cleanly: that is an orderly end, not a death.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    try:
        Server(config).run()
    except ServiceError as exc:
        sys.exit(exc.detail)


if __name__ == "__main__":
    main()
