"""The whole command, put together from what is installed."""

import signal
import sys
from collections.abc import Sequence

import typer

from cro_analyzer.command import account, batch, keys, pages
from cro_analyzer.command.endings import group
from cro_analyzer.command.local import Find, explain, found

_HELP = """Conversion reports, pictures and documents of web pages.

With the platform installed, everything runs on this machine: no server, no key. With --server, or CRO_API_URL and
CRO_API_KEY, a service does it.

It ends with 0 when it is done, 2 where you can change something (options, address, key, the site), 1 where we failed,
and 130 when it was stopped.
"""


_ALONE = frozenset({"batch", "keys", "usage"})
"""Commands of this package that begin without the platform."""


def build(find: Find, words: Sequence[str] = ()) -> typer.Typer:
    """Return the command; `find` returns the platform that is installed beside it, where `words` may need it."""
    local = None if words and words[0] in _ALONE else find()
    app = typer.Typer(
        name="cro",
        cls=group(explain),
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help=_HELP,
        rich_markup_mode="markdown",
    )
    if local is not None:
        local.extend(app)
    else:
        app.command(rich_help_panel="One page")(pages.analyze)
        app.command(rich_help_panel="One page")(pages.capture)
    batch.add(app, find)
    app.add_typer(keys.app, name="keys", rich_help_panel="A service's account")
    app.command(rich_help_panel="A service's account")(account.usage)
    return app


def main() -> None:
    """Run the command line."""
    # A polite end of the process must close browsers and folders just as Ctrl-C does, also where a shell has started us
    # in the background: those ignore Ctrl-C, and what we are told with SIGTERM would be ignored with it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    build(found, sys.argv[1:])()
