"""`cro batch`: files of URLs, in one go or in several."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cro_analyzer.client import AsyncClient
from cro_analyzer.command import connection, runs, sources, terminal
from cro_analyzer.command.batch_run import BatchRun
from cro_analyzer.command.connection import MaybeServer, Server
from cro_analyzer.command.endings import INTERRUPTED, CommandEndedError
from cro_analyzer.command.local import Find, Local
from cro_analyzer.command.runs import Run, State
from cro_analyzer.models.batches import BatchRead

_HERE = "http://api.internal"
"""Never dialled: the platform in this process."""

_MOST = 10_000


class Kind(StrEnum):
    """What is done with each URL."""

    ANALYSIS = "analysis"
    CAPTURE = "capture"


class Preset(StrEnum):
    """How much judgement is bought."""

    RULES = "rules"
    FAST = "fast"
    STANDARD = "standard"
    DEEP = "deep"


class Tier(StrEnum):
    """How a page is had."""

    AUTO = "auto"
    STATIC = "static"
    BROWSER = "browser"
    UNBLOCKER = "unblocker"


class Form(StrEnum):
    """What is taken of a page."""

    HTML = "html"
    MARKDOWN = "markdown"
    TEXT = "text"
    LINKS = "links"
    METADATA = "metadata"
    SCREENSHOT = "screenshot"
    PDF = "pdf"


def add(app: typer.Typer, find: Find) -> None:
    """Add the commands; without a platform here, only a service can run batches."""
    text = "Many pages at once: a file of URLs in, a file of results out."
    batch = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help=text)
    batch.command("run")(_run_command(find))
    batch.command("status")(status)
    app.add_typer(batch, name="batch", rich_help_panel="Many pages")


def _run_command(find: Find) -> Any:  # noqa: ANN401  # what Typer reads the options from
    def run(  # noqa: PLR0913, PLR0917  # a command's options are its arguments
        file: Annotated[
            Path, typer.Argument(help="One URL a line, a CSV with a column `url`, or NDJSON (`url`, `options`).")
        ],
        out: Annotated[Path, typer.Option("--out", "-o", help="Results: one JSON object a line for every URL.")],
        kind: Annotated[Kind, typer.Option(help="Judge the pages, or take them.")] = Kind.ANALYSIS,
        preset: Annotated[Preset | None, typer.Option(help="Of an analysis: how much judgement is bought.")] = None,
        tier: Annotated[Tier | None, typer.Option(help="Of a capture: how pages are had. Default: auto")] = None,
        output: Annotated[
            list[Form] | None, typer.Option(help="Of a capture: what is taken; may be repeated. Default: html")
        ] = None,
        save: Annotated[
            Path | None, typer.Option(help="Write reports, or what was taken, into this folder, a file each.")
        ] = None,
        concurrency: Annotated[int | None, typer.Option(min=1, max=500, help="Pages in work at once.")] = None,
        max_cost: Annotated[str | None, typer.Option(metavar="USD", help="All together may cost no more.")] = None,
        options: Annotated[
            str | None, typer.Option(metavar="JSON", help="More fields of the single requests (see the API).")
        ] = None,
        server: MaybeServer = "",
    ) -> None:
        """Analyse or capture every URL of a file, up to any number.

        Interrupt it whenever you like: the same command goes on where it was. Nothing is fetched twice, no line is
        lost. With --server the service goes on meanwhile. Ends with 0 once every URL has its line, which says what
        became of it; URLs that failed are no failure of the command.
        """
        chosen = _chosen(kind, preset, tier, output, options)
        found = sources.survey(file)
        order: dict[str, object] = {
            "file": found.digest,
            "kind": kind.value,
            "options": chosen,
            "concurrency": concurrency,
            "max_cost": max_cost,
            "server": server,
            "save": str(save) if save else None,
        }
        if save:
            save.mkdir(parents=True, exist_ok=True)
        local = None if server else find()
        if local is None:
            connection.named(server)
        out.parent.mkdir(parents=True, exist_ok=True)
        with runs.held(out, State(order=order, urls=found.urls, part_size=_MOST)) as held:
            _carry_out(held, file, save, server, local)

    return run


def _carry_out(held: Run, file: Path, save: Path | None, server: str, local: Local | None) -> None:  # one run
    before = held.state.lines
    if before:
        terminal.say(f"Going on: {before:,} of {held.state.urls:,} are there already.", terminal.aside())
    try:
        state = asyncio.run(_finish(held, file, save, server, local))
    except KeyboardInterrupt as exc:
        meanwhile = " The service goes on meanwhile." if server else ""
        line = f"stopped after {held.state.lines:,} of {held.state.urls:,}; the same command goes on from there."
        raise CommandEndedError(line + meanwhile, INTERRUPTED) from exc
    terminal.out().print(terminal.finished(state, str(held.out)))
    held.finish()


async def _finish(held: Run, file: Path, save: Path | None, server: str, local: Local | None) -> State:
    with terminal.BatchProgress(terminal.aside(), file.name) as progress:
        async with _client(server, local, held) as client:
            if not held.state.lines and not held.state.batch_id:
                most = (await client.tenant()).plan.max_batch
                held.write([], State(**{**vars(held.state), "part_size": min(_MOST, most)}))
            return await BatchRun(client, held, file, save, progress).finish()


@asynccontextmanager
async def _client(server: str, local: Local | None, held: Run) -> AsyncIterator[AsyncClient]:
    if server or local is None:
        async with connection.async_client(connection.named(server)) as client:
            yield client
        return
    async with local.platform(held.platform_folder) as transport, AsyncClient("", _HERE, transport=transport) as client:
        yield client


def _chosen(
    kind: Kind, preset: Preset | None, tier: Tier | None, output: list[Form] | None, more: str | None
) -> dict[str, object]:
    """Return the options of each URL. Raises `CommandEndedError` for what does not go together."""
    if kind is Kind.ANALYSIS and (tier or output):
        raise CommandEndedError("--tier and --output go with --kind capture")
    if kind is Kind.CAPTURE and preset:
        raise CommandEndedError("--preset goes with --kind analysis")
    chosen: dict[str, object] = {}
    if preset:
        chosen["preset"] = preset.value
    if kind is Kind.CAPTURE:
        chosen["tier"] = (tier or Tier.AUTO).value
        chosen["outputs"] = [{"kind": form.value} for form in output or [Form.HTML]]
    return {**chosen, **_parsed(more)}


def _parsed(more: str | None) -> dict[str, object]:
    if not more:
        return {}
    try:
        found = json.loads(more)
    except ValueError as exc:
        raise CommandEndedError(f"--options is no JSON: {exc}") from exc
    if not isinstance(found, dict):
        raise CommandEndedError('--options must be a JSON object: {"max_age": 0}')
    return found


def status(
    what: Annotated[str, typer.Argument(help="A batch's id, or the results file of an unfinished `cro batch run`.")],
    server: Server = "",
) -> None:
    """Say how far a batch is."""
    console = terminal.out()
    if not what.startswith("bat_") and (state := runs.known(Path(what))) is not None:
        console.print(_of_run(what, state))
        return
    if Path(what).is_file():
        terminal.say(f"{what}: no run of it is unfinished")
        return
    with connection.client(server) as client:
        console.print(_of_batch(client.batches.get(what)))


def _of_run(file: str, state: State) -> Any:  # noqa: ANN401  # whatever rich prints
    return terminal.pairs(
        [
            ("Results", file),
            ("Written", f"{state.lines:,} of {state.urls:,}: {terminal.counts(state.counts).plain}"),
            ("So far", f"{terminal.lasting(state.seconds)}, ${state.cost}"),
            ("Batch", state.batch_id or "–"),
            ("Where", str(state.order.get("server") or "on this machine; it goes on with the same command")),
        ]
    )


def _of_batch(batch: BatchRead) -> Any:  # noqa: ANN401  # whatever rich prints
    had = vars(batch.counts)
    tiers = [f"{name} {count:,}" for name, count in vars(batch.tiers).items() if count]
    rows = [
        ("Batch", f"{batch.id}  {batch.status}"),
        ("Kind", batch.kind),
        ("URLs", f"{batch.counts.ended:,} of {batch.counts.total:,} ended"),
        ("States", " · ".join(f"{count:,} {name}" for name, count in had.items() if count and name != "total")),
        ("Tiers", " · ".join(tiers)),
        ("Cost", terminal.money(batch.cost)),
        ("Pace", f"{batch.rate:,.1f} URLs/s" if batch.rate else ""),
        ("Finish", terminal.moment(batch.finished_at or batch.estimated_finish)),
    ]
    refused = [(f"  {one.reason}", one.url) for one in batch.rejected[:5]]
    return terminal.pairs([*((label, text) for label, text in rows if text), *refused])
