"""`python -m gateway api | worker | migrate | admin …`."""

import argparse
import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import structlog
from prometheus_client import start_http_server
from pydantic import ValidationError

from contracts.errors import ErrorCode
from gateway import admin
from gateway.access import plans
from gateway.app import create_app
from gateway.blobs.opening import open_store
from gateway.broker import Broker
from gateway.db import Database
from gateway.hints import Hints, LocalHints
from gateway.pipeline import Ports
from gateway.renderers import Renderers
from gateway.settings import GatewaySettings
from gateway.shared_hints import SharedHints
from gateway.tenants import store as tenants
from gateway.wiring import Parts
from gateway.worker import Worker
from runtime import logging, processes, serving, telemetry
from runtime.client import ServiceClient
from runtime.errors import ServiceError
from runtime.settings import UnusableError, unusable

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
    app = create_app(settings)
    parts: Parts = app.state.parts
    departure = serving.Departure(
        drain=timedelta(seconds=settings.drain_seconds),
        grace=timedelta(seconds=settings.shutdown_grace_seconds),
        leave=parts.leave,
    )
    return serving.run_on(
        lambda: processes.inherited() or serving.bind(settings.host, settings.port), app, "gateway api", departure
    )


def several(command: str, settings: GatewaySettings) -> int:
    """Run as many processes as WORKERS says; return the exit status."""
    each = [{"WORKERS": "1"} for _ in range(settings.workers)]
    for place, environment in enumerate(each):
        if settings.metrics_port:
            environment["METRICS_PORT"] = str(settings.metrics_port + place)
    listening = None
    if command == "api":
        try:
            listening = serving.bind(settings.host, settings.port)
        except ServiceError as error:
            sys.stderr.write(f"gateway api: {error.detail}\n")
            return 1
    return processes.run([sys.executable, "-m", "gateway", command], settings.workers, each, listening)


@asynccontextmanager
async def _hints(settings: GatewaySettings) -> AsyncIterator[Hints]:
    if not settings.redis_url:
        yield LocalHints()
        return
    broker = Broker(settings.redis_url)
    hints = SharedHints(settings.redis_url, broker)
    try:
        yield hints
    finally:
        await hints.aclose()
        await broker.aclose()


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
            renderer=await stack.enter_async_context(Renderers(settings.renderer_url)),
            analyzer=await stack.enter_async_context(ServiceClient("analyzer", settings.analyzer_url)),
            blobs=open_store(settings),
        )
        stack.push_async_callback(ports.blobs.aclose)
        worker = Worker(db, ports, await stack.enter_async_context(_hints(settings)), settings)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, worker.stop)
        print(f"gateway worker ready as {worker.id}", flush=True)  # noqa: T201  # what scripts wait for
        await worker.run()


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description="The public API and its queue worker.")
    parser.add_argument("command", choices=["api", "worker", "migrate", "admin", "blobs"])
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="of admin and blobs: see `admin --help`")
    arguments = parser.parse_args()
    command = arguments.command
    processes.follow()
    try:
        settings = GatewaySettings()
    except ValidationError as exc:
        sys.stderr.write(f"gateway {command}: {unusable(exc)}\n")
        sys.exit(1)
    try:
        run(command, arguments.rest, settings)
    except UnusableError as error:
        sys.stderr.write(f"gateway {command}: {error}\n")
        sys.exit(1)
    except ServiceError as error:
        hint = " Is DATABASE_URL right?" if error.code is ErrorCode.UNAVAILABLE else ""
        sys.stderr.write(f"gateway {command}: {error.detail}{hint}\n")
        sys.exit(1)


def run(command: str, rest: list[str], settings: GatewaySettings) -> None:
    """Run a command. Raises `ServiceError` and `UnusableError` where it cannot start."""
    logging.configure("gateway", settings.log_level)
    telemetry.configure("gateway", _RELEASE)
    if command == "blobs":
        from gateway.blobs import commands as blobs  # noqa: PLC0415  # half a second that no other command pays

        blobs.app(rest, prog_name="python -m gateway blobs")
    # A file has no operator who would do it beforehand, and nobody else's release runs on it.
    if command == "migrate" or settings.database_url.startswith("sqlite"):
        from gateway.migrate import migrate  # noqa: PLC0415  # half a second that processes on PostgreSQL never pay

        migrate(settings.database_url)
    if command == "admin":
        admin.app(rest, prog_name="python -m gateway admin")
    if command != "migrate" and settings.workers > 1:
        sys.exit(several(command, settings))
    if command == "api":
        sys.exit(api(settings))
    if command == "worker":
        if settings.metrics_port:
            start_http_server(settings.metrics_port, settings.host)
        asyncio.run(work(settings))


if __name__ == "__main__":
    main()
