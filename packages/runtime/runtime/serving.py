"""Running a service's application on a port: bind first, say one line when ready, stop cleanly on a signal."""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import uvicorn
from fastapi import FastAPI

from contracts.errors import ErrorCode
from runtime.errors import ServiceError

_BACKLOG = 2_048


class _Server(uvicorn.Server):
    """A server that leaves signals to us: uvicorn would raise them again after an orderly end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing."""
        yield


def _nothing() -> str:
    return ""


def run(app: FastAPI, name: str, *, host: str, port: int, drain: timedelta, note: Callable[[], str] = _nothing) -> int:
    """Serve until SIGINT or SIGTERM; return the exit status: 0, or 1 with one line on stderr when it cannot start.

    `note` says what else belongs on the line that tells of readiness.
    """
    try:
        with asyncio.Runner(loop_factory=uvicorn.Config(app, log_config=None).get_loop_factory()) as runner:
            runner.run(_serve(app, name, bind(host, port), drain, note))
    except ServiceError as exc:
        sys.stderr.write(f"{name}: {exc.detail}\n")
        return 1
    return 0


def bind(host: str, port: int) -> socket.socket:
    """Listen on `host` and `port` (0: a free one). Raises `ServiceError` when the port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as exc:
        detail = f"Cannot listen on {host} port {port}: {exc.strerror or exc}. Choose another with PORT=…"
        raise ServiceError(ErrorCode.UNAVAILABLE, detail) from exc


async def _serve(app: FastAPI, name: str, listening: socket.socket, drain: timedelta, note: Callable[[], str]) -> None:
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=round(drain.total_seconds()),
    )
    server = _Server(config)
    with _signals(server), listening:
        async with app.router.lifespan_context(app):
            if not server.should_exit:
                host, port = listening.getsockname()[:2]
                sys.stdout.write(f"{name} ready on http://{f'[{host}]' if ':' in host else host}:{port}{note()}\n")
                sys.stdout.flush()
                await server.serve(sockets=[listening])


@contextmanager
def _signals(server: _Server) -> Iterator[None]:
    """A first signal asks the server to drain, a second to drop what is left."""
    loop = asyncio.get_running_loop()

    def asked() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
