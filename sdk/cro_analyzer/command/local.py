"""What a platform on this machine adds to the command: found by its entry point, so that this package ships alone."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, TypeAlias, cast

import httpx2
import typer

GROUP = "cro_analyzer.local"
"""The entry-point group in which the platform names its `Local`."""


class Local(Protocol):
    """The platform in this process."""

    def extend(self, app: typer.Typer) -> None:
        """Add the commands that need the platform; those of the same name take the place of this package's."""
        ...

    def platform(self, data: Path) -> AbstractAsyncContextManager[httpx2.AsyncBaseTransport]:
        """Run a platform whose database and files are in `data`; what was begun there goes on."""
        ...

    def explain(self, error: Exception) -> tuple[str, int] | None:
        """Return the line and the exit status for an error of the platform's own."""
        ...


Find: TypeAlias = Callable[[], Local | None]


@cache
def found() -> Local | None:
    """Return the platform that is installed beside this package, if there is one. That takes seconds: see `explain`."""
    for entry in entry_points(group=GROUP):
        return cast("Local", entry.load())
    return None


def explain(error: Exception) -> tuple[str, int] | None:
    """Ask the platform about an error, where it was needed so far."""
    local = found() if found.cache_info().currsize else None
    return local.explain(error) if local else None
