"""`cro doctor`: whether everything that the platform needs is there, and what to do where it is not."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence

import typer
from pydantic import ValidationError
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from analyzer.judging.settings import ClaudeSettings
from cro_analyzer.command import terminal
from cro_analyzer.command.endings import CommandEndedError
from gateway.settings import GatewaySettings
from renderer.settings import RendererSettings
from runtime import logging
from runtime.settings import unusable
from standalone.checks import LOOKS, Check, Look, Machine, Verdict
from standalone.settings import StandaloneSettings

_MARKS = {
    Verdict.OK: ("✓", "green"),
    Verdict.UNUSED: ("–", "dim"),
    Verdict.DOUBT: ("!", "yellow"),
    Verdict.WRONG: ("✕", "red"),
}
_ASCII = str.maketrans({"✓": "+", "✕": "x", "–": "-"})
_NAME_CELLS = 10


def doctor() -> None:
    """Look at everything that the platform needs, and say what to do where something is missing.

    Ends with 0 when all of it can run, 1 when something is wrong. What is merely doubtful does not fail it.
    """
    logging.configure("cro", "CRITICAL")
    console = Console(highlight=False)
    machine = _machine()
    found = asyncio.run(_look(console, machine, LOOKS))
    console.print(verdict(found))
    if any(one.verdict is Verdict.WRONG for one in found):
        raise typer.Exit(1)


def _machine() -> Machine:
    try:
        return Machine(
            StandaloneSettings(),
            GatewaySettings(),
            RendererSettings(),
            ClaudeSettings(),
            os.environ.get("CRO_API_URL", ""),
        )
    except ValidationError as exc:
        raise CommandEndedError(unusable(exc)) from exc


async def _look(console: Console, machine: Machine, looks: Sequence[Look]) -> list[Check]:
    found = []
    async for check in _each(machine, looks):
        console.print(line(check, ascii_only=console.options.ascii_only))
        found.append(check)
    return found


async def _each(machine: Machine, looks: Sequence[Look]) -> AsyncIterator[Check]:
    # One after another: a browser that starts beside other work would be measured with it.
    for look in looks:
        yield await look(machine)


def line(check: Check, *, ascii_only: bool = False) -> RenderableType:
    """Show what came of a look, and below it what to do."""
    mark, style = _MARKS[check.verdict]
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, min_width=_NAME_CELLS)
    grid.add_column(overflow="fold")
    shown = Text(mark.translate(_ASCII) if ascii_only else mark, style=style)
    quiet = "dim" if check.verdict is Verdict.UNUSED else ""
    what: list[RenderableType] = [Text(terminal.safe(check.found), style=quiet)]
    if check.remedy:
        what.append(Text(terminal.safe(check.remedy), style="bold"))
    grid.add_row(shown, Text(check.name, style=quiet), Group(*what))
    return grid


def verdict(found: Sequence[Check]) -> RenderableType:
    """Sum up."""
    wrong = sum(one.verdict is Verdict.WRONG for one in found)
    doubts = sum(one.verdict is Verdict.DOUBT for one in found)
    if wrong:
        return Text(f"\n{wrong} to be mended before everything runs.", style="red")
    if doubts:
        return Text(f"\nEverything can run; {doubts} to be looked at.", style="yellow")
    return Text("\nEverything is there.", style="green")
