"""Server-sent events (WHATWG HTML, section 9.2) out of bytes as they arrive."""

import codecs
from dataclasses import dataclass


@dataclass(frozen=True)
class ServerEvent:
    """One event as it was sent."""

    name: str
    data: str
    id: str = ""


class EventReader:
    """Takes pieces of a stream, however they are cut, and gives the events that are whole.

    `last_id` is what a new connection sends as Last-Event-ID, `retry_s` what the server asks to wait before it.
    """

    def __init__(self, last_id: str = "") -> None:
        """Begin a stream; `last_id` is known from the connection before."""
        self.last_id = last_id
        self.retry_s: float | None = None
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._name = ""
        self._data: list[str] = []
        self._id = last_id

    def feed(self, piece: bytes) -> list[ServerEvent]:
        """Take a piece; return the events that it completes."""
        self._rest += self._text.decode(piece)
        # A CR at the very end may be the first half of CR LF.
        held = self._rest.endswith("\r")
        text = self._rest[:-1] if held else self._rest
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._rest = lines.pop() + ("\r" if held else "")
        found = (self._line(line) for line in lines)
        return [event for event in found if event is not None]

    def _line(self, line: str) -> ServerEvent | None:
        if not line:
            return self._dispatched()
        name, _, rest = line.partition(":")
        text = rest.removeprefix(" ")
        if name == "event":
            self._name = text
        elif name == "data":
            self._data.append(text)
        elif name == "id" and "\0" not in text:
            self._id = text
        elif name == "retry" and text.isascii() and text.isdigit():
            self.retry_s = int(text) / 1_000
        return None

    def _dispatched(self) -> ServerEvent | None:
        name, data = self._name or "message", self._data
        self._name, self._data = "", []
        # Only now: an event that was cut off has not been told, and must come again.
        self.last_id = self._id
        return ServerEvent(name, "\n".join(data), self.last_id) if data else None
