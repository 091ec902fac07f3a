"""`python -m renderer`: the renderer alone, on HOST and PORT."""

import sys
from datetime import timedelta

from renderer.app import create_app
from renderer.settings import RendererSettings
from runtime import logging, serving, telemetry


def main() -> None:
    """Serve until SIGINT or SIGTERM; exit 0 after a drain, 1 with one line when it cannot start."""
    settings = RendererSettings()
    logging.configure("renderer", settings.log_level)
    telemetry.configure("renderer", "0.1.0")
    drain = timedelta(seconds=settings.renderer_drain_s)
    sys.exit(serving.run(create_app(settings), "renderer", host=settings.host, port=settings.port, drain=drain))


if __name__ == "__main__":
    main()
