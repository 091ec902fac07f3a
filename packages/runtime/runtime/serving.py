"""Running a service's application on a port: bind first, say one line when ready, stop cleanly on a signal."""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import uvicorn
from fastapi import FastAPI

from contracts.errors import ErrorCode
from runtime.connections import BoundedProtocol
from runtime.errors import ServiceError

_BACKLOG = 2_048
_KEEP_ALIVE_S = 75


class _Server(uvicorn.Server):
    """A server that leaves signals to us: uvicorn would raise them again after an orderly end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing."""
        yield


def _no_note() -> str:
    return ""


def _nothing() -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Departure:
    """How a server stops: `leave` is called at SIGTERM, the door stays open for `grace`, then requests have `drain`.

    Whoever sends requests needs that grace to hear of it. SIGINT is a person, who waits for nothing.
    """

    drain: timedelta
    grace: timedelta = timedelta()
    leave: Callable[[], None] = _nothing


def run(app: FastAPI, name: str, *, host: str, port: int, drain: timedelta, note: Callable[[], str] = _no_note) -> int:
    """Serve until SIGINT or SIGTERM; return the exit status: 0, or 1 with one line on stderr when it cannot start.

    `note` says what else belongs on the line that tells of readiness.
    """
    return run_on(lambda: bind(host, port), app, name, Departure(drain), note)


def run_on(
    listen: Callable[[], socket.socket],
    app: FastAPI,
    name: str,
    departure: Departure,
    note: Callable[[], str] = _no_note,
) -> int:
    """Do so on the socket that `listen` gives, and leave as `departure` says."""
    try:
        with asyncio.Runner(loop_factory=uvicorn.Config(app, log_config=None).get_loop_factory()) as runner:
            runner.run(_serve(app, name, listen(), departure, note))
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


async def _serve(
    app: FastAPI, name: str, listening: socket.socket, departure: Departure, note: Callable[[], str]
) -> None:
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # It would believe what anybody on loopback says of the client's address.
        proxy_headers=False,
        # Longer than balancers keep theirs (60 s): else one sends on a connection that is just being closed.
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=round(departure.drain.total_seconds()),
    )
    server = _Server(config)
    with _signals(server, departure), listening:
        async with app.router.lifespan_context(app):
            if not server.should_exit:
                # What is there by now stays: no collection need look at it again, nor stop a request for that.
                gc.collect()
                gc.freeze()
                host, port = listening.getsockname()[:2]
                sys.stdout.write(f"{name} ready on http://{f'[{host}]' if ':' in host else host}:{port}{note()}\n")
                sys.stdout.flush()
                await server.serve(sockets=[listening])


@contextmanager
def _signals(server: _Server, departure: Departure) -> Iterator[None]:
    """A first signal asks the server to drain, another to go on to the next step at once."""
    loop = asyncio.get_running_loop()
    leaving: list[asyncio.TimerHandle] = []

    def close() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    def leave() -> None:
        departure.leave()
        if leaving or not departure.grace:
            for handle in leaving:
                handle.cancel()
            close()
        else:
            leaving.append(loop.call_later(departure.grace.total_seconds(), close))

    loop.add_signal_handler(signal.SIGINT, close)
    loop.add_signal_handler(signal.SIGTERM, leave)
    try:
        yield
    finally:
        for handle in leaving:
            handle.cancel()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
