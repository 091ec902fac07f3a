"""The fake on a free loopback port, from a thread: for suites that need it as a fixture."""

import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn

from analyzer.fakeclaude.app import create_app
from analyzer.fakeclaude.scenarios import parse
from analyzer.fakeclaude.state import State
from analyzer.fakeclaude.wire import Json


class FakeServer:
    """A running fake: listens from construction, serves inside the `with` block."""

    def __init__(self) -> None:
        """Take a free port, so that `url` is known at once and early callers wait instead of failing."""
        self.state = State()
        self._listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(create_app(self.state), log_level="critical", ws="none", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})

    @property
    def url(self) -> str:
        """Return what ANTHROPIC_BASE_URL takes."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def requests(self) -> list[Json]:
        """Return the log entries of the message requests, oldest first."""
        return [entry for entry in self.state.log if entry["path"] == "/v1/messages"]

    def script(self, *steps: str) -> None:
        """Choose the scenarios of the next requests."""
        for step in steps:
            parse(step)
        self.state.script.extend(steps)

    def __enter__(self) -> Self:
        """Start serving."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        """Stop, and wait until it has."""
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()
