"""`python -m gateway api | worker | migrate`."""

import argparse
import asyncio
import signal
import socket
from contextlib import AsyncExitStack

import uvicorn
from prometheus_client import start_http_server

from gateway.app import create_app
from gateway.blobs.files import open_files
from gateway.db import Database
from gateway.hints import LocalHints
from gateway.migrate import migrate
from gateway.pipeline import Ports
from gateway.settings import GatewaySettings
from gateway.worker import Worker
from runtime import logging, telemetry
from runtime.client import ServiceClient

_RELEASE = "0.1.0"


class _Server(uvicorn.Server):
    """Says when it is ready."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then print one line."""
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            print(f"gateway api ready on http://{host}:{port}", flush=True)  # noqa: T201  # what scripts wait for


def api(settings: GatewaySettings) -> None:
    """Serve HTTP until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=int(settings.drain_seconds),
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn stops cleanly and then raises the signal again: being told to stop is not a failure.
        signal.signal(number, lambda *_: None)
    _Server(config).run()


async def work(settings: GatewaySettings) -> None:
    """Claim and work until SIGINT or SIGTERM, then drain."""
    async with AsyncExitStack() as stack:
        db = Database(settings.database_url)
        stack.push_async_callback(db.aclose)
        ports = Ports(
            renderer=await stack.enter_async_context(ServiceClient("renderer", settings.renderer_url)),
            analyzer=await stack.enter_async_context(ServiceClient("analyzer", settings.analyzer_url)),
            blobs=open_files(settings.blobs_url, settings.blobs_base_url, settings.blobs_secret),
        )
        worker = Worker(db, ports, LocalHints(), settings)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, worker.stop)
        print(f"gateway worker ready as {worker.id}", flush=True)  # noqa: T201  # what scripts wait for
        await worker.run()


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description="The public API and its queue worker.")
    parser.add_argument("command", choices=["api", "worker", "migrate"])
    command = parser.parse_args().command
    settings = GatewaySettings()
    logging.configure("gateway", settings.log_level)
    telemetry.configure("gateway", _RELEASE)
    # A file has no operator who would do it beforehand, and nobody else's release runs on it.
    if command == "migrate" or settings.database_url.startswith("sqlite"):
        migrate(settings.database_url)
    if command == "api":
        api(settings)
    elif command == "worker":
        if settings.metrics_port:
            start_http_server(settings.metrics_port)
        asyncio.run(work(settings))


if __name__ == "__main__":
    main()
