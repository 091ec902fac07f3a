"""Serve the analyzer: `python -m analyzer`, on 127.0.0.1:9100 unless HOST and PORT say otherwise."""

import contextlib
import signal
import socket
import sys

import uvicorn

from analyzer.app import create_app
from analyzer.settings import AnalyzerSettings
from runtime import logging, telemetry


class Server(uvicorn.Server):
    """Says on standard output when it takes requests."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Bind, then print one line."""
        await super().startup(sockets=sockets)
        for server in self.servers:
            host, port = server.sockets[0].getsockname()[:2]
            sys.stdout.write(f"analyzer ready on http://{host}:{port}\n")
            sys.stdout.flush()


def main() -> None:
    """Run until SIGINT or SIGTERM."""
    settings = AnalyzerSettings()
    logging.configure("analyzer", settings.log_level)
    telemetry.configure("analyzer", "0.1.0")
    config = uvicorn.Config(
        create_app(settings), host=settings.host, port=settings.port, log_config=None, timeout_graceful_shutdown=10
    )
    # The server re-raises the signal once it has drained: an orderly stop ends with status 0.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(0))
    with contextlib.suppress(KeyboardInterrupt):
        Server(config).run()


if __name__ == "__main__":
    main()
