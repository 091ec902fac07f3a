"""The commands that need the platform; the rest of `cro` is the client library's."""

import asyncio
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console

from contracts.analyze import Preset
from contracts.errors import Fault
from contracts.fetch import Tier
from contracts.outputs import ScreenshotOutput
from contracts.visit import Prepare, Visit, WaitFor
from cro_analyzer.command.connection import MaybeServer
from cro_analyzer.command.pages import Form, form_of
from gateway.captures.schemas import CaptureCreate
from runtime import logging, netguard, serving, telemetry, wording
from runtime.errors import ServiceError
from runtime.netguard import AddressPolicy
from runtime.settings import unusable
from standalone import doctor, one_capture, one_page, platform, reach, report_files, terminal
from standalone.settings import StandaloneSettings

RELEASE = "0.1.0"
_DRAIN = timedelta(seconds=20)
_USAGE = 2
_FIRST_ERROR_STATUS = 400
_ONE = "One page"
_MACHINE = "This machine"

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="markdown")


def explain(error: Exception) -> tuple[str, int] | None:
    """Return the line and the status for an error of the services or of their settings."""
    if isinstance(error, ServiceError):
        return error.detail, _USAGE if error.code.fault in {Fault.CALLER, Fault.TARGET} else 1
    if isinstance(error, ValidationError) and error.title.endswith("Settings"):
        return unusable(error), _USAGE
    return None


def _end(line: str, status: int) -> NoReturn:
    sys.stderr.write(f"cro: {line}\n")
    sys.exit(status)


def _prepared(*, verbose: bool) -> StandaloneSettings:
    settings = StandaloneSettings()
    logging.configure("cro", settings.log_level if verbose else "ERROR")
    telemetry.configure("cro", RELEASE)
    return settings


@app.command(rich_help_panel=_ONE)
def analyze(  # noqa: PLR0913  # a command's options are its arguments
    url: Annotated[str, typer.Argument(help="The page, as a visitor would open it: https://…")],
    json: Annotated[str, typer.Option(help="Write the result document here; - for standard output.")] = "",
    html: Annotated[str, typer.Option(help="Write the report here. Default: reports/HOST-TIME.html")] = "",
    preset: Annotated[
        Preset, typer.Option(help="How much judgement is bought; only `rules` needs no key.")
    ] = Preset.STANDARD,
    server: MaybeServer = "",
    *,
    open_report: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the log.")] = False,
) -> None:
    """Analyse one page on this machine, without server or key, or let a service do it.

    Ends with 0 when there is a report, 2 when the address is wrong or the site does not deliver a page, 1 otherwise.
    """
    settings = _prepared(verbose=verbose)
    if not url.strip():
        _end("no address given: make run URL=https://example.com/", _USAGE)
    _check_target(url, server, settings)
    page = Path(html) if html else report_files.default_html(url, datetime.now(UTC))
    files = {"--html": page, **({"--json": Path(json)} if json not in {"", "-"} else {})}
    for option, path in files.items():
        _check_writable(option, path)
    begun = datetime.now(UTC)
    try:
        report = asyncio.run(_analyze(url, preset, settings, server))
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


@app.command(rich_help_panel=_ONE)
def capture(  # noqa: PLR0913  # a command's options are its arguments
    url: Annotated[str, typer.Argument(help="The page, as a visitor would open it: https://…")],
    out: Annotated[str, typer.Option("--out", "-o", help="Write it here; - for standard output.")],
    form: Annotated[
        Form | None, typer.Option("--format", help="What to take. Default: by the ending of --out, else jpeg.")
    ] = None,
    *,
    markdown: Annotated[bool, typer.Option("--markdown", help="Short for --format markdown.")] = False,
    full_page: Annotated[bool, typer.Option("--full-page", help="The whole page, not its first screen.")] = False,
    selector: Annotated[str, typer.Option(help="Only this element: a CSS selector.")] = "",
    width: Annotated[int, typer.Option(help="Of the window, in CSS pixels.")] = 1440,
    height: Annotated[int, typer.Option(help="Of the window, in CSS pixels.")] = 900,
    scale: Annotated[float, typer.Option(help="Device pixels for one CSS pixel.")] = 1.0,
    mobile: Annotated[bool, typer.Option("--mobile", help="As a phone: touch, mobile user agent.")] = False,
    device: Annotated[str, typer.Option(help="A device preset; replaces width, height, scale and --mobile.")] = "",
    quality: Annotated[int, typer.Option(help="Of jpeg and webp, 1 to 100.")] = 80,
    dark: Annotated[bool, typer.Option("--dark", help="As a visitor who prefers dark pages.")] = False,
    banners: Annotated[bool, typer.Option(help="With consent banners and overlays, or without.")] = True,
    hide: Annotated[list[str] | None, typer.Option(help="CSS selector to hide; may be repeated.")] = None,
    wait_for: Annotated[str, typer.Option(help="CSS selector that must be visible first.")] = "",
    delay: Annotated[int, typer.Option(help="Milliseconds to wait after all else.")] = 0,
    tier: Annotated[
        Tier, typer.Option(help="How the page is had; auto: the cheapest that gives it whole.")
    ] = Tier.AUTO,
    any_status: Annotated[bool, typer.Option("--any-status", help="Take the site's error pages, too.")] = False,
    server: MaybeServer = "",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the log.")] = False,
) -> None:
    """Take a picture of one page, or its text, here or by a service. Ends with the same statuses as `cro analyze`."""
    settings = _prepared(verbose=verbose)
    form = Form.MARKDOWN if markdown else form or form_of(out)
    if (full_page or selector) and (form not in one_capture.PICTURES or (full_page and selector)):
        _end("--full-page and --selector go with pictures, and one of them is enough", _USAGE)
    viewport = {"width": width, "height": height, "device_scale_factor": scale, "mobile": mobile}
    shot = {"viewport": viewport, "device": device, "quality": quality, "selector": selector}
    with _named_options():
        picture = ScreenshotOutput.model_validate({**shot, "area": "element" if selector else "first_screen"})
        visit = Visit(color_scheme="dark" if dark else None)
        prepare = Prepare(hide=hide or [], wait_for=WaitFor(selector=wait_for, delay_ms=delay))
        wanted = one_capture.output(form, picture, full_page=full_page, banners=banners)
        order = one_capture.order(url.strip(), wanted, tier, visit, prepare)
    taken = _taken(order, out, settings, server)
    if taken.result.http_status >= _FIRST_ERROR_STATUS and not any_status:
        _end(f"the site answered with HTTP status {taken.result.http_status}; --any-status takes that page", _USAGE)
    _hand_out(taken, out)


