"""Options that say where the service is."""

from typing import Annotated, TypeAlias

import typer

from cro_analyzer.client import AsyncClient, Client
from cro_analyzer.command.endings import CommandEndedError

Server: TypeAlias = Annotated[
    str,
    typer.Option(
        envvar="CRO_API_URL",
        help="Address of a service, whose key is in CRO_API_KEY. Default: http://127.0.0.1:8000",
        metavar="URL",
    ),
]
MaybeServer: TypeAlias = Annotated[
    str,
    typer.Option(
        envvar="CRO_API_URL",
        help="Let this service do it, whose key is in CRO_API_KEY. Default: this machine does it.",
        metavar="URL",
    ),
]


def client(server: str) -> Client:
    """Return a client of the service, the usual one where none is named. Raises `CroError`."""
    return Client(base_url=server or None)


def async_client(server: str) -> AsyncClient:
    """Return the same for asyncio."""
    return AsyncClient(base_url=server or None)


def named(server: str) -> str:
    """Return the server. Raises `CommandEndedError` where none is named."""
    if not server:
        text = "no service is named: use --server or CRO_API_URL, or install the platform to run on this machine alone"
        raise CommandEndedError(text)
    return server
