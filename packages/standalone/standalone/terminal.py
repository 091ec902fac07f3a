"""What `cro analyze` shows in a terminal: how far it has come, and the result as a page of text."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.padding import Padding
from rich.segment import Segment
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from contracts.result import Analysis, Finding, Severity
from gateway.report import words
from gateway.report.arithmetic import costs, signed
from gateway.report.finding import in_order
from gateway.report.measures import Measure, measures
from gateway.report.untrusted import plain, short

TOP = 5
"""Findings shown in the terminal; the report has all."""

_BAR_CELLS = 28
_MAX_MEASURES = 2
_STYLES = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "blue",
    Severity.INFO: "dim",
}
_STAND_INS = {
    "█": "#",
    "░": ".",
    "·": "-",
    "\N{MINUS SIGN}": "-",
    "×": "x",
    "…": "~",
    "“": '"',
    "”": '"',
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "✓": "+",
    "✕": "x",
}
_ASCII = str.maketrans(_STAND_INS)


class Stage(StrEnum):
    """How far an analysis has come."""

    QUEUED = "queued"
    RENDERING = "rendering"
    ANALYZING = "analyzing"
    DONE = "done"


STAGES = {
    Stage.QUEUED: "Waiting for a browser",
    Stage.RENDERING: "Opening and photographing the page",
    Stage.ANALYZING: "Checking what visitors meet",
}


def summary(analysis: Analysis, *, elapsed_s: float, html: Path | None, json: Path | None) -> RenderableType:
    """Put the result on a page of text: score, the worst findings, what works, where the files are."""
    parts = [_head(analysis), _score(analysis)]
    if analysis.findings:
        parts.append(_findings(analysis))
    parts += [_remarks(analysis, elapsed_s, html, json)]
    spaced = [Padding(part, (1, 0, 0, 0)) for part in parts]
    return _Encodable(Group(*spaced))


def _head(analysis: Analysis) -> RenderableType:
    title = Text(short(analysis.page.title, 200) or "Untitled page", style="bold")
    return Group(title, Text(short(analysis.url.final, 300), style="dim", overflow="fold"))


def _score(analysis: Analysis) -> RenderableType:
    if not analysis.scores.scored:
        return Group(Text(short(analysis.scores.note, 200)), _counts(analysis.findings))
    score = analysis.scores.overall
    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(no_wrap=True)
    line.add_column()
    line.add_row(Text(f"{score} / 100", style="bold"), _bar(score))
    return Group(line, Text(words.verdict(score)), _counts(analysis.findings))


def _bar(score: int) -> Text:
    filled = round(_BAR_CELLS * score / 100)
    style = "green" if score >= 75 else "yellow" if score >= 50 else "red"  # noqa: PLR2004  # as words.verdict draws its lines
    return Text("█" * filled, style=style, overflow="crop", no_wrap=True).append(
        "░" * (_BAR_CELLS - filled), style="dim"
    )


def _counts(findings: list[Finding]) -> Text:
    count = Counter(finding.severity for finding in findings)
    parts = [Text(f"{count[s]} {words.SEVERITIES[s].lower()}", style=_STYLES[s]) for s in Severity if count[s]]
    return Text(" · ").join(parts) if parts else Text("No findings")


def _findings(analysis: Analysis) -> RenderableType:
    cost = costs(analysis.scores)
    ordered = in_order(analysis.findings, cost)
    shown = [_finding(number, f, cost.get(f.id, 0.0)) for number, f in enumerate(ordered[:TOP], 1)]
    rest = len(ordered) - len(shown)
    heading = f"The {TOP} findings that matter most" if rest else "Findings"
    more = [Text(f"and {rest} more in the full report", style="dim")] if rest else []
    return Group(
        Text(heading, style="bold"),
        *(Padding(f, (1, 0, 0, 0)) for f in shown),
        *(Padding(m, (1, 0, 0, 0)) for m in more),
    )


def _finding(number: int, finding: Finding, points: float) -> RenderableType:
    title = Text(f"{words.SEVERITIES[finding.severity].upper()}  ", style=_STYLES[finding.severity])
    title.append(short(finding.title, 200), style="bold not dim default")
    rows = [("Score", Text(f"{signed(points)} points"))] if points else []
    rows += [("Found", _measure(m)) for m in measures(finding.evidence)[:_MAX_MEASURES]]
    rows += [("Where", _where(finding)), ("Fix", _fix(finding))]
    outer = Table.grid(padding=(0, 1, 0, 0))
    outer.add_column(justify="right", no_wrap=True, min_width=2)
    outer.add_column()
    outer.add_row(Text(str(number), style="bold"), Group(title, _labelled(rows)))
    return outer


def _labelled(rows: list[tuple[str, Text]]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for label, text in rows:
        if text:
            grid.add_row(label, text)
    return grid


def _measure(measure: Measure) -> Text:
    text = Text(f"{short(measure.label, 60)}: ").append(short(measure.value, 80), style="bold")
    if measure.threshold:
        text.append(f", {measure.relation} {short(measure.threshold, 80)}")
    return text.append(f" ({measure.where})", style="dim")


def _where(finding: Finding) -> Text:
    places = list(dict.fromkeys((short(e.text, 60), short(e.selector, 120)) for e in finding.evidence))
    places = [place for place in places if any(place)]
    if not places:
        return Text(f"The whole page ({words.REACHES[finding.viewport].lower()})")
    quote, selector = places[0]
    text = Text(f"“{quote}” " if quote else "").append(selector)
    return text.append(f" and {len(places) - 1} more", style="dim") if len(places) > 1 else text


def _fix(finding: Finding) -> Text:
    advice = finding.suggestion
    text = Text(short(advice.summary, 300))
    current, proposed = short(advice.current, 80), short(advice.proposed, 80)
    if proposed:
        end = "" if proposed.endswith(("…", ".", "!", "?")) else "."
        text.append(
            f" Now: {current}; better: {proposed}{end}" if current else f" Better: {proposed}{end}", style="dim"
        )
    return text


def _remarks(analysis: Analysis, elapsed_s: float, html: Path | None, json: Path | None) -> Table:
    rows = []
    if analysis.strengths:
        rows.append(("Works", _works(analysis.strengths)))
    if analysis.status == "partial":
        rows.append(("Note", Text("Partial: something that belongs to the report is missing; it says what.")))
    if analysis.engine.degraded:
        rows.append(("Note", Text(short(words.degraded(analysis.engine.degraded_reason), 200))))
    if analysis.engine.ai_pending:
        rows.append(("Note", Text(words.PENDING)))
    rows += [("Note", Text(short(words.warning(code), 200))) for code in analysis.capture.warnings[:3]]
    rows += [(label, Text(str(path), overflow="fold")) for label, path in (("Report", html), ("Data", json)) if path]
    return _labelled([*rows, ("Took", Text(f"{elapsed_s:.1f} s"))])


def _works(strengths: list[str]) -> Text:
    line = " ".join(short(strength, 160) for strength in strengths)
    return Text(line, style="green", no_wrap=True, overflow="ellipsis")


@dataclass(frozen=True)
class _Encodable:
    """Writes stand-ins for what the terminal's encoding lacks, so that no page can make printing fail."""

    content: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the content, then look at every line: no trailing blanks, nothing that cannot be written."""
        for line in console.render_lines(self.content, options, pad=False):
            while line and not line[-1].text.strip():
                line.pop()
            for place, segment in enumerate(line, 1):
                text = segment.text.rstrip() if place == len(line) else segment.text
                yield Segment(_writable(text, options), segment.style, segment.control)
            yield Segment.line()


def _writable(text: str, options: ConsoleOptions) -> str:
    # The last gate before somebody's terminal: whatever was forgotten above, no control character passes here.
    safe = plain(text)
    known = safe.translate(_ASCII) if options.ascii_only else safe
    return known.encode(options.encoding, "replace").decode(options.encoding)


class Progress:
    """Shows stages as they come: one live line each with its time on a terminal, plain lines elsewhere.

    Use it as a context manager; a stage that is never left is marked as failed.
    """

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Write to `console`, which should be standard error; `clock` counts seconds."""
        self._console = console
        self._clock = clock
        self._started: list[tuple[Stage, float]] = []
        self._ended_at: float | None = None
        self._spinner = Spinner("dots" if not console.options.ascii_only else "line")
        live = console.is_terminal and not console.is_dumb_terminal
        self._live = Live(self, console=console, refresh_per_second=10) if live else None

    def __enter__(self) -> Self:
        """Start showing."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave what was shown on the screen."""
        self._ended_at = self._clock()
        if self._live:
            self._live.stop()

    def show(self, stage: Stage) -> None:
        """Say that a stage has begun; the same stage again changes nothing."""
        if self._started and self._started[-1][0] is stage:
            return
        self._started.append((stage, self._clock()))
        if self._live:
            self._live.refresh()
        elif stage in STAGES:
            self._console.print(Text(STAGES[stage]))

    def __rich__(self) -> RenderableType:
        """Draw one line for each stage so far."""
        grid = Table.grid(padding=(0, 1, 0, 0))
        for place, (stage, began) in enumerate(self._started):
            if stage in STAGES:
                following = self._started[place + 1][1] if place + 1 < len(self._started) else None
                grid.add_row(self._mark(following), Text(STAGES[stage]), self._time(began, following))
        return _Encodable(grid)

    def _mark(self, following: float | None) -> RenderableType:
        if following is not None:
            return Text("✓", style="green")
        return Text("✕", style="red") if self._ended_at is not None else self._spinner

    def _time(self, began: float, following: float | None) -> Text:
        ends = (following, self._ended_at, self._clock())
        return Text(f"{next(end for end in ends if end is not None) - began:.1f} s", style="dim")
