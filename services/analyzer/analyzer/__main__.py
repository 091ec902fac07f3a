"""Serve the analyzer: `python -m analyzer`, on 127.0.0.1:9100 unless HOST and PORT say otherwise."""

import sys
from datetime import timedelta

from pydantic import ValidationError

from analyzer.service import create_service
from analyzer.settings import AnalyzerSettings
from runtime import logging, serving, telemetry
from runtime.settings import unusable

_DRAIN = timedelta(seconds=10)


def main() -> None:
    """Run until SIGINT or SIGTERM; exit 0 after a drain, 1 with one line when it cannot start."""
    try:
        sys.exit(serve())
    except ValidationError as exc:
        sys.stderr.write(f"analyzer: {unusable(exc)}\n")
        sys.exit(1)


def serve() -> int:
    """Run the analyzer; return the exit status."""
    settings = AnalyzerSettings()
    logging.configure("analyzer", settings.log_level)
    telemetry.configure("analyzer", "0.1.0")
    app = create_service(settings)
    return serving.run(app, "analyzer", host=settings.host, port=settings.port, drain=_DRAIN)


if __name__ == "__main__":
    main()
