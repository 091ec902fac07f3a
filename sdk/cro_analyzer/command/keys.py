"""`cro keys`: API keys of the account whose key is in CRO_API_KEY."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.text import Text

from cro_analyzer.command import connection, terminal
from cro_analyzer.command.connection import Server
from cro_analyzer.models.accounts import KeyMade, KeyRead

_DAY_S = 86_400

KeyId = Annotated[str, typer.Argument(help="The key's id: key_…")]


class Scope(StrEnum):
    """One permission."""

    ANALYSES_READ = "analyses:read"
    ANALYSES_WRITE = "analyses:write"
    CAPTURES_READ = "captures:read"
    CAPTURES_WRITE = "captures:write"
    BATCHES_READ = "batches:read"
    BATCHES_WRITE = "batches:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    KEYS_ADMIN = "keys:admin"
    TENANT_ADMIN = "tenant:admin"
    USAGE_READ = "usage:read"
    AUDIT_READ = "audit:read"


app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="API keys of your account.")


@app.command("list")
def show(server: Server = "") -> None:
    """List keys, newest first."""
    with connection.client(server) as client:
        found = [line for key in client.keys.list() for line in _lines(key)]
    terminal.out().print(*found or [Text("There are no keys.")], sep="\n")


def _lines(key: KeyRead) -> tuple[Text, Text]:
    """Show a key on two lines: an id is too long to leave room for a table."""
    head = Text(terminal.safe(f"{key.id}  {key.name}"), style="bold" if key.active else "dim")
    head.append(terminal.safe(f"  {key.hint}…"), style="not bold dim")
    if not key.active:
        head.append("  ended", style="yellow")
    used = f"last used {terminal.moment(key.last_used_at)}" if key.last_used_at else "never used"
    ends = f"until {terminal.moment(key.expires_at)}" if key.expires_at else "no end"
    return head, Text(terminal.safe(f"  {used} · {ends} · {' '.join(key.scopes)}"), style="dim")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="By which you know it again.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may do; may be repeated.")],
    days: Annotated[int | None, typer.Option(min=1, help="Days until it ends. Default: it does not.")] = None,
    server: Server = "",
) -> None:
    """Make a key. It is printed once, alone on standard output, and kept nowhere."""
    with connection.client(server) as client:
        lasts = None if days is None else days * _DAY_S
        _hand_out(client.keys.create(name, [one.value for one in scope], expires_in_s=lasts))


@app.command()
def rotate(
    key_id: KeyId,
    grace_hours: Annotated[float | None, typer.Option(min=0, help="How long the old one goes on. Default: 24")] = None,
    server: Server = "",
) -> None:
    """Make a key in another's place, with the same name, scopes and lifetime."""
    with connection.client(server) as client:
        grace = None if grace_hours is None else round(grace_hours * 3_600)
        _hand_out(client.keys.rotate(key_id, grace_s=grace))


@app.command()
def revoke(key_id: KeyId, server: Server = "") -> None:
    """End a key now."""
    with connection.client(server) as client:
        client.keys.revoke(key_id)
    terminal.say(f"{key_id} has ended.")


def _hand_out(made: KeyMade) -> None:
    expires = f", until {terminal.moment(made.expires_at)} UTC" if made.expires_at else ""
    terminal.say(f"{made.id} ({made.name}{expires}). Keep the key: nobody can show it again.", terminal.aside())
    terminal.plain(made.key)
