import io
import os
import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from contracts.result import Analysis, Scores
from standalone.terminal import Progress, Stage, summary
from tests.fixtures.hostile import PAYLOADS, poisoned
from tests.fixtures.report import unpictured

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
MINUS = "\N{MINUS SIGN}"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def shown(analysis: Analysis, *, width: int = 80, tty: bool = False, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    console = Console(file=stream, width=width, force_terminal=tty, color_system="truecolor" if tty else "auto")
    console.print(summary(analysis, elapsed_s=17.42, html=Path("out/agency.html"), json=Path("agency.json")))
    stream.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("width", [24, 40, 60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal_or_padded(width: int) -> None:
    lines = shown(unpictured(), width=width).splitlines()
    assert max(cell_len(line) for line in lines) <= width
    assert [line for line in lines if line != line.rstrip()] == []


def test_at_80_columns() -> None:
    lines = shown(unpictured()).splitlines()
    assert lines[:14] == [
        "",
        "Agency - Start Bootstrap Theme",
        "https://www.agency.example/",
        "",
        "68 / 100  " + "█" * 19 + "░" * 9,
        "It works, but several things stand in the way.",
        "1 critical · 2 high · 4 medium · 3 low · 1 note",
        "",
        "The 5 findings that matter most",
        "",
        " 1 CRITICAL  The label of the main button is hard to read",
        f"   Score  {MINUS}10 points",
        "   Found  Contrast ratio: 1.55:1, at least 4.5:1 (desktop and phone)",
        "   Where  “TELL ME MORE” a.btn-primary[href='#services']",
    ]
    assert "and 6 more in the full report" in lines
    assert lines[-3:] == ["Report  out/agency.html", "Data    agency.json", "Took    17.4 s"]


def test_wraps_at_60_and_not_at_120_columns() -> None:
    advice = "Set the label in a dark colour; the yellow may stay. Now: #ffffff on #ffc800; better: #212529 on #ffc800."
    assert f"   Fix    {advice}" in shown(unpictured(), width=120)
    assert "   Fix    Set the label in a dark colour; the yellow may\n          stay. Now:" in shown(
        unpictured(), width=60
    )


@pytest.mark.parametrize("width", [60, 80, 120])
def test_what_works_takes_one_line(width: int) -> None:
    lines = shown(unpictured(), width=width).splitlines()
    (place,) = [n for n, line in enumerate(lines) if line.startswith("Works")]
    assert lines[place].endswith("…")
    assert lines[place + 1].startswith("Note")


def test_severities_are_words_and_only_five_findings_are_shown() -> None:
    text = shown(unpictured())
    assert re.findall(r"^ \d ([A-Z]+)  ", text, re.MULTILINE) == ["CRITICAL", "HIGH", "HIGH", "MEDIUM", "MEDIUM"]


def test_no_escapes_where_nobody_watches() -> None:
    assert "\x1b" not in shown(unpictured())


def test_colours_on_a_terminal_and_the_same_text() -> None:
    coloured = shown(unpictured(), tty=True)
    assert "\x1b[1;31m" in coloured
    assert ESCAPES.sub("", coloured) == shown(unpictured())


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    codes = set(re.findall(r"\x1b\[([0-9;]*)m", shown(unpictured(), tty=True)))
    assert {part for code in codes for part in code.split(";")} <= {"", "0", "1", "2", "22"}


def test_an_old_encoding_gets_stand_ins() -> None:
    text = shown(unpictured(), encoding="ascii")
    assert "#" * 19 + "." * 9 in text
    assert "-10 points" in text
    assert '"TELL ME MORE"' in text


def test_a_foreign_script_survives_an_old_encoding() -> None:
    page = unpictured().page.model_copy(update={"title": "Магазин 店"})
    text = shown(unpictured().model_copy(update={"page": page}), encoding="latin-1")
    assert "??????? " in text


def test_without_findings_title_or_files() -> None:
    whole = unpictured()
    analysis = whole.model_copy(
        update={
            "findings": [],
            "strengths": [],
            "page": whole.page.model_copy(update={"title": ""}),
            "capture": whole.capture.model_copy(update={"warnings": []}),
            "scores": Scores(overall=100, by_factor={}),
        }
    )
    stream = io.StringIO()
    Console(file=stream, width=80).print(summary(analysis, elapsed_s=3, html=None, json=None))
    assert stream.getvalue().splitlines() == [
        "",
        "Untitled page",
        "https://www.agency.example/",
        "",
        "100 / 100  " + "█" * 28,
        "In very good shape. What is left are details.",
        "No findings",
        "",
        "Took  3.0 s",
    ]


def test_a_finding_about_the_whole_page_says_so() -> None:
    finding = next(f for f in unpictured().findings if f.id == "f_meta")
    text = shown(unpictured().model_copy(update={"findings": [finding]}))
    assert "Where  The whole page (desktop and phone)" in text
    assert "Findings\n" in text
    assert "more in the full report" not in text


def test_says_what_is_missing() -> None:
    whole = unpictured()
    engine = whole.engine.model_copy(update={"degraded": True, "degraded_reason": "unavailable"})
    text = " ".join(shown(whole.model_copy(update={"engine": engine, "status": "partial"})).split())
    assert "Note Partial: something" in text
    assert "The AI reviewer was not available" in text


@pytest.mark.parametrize("tty", [False, True])
def test_a_page_cannot_send_commands_to_the_terminal(*, tty: bool) -> None:
    for payload in (*PAYLOADS, "[bold]markup[/bold] [/]", ":smiley:", "\x9b31m\x90q\x9c", "a\rb\x7f\x1bc"):
        text = ESCAPES.sub("", shown(poisoned(unpictured(), payload), tty=tty))
        assert re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text) == [], payload


def test_square_brackets_are_shown_as_they_are() -> None:
    assert "[bold]x[/bold]" in shown(poisoned(unpictured(), "[bold]x[/bold]"))


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def run(console: Console, clock: Clock) -> None:
    with Progress(console, clock=clock) as progress:
        for stage, took in (
            (Stage.QUEUED, 0.4),
            (Stage.RENDERING, 3.1),
            (Stage.RENDERING, 0.0),
            (Stage.ANALYZING, 0.2),
        ):
            progress.show(stage)
            clock.now += took
        progress.show(Stage.DONE)


def test_progress_is_plain_lines_where_nobody_watches() -> None:
    stream = io.StringIO()
    run(Console(file=stream, width=80), Clock())
    assert stream.getvalue().splitlines() == [
        "Waiting for a browser",
        "Opening and photographing the page",
        "Checking what visitors meet",
    ]


def test_a_dumb_terminal_gets_plain_lines_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = io.StringIO()
    run(Console(file=stream, width=80, force_terminal=True), Clock())
    assert "\x1b" not in stream.getvalue()


def last_frame(text: str) -> list[str]:
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.rsplit("\x1b[2K", 1)[-1])
    return [line.rstrip() for line in plain.replace("\r", "").splitlines() if line.strip()]


def test_progress_on_a_terminal_leaves_stages_with_their_times() -> None:
    stream = io.StringIO()
    run(Console(file=stream, width=80, force_terminal=True), Clock())
    assert last_frame(stream.getvalue()) == [
        "✓ Waiting for a browser              0.4 s",
        "✓ Opening and photographing the page 3.1 s",
        "✓ Checking what visitors meet        0.2 s",
    ]


def fail(console: Console, clock: Clock) -> None:
    with Progress(console, clock=clock) as progress:
        progress.show(Stage.RENDERING)
        clock.now += 2
        raise ConnectionError


def test_a_stage_that_fails_is_marked() -> None:
    stream, clock = io.StringIO(), Clock()
    with pytest.raises(ConnectionError):
        fail(Console(file=stream, width=80, force_terminal=True), clock)
    assert last_frame(stream.getvalue()) == ["✕ Opening and photographing the page 2.0 s"]


def test_a_real_pipe_gets_no_escapes() -> None:
    read, write = os.pipe()
    with os.fdopen(write, "w", encoding="utf-8") as stream:
        console = Console(file=stream)
        run(console, Clock())
        console.print(summary(unpictured(), elapsed_s=1, html=None, json=None))
    with os.fdopen(read, encoding="utf-8") as received:
        text = received.read()
    assert "\x1b" not in text
    assert "Checking what visitors meet" in text
