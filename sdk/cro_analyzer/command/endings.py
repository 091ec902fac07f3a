"""How a command ends: one line for people, a status for scripts, never a trace."""

import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from cro_analyzer.errors import CallerError, ConnectionFailedError, CroError, TargetError, UnauthenticatedError

OURS = 1
USAGE = 2
INTERRUPTED = 130

_ORDER = ("analyze", "capture", "batch", "serve", "doctor", "keys", "usage")


class CommandEndedError(Exception):
    """The command cannot go on; `status` is what scripts see."""

    def __init__(self, line: str, status: int = USAGE) -> None:
        """Say why, and what to do about it."""
        super().__init__(line)
        self.status = status


Explain = Callable[[Exception], tuple[str, int] | None]
"""What knows errors that this library does not: returns the line and the status, or None."""


def end(line: str, status: int) -> NoReturn:
    """Say one line and leave."""
    sys.stderr.write(f"cro: {line}\n")
    raise typer.Exit(status)


def told(error: Exception, explain: Explain | None = None) -> tuple[str, int]:
    """Return the line and the status for an error."""
    if isinstance(error, CommandEndedError):
        return str(error), error.status
    if explain is not None and (known := explain(error)) is not None:
        return known
    if isinstance(error, CroError):
        return _of_ours(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), OURS
    return f"failed on our side: {type(error).__name__}: {error} (CRO_TRACEBACK=1 shows where)", OURS


def _of_ours(error: CroError) -> tuple[str, int]:
    if isinstance(error, UnauthenticatedError):
        return f"{error.detail} Put the key into CRO_API_KEY.", USAGE
    if isinstance(error, CallerError | TargetError):
        return f"{error.detail} ({error.code})", USAGE
    if isinstance(error, ConnectionFailedError):
        return f"{error}: is the service there? --server or CRO_API_URL says where it is", OURS
    return str(error), OURS


def group(explain: Explain | None) -> type[TyperGroup]:
    """Return the kind of command group whose commands end as this module says."""

    class Commands(TyperGroup):
        """Commands that never show a trace, in the order in which people need them."""

        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401  # Typer keeps the type to itself
            """Name the commands: those listed here first."""
            names = super().list_commands(ctx)
            return sorted(names, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))

        def invoke(self, ctx: Any) -> object:  # noqa: ANN401  # Typer keeps the type to itself
            """Run the command; turn whatever it raises into its ending."""
            try:
                return super().invoke(ctx)
            except KeyboardInterrupt:
                end("stopped", INTERRUPTED)
            except (TyperException, typer.Exit, typer.Abort, BrokenPipeError):
                raise
            except Exception as exc:  # outermost: a person gets a line
                if os.environ.get("CRO_TRACEBACK"):
                    raise
                end(*told(exc, explain))

    return Commands
