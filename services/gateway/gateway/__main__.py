"""`python -m gateway api | worker | migrate | admin …`."""

import argparse
import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from datetime import timedelta

import structlog
from prometheus_client import start_http_server

from gateway import admin
from gateway.access import plans
from gateway.app import create_app
from gateway.blobs.files import open_files
from gateway.db import Database
from gateway.hints import LocalHints
from gateway.migrate import migrate
from gateway.pipeline import Ports
from gateway.settings import GatewaySettings
from gateway.tenants import store as tenants
from gateway.worker import Worker
from runtime import logging, serving, telemetry
from runtime.client import ServiceClient
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

_RELEASE = "0.1.0"


def api(settings: GatewaySettings) -> int:
    """Serve HTTP until SIGINT or SIGTERM; return the exit status."""
    if settings.open_to(settings.host):
        sys.stderr.write(
            f"gateway api: HOST={settings.host} without API keys would let everybody in. Set API_KEY_PEPPER, or "
            "AUTH=loopback where nobody else can reach the port.\n"
        )
        return 1
    asyncio.run(_apply_plans(settings))
    drain = timedelta(seconds=settings.drain_seconds)
    return serving.run(create_app(settings), "gateway api", host=settings.host, port=settings.port, drain=drain)


async def _apply_plans(settings: GatewaySettings) -> None:
    db = Database(settings.database_url)
    try:
        async with db.begin() as connection:
            await tenants.apply(connection, plans.load(settings.plans_file))
    except ServiceError as error:
        # Not a reason to stay away: the next start does it.
        log.warning("plans_not_applied", reason=error.reason)
    finally:
        await db.aclose()


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
    parser.add_argument("command", choices=["api", "worker", "migrate", "admin"])
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="of admin: see `admin --help`")
    arguments = parser.parse_args()
    command = arguments.command
    settings = GatewaySettings()
    logging.configure("gateway", settings.log_level)
    telemetry.configure("gateway", _RELEASE)
    # A file has no operator who would do it beforehand, and nobody else's release runs on it.
    if command == "migrate" or settings.database_url.startswith("sqlite"):
        migrate(settings.database_url)
    if command == "admin":
        admin.app(arguments.rest, prog_name="python -m gateway admin")
    if command == "api":
        sys.exit(api(settings))
    if command == "worker":
        if settings.metrics_port:
            start_http_server(settings.metrics_port)
        asyncio.run(work(settings))


if __name__ == "__main__":
    main()
