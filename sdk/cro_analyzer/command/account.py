"""`cro usage`: what the account may do and has used."""

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Group
from rich.padding import Padding

from cro_analyzer.command import connection, terminal
from cro_analyzer.command.connection import Server

_DAY = ["%Y-%m-%d"]


def usage(
    first: Annotated[datetime | None, typer.Option("--from", formats=_DAY, help="First day (UTC).")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=_DAY, help="Last day. Default: today")] = None,
    server: Server = "",
) -> None:
    """Show the plan, what is used of today's quotas, and jobs and cost of each day."""
    with connection.client(server) as client:
        tenant = client.tenant()
        used = client.usage(first=first.date() if first else None, last=last.date() if last else None)
    quotas = [
        (f"{one.kind} today", f"{one.used:,}" + (f" of {one.limit:,}" if one.limit is not None else ""))
        for one in tenant.today
        if one.used or one.limit is not None
    ]
    head = terminal.pairs([("Account", f"{tenant.name} ({tenant.id})"), ("Plan", tenant.plan.name), *quotas])
    rows = [
        (
            str(one.day),
            one.kind,
            *(f"{n:,}" for n in (one.succeeded, one.failed, one.cancelled)),
            terminal.money(one.cost_usd),
        )
        for one in used.data
    ]
    total = used.total
    rows.append(
        (
            "all",
            "",
            *(f"{n:,}" for n in (total.succeeded, total.failed, total.cancelled)),
            terminal.money(total.cost_usd),
        )
    )
    columns = ("day", "kind", "succeeded", "failed", "cancelled", "cost")
    days = terminal.table(columns, rows, right=frozenset({2, 3, 4, 5}))
    terminal.out().print(Group(head, Padding(days, (1, 0, 0, 0))))
