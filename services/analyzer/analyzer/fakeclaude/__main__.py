"""`python -m analyzer.fakeclaude --port 9200`: the fake on loopback, until SIGINT or SIGTERM."""

import argparse
import socket
import sys
from collections.abc import Sequence

import uvicorn

from analyzer.fakeclaude.app import create_app


class _Announcing(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            sys.stdout.write(f"fake Messages API ready on http://127.0.0.1:{port}\n")
            sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until told to stop; port 0 takes a free one and the ready line names it."""
    parser = argparse.ArgumentParser(
        prog="python -m analyzer.fakeclaude", description="A local fake of the Messages API."
    )
    parser.add_argument("--port", type=int, default=9200)
    options = parser.parse_args(arguments)
    config = uvicorn.Config(
        create_app(), host="127.0.0.1", port=options.port, log_level="warning", timeout_graceful_shutdown=1
    )
    _Announcing(config).run()


if __name__ == "__main__":
    main()
