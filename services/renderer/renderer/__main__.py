"""`python -m renderer [serve]`: the renderer alone; `python -m renderer egress`: its way out. On HOST and PORT."""

import sys
from datetime import timedelta

from pydantic import ValidationError

from renderer.app import create_app
from renderer.egress.server import EgressServer, control_app
from renderer.egress.settings import EgressSettings
from renderer.settings import RendererSettings
from runtime import logging, serving, telemetry
from runtime.errors import ServiceError
from runtime.settings import unusable

_USAGE = "usage: python -m renderer [serve | egress]\n"


def main() -> None:
    """Serve until SIGINT or SIGTERM; exit 0 after a drain, 1 with one line when it cannot start, 2 when misused."""
    commands = {"serve": serve, "egress": egress}
    command = commands.get(" ".join(sys.argv[1:]) or "serve")
    if command is None:
        sys.stderr.write(_USAGE)
        sys.exit(2)
    try:
        status = command()
    except ValidationError as exc:
        sys.stderr.write(f"{' '.join(sys.argv[1:]) or 'renderer'}: {unusable(exc)}\n")
        status = 1
    except ServiceError as exc:
        sys.stderr.write(f"{' '.join(sys.argv[1:]) or 'renderer'}: {exc.detail}\n")
        status = 1
    sys.exit(status)


def serve() -> int:
    """Run the renderer; return the exit status."""
    settings = RendererSettings()
    logging.configure("renderer", settings.log_level)
    telemetry.configure("renderer", "0.1.0")
    drain = timedelta(seconds=settings.renderer_drain_s)
    return serving.run(create_app(settings), "renderer", host=settings.host, port=settings.port, drain=drain)


def egress() -> int:
    """Run the egress proxy, with its control port beside it; return the exit status."""
    settings = EgressSettings()
    logging.configure("egress", settings.log_level)
    telemetry.configure("egress", "0.1.0")
    server = EgressServer(settings)
    drain = timedelta(seconds=settings.egress_drain_s)
    return serving.run(
        control_app(server),
        "egress",
        host=settings.host,
        port=settings.egress_control_port,
        drain=drain,
        note=lambda: f", proxy on port {server.port}",
    )


if __name__ == "__main__":
    main()
