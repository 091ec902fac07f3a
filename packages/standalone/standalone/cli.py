"""The `cro` command."""

import asyncio
import ipaddress
import signal
import sys
import tempfile
import webbrowser
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NoReturn

import structlog
import typer
from rich.console import Console

from contracts.analyze import Preset
from contracts.errors import Fault
from runtime import logging, netguard, serving, telemetry
from runtime.errors import ServiceError
from runtime.netguard import AddressPolicy
from standalone import one_page, platform, report_files, terminal
from standalone.settings import StandaloneSettings

RELEASE = "0.1.0"
_DRAIN = timedelta(seconds=20)
_USAGE = 2

log = structlog.get_logger(__name__)
app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Conversion reports of web pages.")


def main() -> None:
    """Run the command line; a failure ends with one line."""
    # A polite end of the process must close browsers and folders just as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        app()
    except ServiceError as exc:
        _end(exc.detail, _USAGE if exc.code.fault in {Fault.CALLER, Fault.TARGET} else 1)
    except Exception as exc:  # outermost: a person gets a line, the log gets the trace
        log.info("command_failed", exc_info=exc)
        _end(f"failed on our side: {type(exc).__name__}: {exc} (run again with -v for the details)", 1)


def _end(line: str, status: int) -> NoReturn:
    sys.stderr.write(f"cro: {line}\n")
    sys.exit(status)


@app.command()
def analyze(
    url: Annotated[str, typer.Argument(help="The page, as a visitor would open it: https://…")],
    json: Annotated[str, typer.Option(help="Write the result document here; - for standard output.")] = "",
    html: Annotated[str, typer.Option(help="Write the report here. Default: reports/<host>-<time>.html")] = "",
    preset: Annotated[
        Preset, typer.Option(help="How much judgement is bought; only `rules` needs no key.")
    ] = Preset.STANDARD,
    *,
    open_report: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the log.")] = False,
) -> None:
    """Analyse one page on this machine: no server, no key.

    Ends with 0 when there is a report, 2 when the address is wrong or the site does not deliver a page, 1 otherwise.
    """
    settings = StandaloneSettings()
    logging.configure("cro", settings.log_level if verbose else "WARNING")
    telemetry.configure("cro", RELEASE)
    if not url.strip():
        _end("no address given: make run URL=https://example.com/", _USAGE)
    AddressPolicy.from_setting(settings.egress_allow_private).check_target(netguard.parse(url))
    page = Path(html) if html else report_files.default_html(url, datetime.now(UTC))
    files = {"--html": page, **({"--json": Path(json)} if json not in {"", "-"} else {})}
    for option, path in files.items():
        _check_writable(option, path)
    begun = datetime.now(UTC)
    try:
        report = asyncio.run(_analyze(url, preset, settings))
    except KeyboardInterrupt:
        _end("stopped", 130)
    report_files.write(page, report.html)
    document = report.analysis.model_dump_json(indent=2)
    if json not in {"", "-"}:
        report_files.write(Path(json), document + "\n")
    if json == "-":
        sys.stdout.write(document + "\n")
    else:
        elapsed = (datetime.now(UTC) - begun).total_seconds()
        Console().print(
            terminal.summary(report.analysis, elapsed_s=elapsed, html=page, json=Path(json) if json else None)
        )
    if open_report:
        webbrowser.open(page.absolute().as_uri())


async def _analyze(url: str, preset: Preset, settings: StandaloneSettings) -> one_page.Report:
    """Use a platform of its own, in a folder that goes away: it must not take the jobs of a running server."""
    budget = timedelta(seconds=settings.analysis_budget_s)
    folder = tempfile.TemporaryDirectory(prefix="cro-", ignore_cleanup_errors=True)
    with folder as data, terminal.Progress(Console(stderr=True)) as progress:
        async with platform.running(platform.Profile(Path(data), slots=1, patience_s=10, drain_s=0)) as api:
            return await one_page.analyze(api, url, preset, budget, lambda state: _show(progress, state))


def _show(progress: terminal.Progress, state: str) -> None:
    stage = terminal.Stage.DONE if state == "succeeded" else state
    if stage in list(terminal.Stage):
        progress.show(terminal.Stage(stage))


def _check_writable(option: str, path: Path) -> None:
    existed = path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        if not existed:
            path.unlink()
    except OSError as exc:
        _end(f"{option}: cannot write {path}: {exc.strerror}", _USAGE)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Only loopback, as long as there are no API keys.")] = "",
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = -1,
) -> None:
    """Serve the API on this machine: http://127.0.0.1:8000, documentation at /docs."""
    settings = StandaloneSettings()
    logging.configure("cro", settings.log_level)
    telemetry.configure("cro", RELEASE)
    host = host or settings.host
    port = settings.port if port < 0 else port
    if not _is_loopback(host):
        _end(f"--host {host}: without API keys it listens on loopback only (127.0.0.1 or ::1)", _USAGE)
    application = platform.create_app(platform.Profile(settings.cro_data))
    sys.exit(serving.run(application, "cro", host=host, port=port, drain=_DRAIN))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
