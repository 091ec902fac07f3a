"""`python -m analyzer.fakeclaude --port 9200`: the fake on loopback, until SIGINT or SIGTERM."""

import argparse
import socket
import sys
from collections.abc import Sequence

import uvicorn

from analyzer.fakeclaude.app import create_app
from analyzer.fakeclaude.limits import LIMITS
from analyzer.fakeclaude.scenarios import parse
from analyzer.fakeclaude.state import State


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
    parser.add_argument("--port", type=int, default=9200, help="0 takes a free one")
    parser.add_argument("--latency", type=float, default=0.0, metavar="S", help="seconds that every message takes")
    parser.add_argument("--batch-time", type=float, default=0.0, metavar="S", help="seconds that every batch takes")
    parser.add_argument("--scenario", default="ok", help="of requests that name none, e.g. overloaded or slow:2*10")
    parser.add_argument("--limits", type=float, default=1.0, metavar="FACTOR", help="rate limits times this")
    options = parser.parse_args(arguments)
    parse(options.scenario)
    state = State(latency_s=options.latency, batch_s=options.batch_time, default=options.scenario)
    state.limits = {name: round(limit * options.limits) for name, limit in LIMITS.items()}
    config = uvicorn.Config(
        create_app(state), host="127.0.0.1", port=options.port, log_level="warning", timeout_graceful_shutdown=1
    )
    _Announcing(config).run()


if __name__ == "__main__":
    main()
