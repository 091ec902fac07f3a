"""What this package adds to the `cro` command, as the client library asks for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import typer

from runtime import logging
from standalone import cli, platform

_DRAIN_S = 20
"""Pages in work when a batch is interrupted are finished, so that they need not be fetched again."""


class Here:
    """The platform in this process."""

    def extend(self, app: typer.Typer) -> None:
        """Add the commands of this package."""
        app.add_typer(cli.app)

    @asynccontextmanager
    async def platform(self, data: Path) -> AsyncIterator[httpx2.AsyncBaseTransport]:
        """Run a platform whose database and files are in `data`; what was begun there goes on."""
        # The terminal shows how far it is; every line of the log would tear that apart.
        logging.configure("cro", "ERROR")
        async with platform.reached(platform.Profile(data, drain_s=_DRAIN_S)) as transport:
            yield transport

    def explain(self, error: Exception) -> tuple[str, int] | None:
        """Return the line and the exit status for an error of the services."""
        return cli.explain(error)


HERE = Here()
