"""`python -m gateway blobs …`: getting the bucket ready, by an operator whose credentials may change it."""

import sys
import time
from typing import Annotated

import typer

from gateway.blobs.bucket import set_up
from gateway.blobs.connecting import open_bucket
from gateway.settings import GatewaySettings
from runtime.errors import ServiceError

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The bucket of artifacts.")

_PAUSE_S = 0.5
_MARGIN_DAYS = 7
"""How much longer than the longest retention the bucket keeps: only what the gateway lost sight of is left by then."""


def keep_days(settings: GatewaySettings) -> int:
    """Return the age at which the bucket itself removes an object."""
    return max(settings.retention_days, *settings.retention_days_by_tenant.values(), 1) + _MARGIN_DAYS


@app.callback()
def _group() -> None:
    """Keep `setup` a word of the command line although it is the only one."""


Create = Annotated[bool, typer.Option(help="make the bucket where there is none")]
Wait = Annotated[float, typer.Option(min=0, help="seconds to wait for a server that is only just starting")]


@app.command()
def setup(create: Create = False, wait: Wait = 0) -> None:  # noqa: FBT002  # an option of the command line
    """Make the bucket of BLOBS_URL private, and let it remove what is older than anything that is kept."""
    settings = GatewaySettings()
    try:
        for line in _patiently(settings, time.monotonic() + wait, create=create):
            typer.echo(line)
    except (ServiceError, ValueError) as error:
        sys.stderr.write(f"blobs: {error.detail if isinstance(error, ServiceError) else error}\n")
        raise typer.Exit(1) from error


def _patiently(settings: GatewaySettings, until: float, *, create: bool) -> list[str]:
    store = open_bucket(settings)
    while True:
        try:
            return set_up(store.client, store.address, keep_days(settings), create=create)
        except ServiceError:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE_S)
