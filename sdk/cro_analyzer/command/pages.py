"""`cro analyze` and `cro capture` by a service. The platform, where it is installed, has fuller ones of its own."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from cro_analyzer.asking import Document, Output, Pdf, Screenshot
from cro_analyzer.command import connection, terminal
from cro_analyzer.command.batch import Preset, Tier
from cro_analyzer.command.connection import Server
from cro_analyzer.command.endings import OURS, CommandEndedError
from cro_analyzer.models.captures import CaptureRead
from cro_analyzer.models.report import Analysis

_TOP = 5
_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "blue", "info": "dim"}

Url = Annotated[str, typer.Argument(help="The page, as a visitor would open it: https://…")]


class Form(StrEnum):
    """What is wanted of the page."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    PDF = "pdf"
    HTML = "html"
    MARKDOWN = "markdown"
    TEXT = "text"
    LINKS = "links"
    METADATA = "metadata"


_BY_ENDING = {
    ".png": Form.PNG,
    ".webp": Form.WEBP,
    ".pdf": Form.PDF,
    ".html": Form.HTML,
    ".htm": Form.HTML,
    ".md": Form.MARKDOWN,
    ".txt": Form.TEXT,
}


def form_of(file: str) -> Form:
    """Return the form that a file's ending stands for; a picture where it says nothing."""
    return _BY_ENDING.get(Path(file).suffix.lower(), Form.JPEG)


def analyze(
    url: Url,
    json: Annotated[str, typer.Option(help="Write the result document here; - for standard output.")] = "",
    html: Annotated[str, typer.Option(help="Write the report here.")] = "",
    preset: Annotated[Preset, typer.Option(help="How much judgement is bought.")] = Preset.STANDARD,
    server: Server = "",
) -> None:
    """Analyse one page.

    Ends with 0 when there is a report, 2 when the address is wrong or the site does not deliver a page, 1 otherwise.
    """
    with connection.client(server) as client:
        result = client.analyze(url.strip(), preset=preset.value)
        if html:
            Path(html).write_text(client.analyses.report(result.id), encoding="utf-8")
        if json:
            document = client.analyses.document(result.id).decode()
            terminal.plain(document) if json == "-" else Path(json).write_text(document, encoding="utf-8")
    if json != "-":
        terminal.out().print(summary(result))


def summary(analysis: Analysis) -> RenderableType:
    """Put the result on a page of text: score, the worst findings."""
    head = [
        Text(terminal.safe(analysis.page.title) or "Untitled page", style="bold"),
        Text(terminal.safe(analysis.url.final), style="dim"),
        Text(f"{analysis.scores.overall} / 100" if analysis.scores.scored else terminal.safe(analysis.scores.note)),
    ]
    order = {name: place for place, name in enumerate(_STYLES)}
    worst = sorted(analysis.findings, key=lambda one: order.get(one.severity, len(order)))
    rows: list[RenderableType] = []
    for one in worst[:_TOP]:
        title = Text(f"{one.severity.upper()}  ", style=_STYLES.get(one.severity, ""))
        title.append(terminal.safe(one.title), style="bold not dim default")
        rows.append(Padding(Group(title, Text(terminal.safe(one.suggestion.summary), style="dim")), (1, 0, 0, 0)))
    more = len(worst) - _TOP
    if more > 0:
        rows.append(Padding(Text(f"and {more} more in the full report: --html FILE", style="dim"), (1, 0, 0, 0)))
    return Group(*head, *rows)


def capture(  # noqa: PLR0913  # a command's options are its arguments
    url: Url,
    out: Annotated[str, typer.Option("--out", "-o", help="Write it here; - for standard output.")],
    form: Annotated[
        Form | None, typer.Option("--format", help="What to take. Default: by the ending of --out, else jpeg.")
    ] = None,
    *,
    full_page: Annotated[bool, typer.Option("--full-page", help="The whole page, not its first screen.")] = False,
    selector: Annotated[str, typer.Option(help="Only this element: a CSS selector.")] = "",
    device: Annotated[str, typer.Option(help="A device preset.")] = "",
    tier: Annotated[Tier, typer.Option(help="How the page is had.")] = Tier.AUTO,
    server: Server = "",
) -> None:
    """Take a picture of one page, or its text. Ends with the same statuses as `cro analyze`."""
    form = form or form_of(out)
    wanted = _output(form, full_page=full_page, selector=selector, device=device)
    with connection.client(server) as client:
        taken = client.capture(url.strip(), outputs=[wanted], tier=tier.value, refresh=True)
        name = _only(taken)
        data = client.captures.content(taken.id, name)
    if out == "-":
        sys.stdout.buffer.write(data)
        return
    Path(out).write_bytes(data)
    terminal.say(f"{out}: {len(data):,} bytes")


def _output(form: Form, *, full_page: bool, selector: str, device: str) -> Output:
    picture: Screenshot = {"kind": "screenshot"}
    if form in {Form.JPEG, Form.PNG, Form.WEBP}:
        picture["format"] = "png" if form is Form.PNG else "webp" if form is Form.WEBP else "jpeg"
        if full_page:
            picture["area"] = "full_page"
        if selector:
            picture["area"], picture["selector"] = "element", selector
        if device:
            picture["device"] = device
        return picture
    if full_page or selector:
        raise CommandEndedError("--full-page and --selector go with pictures")
    if form is Form.PDF:
        pdf: Pdf = {"kind": "pdf"}
        return pdf
    document: Document = {"kind": form.value}  # type: ignore[typeddict-item]  # the rest of the forms are documents
    return document


def _only(taken: CaptureRead) -> str:
    names = list(taken.result.artifacts) if taken.result else []
    if not names:
        raise CommandEndedError("the page did not give it within the time budget", OURS)
    return names[0]
