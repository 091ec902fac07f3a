"""What commands show: progress as it happens, tables, and plain lines where nobody watches."""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cro_analyzer.command.runs import State
from cro_analyzer.models.batches import BatchRead

_BAR_CELLS = 40
_LINE_EVERY_S = 10.0
_MINUTE_S = 60
_HOUR_S = 3_600
_CENT = Decimal("0.01")
_WORDS = {
    "succeeded": ("had", "green"),
    "failed": ("failed", "red"),
    "cancelled": ("cancelled", "yellow"),
    "rejected": ("set aside", "yellow"),
}


def out() -> Console:
    """Return the console of standard output."""
    return Console(highlight=False)


def aside() -> Console:
    """Return the console of standard error, for what is not the result."""
    return Console(stderr=True, highlight=False)


def lasting(seconds: float) -> str:
    """Write a time: 8 s, 1:05, 2:00:10."""
    whole = round(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S}:{whole % _MINUTE_S:02}"
    return f"{whole // _HOUR_S}:{whole % _HOUR_S // _MINUTE_S:02}:{whole % _MINUTE_S:02}"


def moment(at: datetime | None) -> str:
    """Write a moment in UTC to the minute."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else "–"


def money(usd: Decimal) -> str:
    """Write an amount to the cent; less than that so that it is not nothing."""
    return f"${usd:,.2f}" if usd >= _CENT or not usd else f"${usd:.4f}"


def safe(text: str) -> str:
    """Drop what would move a terminal's cursor or change its colours: pages write such things into titles."""
    return "".join(letter for letter in text if letter.isprintable())


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: frozenset[int] = frozenset()) -> Table:
    """Return a table without lines; columns in `right` are flush right."""
    grid = Table(box=None, padding=(0, 3, 0, 0), header_style="dim", pad_edge=False)
    for place, name in enumerate(columns):
        grid.add_column(name, justify="right" if place in right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(safe(cell)) for cell in row))
    return grid


def pairs(rows: Iterable[tuple[str, str]]) -> Table:
    """Return labelled lines."""
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in rows:
        grid.add_row(label, Text(safe(text)))
    return grid


def counts(found: dict[str, int]) -> Text:
    """Write how many URLs ended in which way."""
    parts = [
        Text(f"{found[status]:,} {word}", style=style) for status, (word, style) in _WORDS.items() if found.get(status)
    ]
    return Text(" · ").join(parts) if parts else Text("nothing yet", style="dim")


class BatchProgress:
    """How far a batch run is: a live block on a terminal, a line now and then elsewhere. Use as a context manager."""

    def __init__(self, console: Console, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Write to `console`; `name` is what is run."""
        self._console = console
        self._name = name
        self._clock = clock
        self._state: State | None = None
        self._batch: BatchRead | None = None
        self._last_line = float("-inf")
        self._first: tuple[float, int] | None = None
        living = console.is_terminal and not console.is_dumb_terminal
        self._live = Live(self, console=console, refresh_per_second=8, transient=True) if living else None

    def __enter__(self) -> Self:
        """Start showing."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the block away: what is left is said once, at the end."""
        if self._live:
            self._live.stop()

    def show(self, state: State, batch: BatchRead | None) -> None:
        """Take the newest state."""
        self._state, self._batch = state, batch
        now = self._clock()
        if self._first is None:
            self._first = now, self._ended()
        if self._live:
            self._live.refresh()
        elif now - self._last_line >= _LINE_EVERY_S:
            self._last_line = now
            self._console.print(self._line())

    def _ended(self) -> int:
        """URLs that have ended, those whose line is still to be written too."""
        assert self._state is not None
        here = self._batch.counts.ended + self._batch.counts.rejected if self._batch else 0
        return max(self._state.lines, self._state.part * self._state.part_size + here)

    def _rate(self) -> float:
        """URLs per second since this command began to look."""
        assert self._first is not None
        seconds = self._clock() - self._first[0]
        return (self._ended() - self._first[1]) / seconds if seconds >= 1 else 0.0

    def _line(self) -> Text:
        assert self._state is not None
        done, urls = self._ended(), self._state.urls
        return Text(f"{done:,} of {urls:,} ({done * 100 // urls} %): ").append_text(counts(self._state.counts))

    def __rich__(self) -> RenderableType:
        """Draw the block."""
        if self._state is None:
            return Text(f"Starting: {self._name}", style="dim")
        done, urls = self._ended(), self._state.urls
        bar = Table.grid(padding=(0, 2, 0, 0))
        bar.add_row(
            ProgressBar(total=urls, completed=done, width=_BAR_CELLS, complete_style="green", finished_style="green"),
            Text(f"{done:,} / {urls:,}", style="bold"),
            Text(f"{done * 100 // urls} %", style="dim"),
        )
        lines: list[RenderableType] = [Text(self._name, style="bold"), bar, self._states(), self._pace()]
        return Padding(Group(*lines), (0, 0, 0, 1))

    def _states(self) -> Text:
        assert self._state is not None
        text = counts(self._state.counts)
        if self._batch and (working := self._batch.counts.running + self._batch.counts.queued):
            text.append(f" · {working:,} in work", style="dim")
        if self._batch and self._batch.status == "paused":
            text.append(" · paused", style="yellow")
        return text

    def _pace(self) -> Text:
        assert self._state is not None
        rate, parts = self._rate(), []
        if rate > 0:
            left = (self._state.urls - self._ended()) / rate
            parts = [f"{rate:,.1f} URLs/s", f"about {lasting(left)} left"]
        if cost := Decimal(self._state.cost):
            parts.append(money(cost))
        return Text(" · ".join(parts) or "…", style="dim")


def finished(state: State, file: str) -> RenderableType:
    """Say how a run ended."""
    line = Text(f"{file}: ", style="bold").append_text(counts(state.counts))
    pace = f"{state.lines:,} URLs in {lasting(state.seconds)}"
    if state.seconds >= 1:
        pace += f", {state.lines / state.seconds:,.1f} per second"
    rows: list[RenderableType] = [line, Text(f"{pace}, {money(Decimal(state.cost))}", style="dim")]
    if state.failures:
        worst = sorted(state.failures.items(), key=lambda one: -one[1])[:5]
        rows.append(Text("why: " + ", ".join(f"{code} {count:,}" for code, count in worst), style="dim"))
    return Group(*rows)


def say(text: str, console: Console | None = None) -> None:
    """Say one line, on standard output where no other console is given; names in it are nobody's mark-up."""
    (console or out()).print(Text(safe(text)), soft_wrap=True)


def plain(text: str) -> None:
    """Write a result that programs read, without colours or folding."""
    sys.stdout.write(f"{text}\n")
