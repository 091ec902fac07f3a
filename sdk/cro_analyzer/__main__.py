"""`python -m cro_analyzer`: the same as `cro`."""

import importlib
import importlib.util
import sys

_NEEDED = ("typer", "rich")
_INTERRUPTED = 130


def main() -> None:
    """Run the command line, or say what it lacks."""
    lacking = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if lacking:
        sys.stderr.write(f"cro: the command needs {' and '.join(lacking)}: pip install 'cro-analyzer[cli]'\n")
        sys.exit(2)
    try:
        importlib.import_module("cro_analyzer.command.app").main()
    except KeyboardInterrupt:
        sys.stderr.write("cro: stopped\n")
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