def _check_target(url: str, server: str, settings: StandaloneSettings) -> None:
    target = netguard.parse(url)
    # A service has an address policy of its own: what is private here may be its neighbour.
    if not server:
        AddressPolicy.from_setting(settings.egress_allow_private).check_target(target)


def _taken(order: CaptureCreate, out: str, settings: StandaloneSettings, server: str) -> one_capture.Taken:
    _check_target(order.url, server, settings)
    if out != "-":
        _check_writable("--out", Path(out))
    try:
        return asyncio.run(_capture(order, settings, server))
    except KeyboardInterrupt:
        _end("stopped", 130)


@contextmanager
def _named_options() -> Iterator[None]:
    """End with one line when an option has a value that cannot be."""
    try:
        yield
    except ValidationError as exc:
        first = exc.errors()[0]
        _end(f"{'.'.join(str(part) for part in first['loc']) or 'options'}: {wording.said(first)}", _USAGE)


def _hand_out(taken: one_capture.Taken, out: str) -> None:
    result = taken.result
    if result.partial:
        sys.stderr.write(f"cro: partial: {', '.join(result.warnings)}\n")
    if out == "-":
        sys.stdout.buffer.write(taken.data)
        return
    report_files.write_bytes(Path(out), taken.data)
    (artifact,) = result.artifacts.values()
    size = f", {artifact.width} × {artifact.height}" if artifact.width else ""
    kind = artifact.content_type.partition(";")[0]
    Console().print(f"{out}: {kind}{size}, {len(taken.data):,} bytes, {result.tier.value} tier", highlight=False)


async def _capture(order: CaptureCreate, settings: StandaloneSettings, server: str) -> one_capture.Taken:
    async with reach.api(server) as api:
        return await one_capture.capture(api, order, timedelta(seconds=settings.capture_wait_s))


async def _analyze(url: str, preset: Preset, settings: StandaloneSettings, server: str) -> one_page.Report:
    budget = timedelta(seconds=settings.analysis_budget_s)
    with terminal.Progress(Console(stderr=True)) as progress:
        async with reach.api(server) as api:
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


@app.command(rich_help_panel=_MACHINE)
def serve(
    host: Annotated[str, typer.Option(help="Only loopback, unless there are API keys (API_KEY_PEPPER).")] = "",
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = None,
) -> None:
    """Serve the API on this machine: http://127.0.0.1:8000, documentation at /docs."""
    settings = StandaloneSettings()
    logging.configure("cro", settings.log_level)
    telemetry.configure("cro", RELEASE)
    host = host or settings.host
    port = settings.port if port is None else port
    profile = platform.Profile(settings.cro_data, auth=None)
    if platform.gateway_settings(profile).open_to(host):
        said = "without API keys it listens on loopback only (127.0.0.1 or ::1). API_KEY_PEPPER switches keys on"
        _end(f"--host {host}: {said}: docs/api.md, “Keys, limits, usage”", _USAGE)
    try:
        settings.cro_data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as exc:
        _end(f"CRO_DATA: cannot write to {settings.cro_data}: {exc.strerror}", _USAGE)
    application = platform.create_app(profile)
    sys.exit(serving.run(application, "cro", host=host, port=port, drain=_DRAIN))


app.command("doctor", rich_help_panel=_MACHINE)(doctor.doctor)
