"""HTTP/1.1 heads as the proxy reads and writes them: strict, because leniency here is request smuggling."""

import base64
import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from contracts.errors import ErrorCode
from runtime.errors import ServiceError
from runtime.netguard import parse

REFUSED_HEADER = b"x-egress-refused"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT"})
_REQUEST_LINE = re.compile(rb"([A-Z]{1,20}) ([\x21-\x7e]+) HTTP/1\.([01])")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([^\x00-\x08\x0a-\x1f\x7f]*))?")
# Possessive: a field that does not match is refused in one pass, however many blanks it has.
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]++):[ \t]*+([^\x00-\x08\x0a-\x1f\x7f]*+)\r\n")
_FIELDS = re.compile(rb"(?:" + _FIELD.pattern + rb")*+")
_ABSOLUTE = re.compile(r"(?i)http://([^/?#]+)(/[^#]*|\?[^#]*)?")
_AUTHORITY = re.compile(r"(?:[A-Za-z0-9._-]{1,254}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_NEVER_NOMINATED = frozenset({b"content-length", b"host"})
_NO_CONTENT = frozenset({204, 304})


class MalformedError(Exception):
    """A message that two readers could understand differently."""


class Framing(Enum):
    """How the end of a body is found."""

    LENGTH = auto()
    CHUNKED = auto()
    UNTIL_CLOSE = auto()


@dataclass(frozen=True)
class Body:
    """The shape of a message's body."""

    framing: Framing = Framing.LENGTH
    length: int = 0

    @property
    def empty(self) -> bool:
        """Whether nothing follows the head."""
        return self.framing is Framing.LENGTH and self.length == 0


NO_BODY = Body()


class Fields:
    """Header fields in their order; names compare without case."""

    def __init__(self, items: list[tuple[bytes, bytes]]) -> None:
        """Keep the fields as they came."""
        self._lines: list[tuple[bytes, bytes]] = []
        self._values: dict[bytes, list[bytes]] = {}
        for name, padded in items:
            key, value = name.lower(), padded.rstrip(b" \t")
            self._lines.append((key, name + b": " + value))
            self._values.setdefault(key, []).append(value)

    def values(self, name: bytes) -> Sequence[bytes]:
        """Return the values of every field called `name` (lower case)."""
        return self._values.get(name, ())

    def tokens(self, name: bytes) -> set[bytes]:
        """Return the comma-separated, lower-cased items of a list field."""
        return {token.strip().lower() for value in self.values(name) for token in value.split(b",")}

    def lines(self, without: Iterable[bytes]) -> list[bytes]:
        """Return the fields to pass on: neither hop-by-hop nor in `without`."""
        nominated = self.tokens(b"connection") - _NEVER_NOMINATED
        dropped = _HOP_BY_HOP.union(nominated, without)
        return [line for key, line in self._lines if key not in dropped]


@dataclass(frozen=True)
class Request:
    """A request head. `host` is canonical and has no brackets; `path` is the origin form, empty for CONNECT."""

    method: str
    host: str
    port: int
    path: str
    fields: Fields
    body: Body
    upgrade: bool
    persistent: bool

    @property
    def user(self) -> str:
        """The user name of its proxy credentials (RFC 7617), empty without."""
        values = self.fields.values(b"proxy-authorization")
        scheme, _, encoded = values[0].partition(b" ") if len(values) == 1 else (b"", b"", b"")
        if scheme.lower() != b"basic":
            return ""
        try:
            return base64.b64decode(encoded, validate=True).partition(b":")[0].decode("ascii")
        except ValueError:
            return ""

    @property
    def tunnels(self) -> bool:
        """Whether the connection may end up carrying something other than HTTP."""
        return self.upgrade or self.method == "CONNECT"


@dataclass(frozen=True)
class Response:
    """A response head."""

    status: int
    reason: bytes
    fields: Fields
    body: Body
    persistent: bool


def _split(head: bytes) -> tuple[bytes, Fields]:
    start, _, fields = head.removesuffix(b"\r\n").partition(b"\r\n")
    if not _FIELDS.fullmatch(fields):
        raise MalformedError("a header field")
    return start, Fields(_FIELD.findall(fields))


def _declared_length(lengths: Sequence[bytes]) -> int:
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        raise MalformedError("content-length")
    return int(lengths[0])


def _request_body(fields: Fields, minor: bytes) -> Body:
    lengths, codings = fields.values(b"content-length"), fields.values(b"transfer-encoding")
    if codings:
        if lengths or [coding.lower() for coding in codings] != [b"chunked"] or minor == b"0":
            raise MalformedError("transfer-encoding")
        return Body(Framing.CHUNKED)
    return Body(length=_declared_length(lengths)) if lengths else NO_BODY


def _response_body(fields: Fields, status: int, method: str) -> Body:
    lengths, codings = fields.values(b"content-length"), fields.values(b"transfer-encoding")
    if method == "HEAD" or status in _NO_CONTENT:
        return NO_BODY
    if codings:
        if [coding.lower() for coding in codings] != [b"chunked"]:
            raise MalformedError("transfer-encoding")
        return Body(Framing.CHUNKED)
    # RFC 9112, section 6.3: equal repetitions are one length, and without any the end is the end of the connection.
    return Body(length=_declared_length(list(set(lengths)))) if lengths else Body(Framing.UNTIL_CLOSE)


@functools.lru_cache(maxsize=1_024)  # a page asks a few hosts for many things
def _endpoint(authority: str) -> tuple[str, int]:
    try:
        target = parse(f"http://{authority}/")
    except ServiceError as exc:
        raise MalformedError("authority") from exc
    return target.host, target.port


def _destination(method: str, target: str) -> tuple[str, int, str]:
    if method == "CONNECT":
        found = _AUTHORITY.fullmatch(target)
        if not found or not found[1]:
            raise MalformedError("authority")
        return *_endpoint(target), ""
    absolute = _ABSOLUTE.fullmatch(target)
    if not absolute or not _AUTHORITY.fullmatch(absolute[1]):
        raise MalformedError("request target")
    path = absolute[2] or "/"
    return *_endpoint(absolute[1]), path if path.startswith("/") else f"/{path}"


def read_request(head: bytes) -> Request:
    """Read a proxy request's head, which ends in an empty line. Raises `MalformedError`."""
    start, fields = _split(head)
    line = _REQUEST_LINE.fullmatch(start)
    if not line:
        raise MalformedError("request line")
    method = line[1].decode()
    if method not in _METHODS:
        raise MalformedError("method")
    if len(fields.values(b"host")) > 1:
        raise MalformedError("host")
    body = _request_body(fields, line[3])
    host, port, path = _destination(method, line[2].decode())
    if method == "CONNECT" and not body.empty:
        raise MalformedError("a body on CONNECT")
    options = fields.tokens(b"connection") | fields.tokens(b"proxy-connection")
    upgrade = method == "GET" and fields.tokens(b"upgrade") == {b"websocket"} and b"upgrade" in options
    return Request(method, host, port, path, fields, body, upgrade, line[3] == b"1" and b"close" not in options)


def read_response(head: bytes, method: str) -> Response:
    """Read the head of the answer to a `method` request. Raises `MalformedError`."""
    start, fields = _split(head)
    line = _STATUS_LINE.fullmatch(start)
    if not line:
        raise MalformedError("status line")
    status = int(line[2])
    body = NO_BODY if status < 200 else _response_body(fields, status, method)  # noqa: PLR2004  # 1xx never has one
    ambiguous = body.framing is Framing.UNTIL_CLOSE or bool(
        body.framing is Framing.CHUNKED and fields.values(b"content-length")
    )
    persistent = line[1] == b"1" and b"close" not in fields.tokens(b"connection") and not ambiguous
    return Response(status, line[3] or b"", fields, body, persistent)


def _head(start: bytes, lines: list[bytes]) -> bytes:
    return b"\r\n".join([start, *lines, b"", b""])


def _framing_lines(body: Body) -> list[bytes]:
    return [b"transfer-encoding: chunked"] if body.framing is Framing.CHUNKED else []


def write_request(request: Request) -> bytes:
    """Write the head for the site: origin form, Host from the judged authority, nothing hop-by-hop."""
    name = f"[{request.host}]" if ":" in request.host else request.host
    authority = name if request.port == 80 else f"{name}:{request.port}"  # noqa: PLR2004  # http's own port
    lines = [f"Host: {authority}".encode(), *request.fields.lines([b"host"]), *_framing_lines(request.body)]
    if request.upgrade:
        lines += [b"Upgrade: websocket", b"Connection: Upgrade"]
    return _head(f"{request.method} {request.path} HTTP/1.1".encode(), lines)


def write_response(response: Response, *, keep: bool) -> bytes:
    """Write the head for the browser; `keep` tells it whether the connection stays."""
    chunked = response.body.framing is Framing.CHUNKED
    without = [REFUSED_HEADER, b"content-length"] if chunked else [REFUSED_HEADER]
    lines = [*response.fields.lines(without), *_framing_lines(response.body)]
    if response.status == 101:  # noqa: PLR2004  # Switching Protocols
        lines += [b"Upgrade: websocket", b"Connection: Upgrade"]
    elif response.status >= 200:  # noqa: PLR2004  # 1xx are interim
        lines.append(b"Connection: keep-alive" if keep else b"Connection: close")
    return _head(b"HTTP/1.1 %d %s" % (response.status, response.reason), lines)


_REFUSAL_LINES = {
    400: b"Bad Request",
    403: b"Forbidden",
    407: b"Proxy Authentication Required",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
}
_REFUSAL_STATUS = {
    ErrorCode.INVALID_REQUEST: 400,
    ErrorCode.UNAUTHENTICATED: 407,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.TARGET_DNS: 502,
    ErrorCode.TARGET_REFUSED: 502,
    ErrorCode.TARGET_TIMEOUT: 504,
}


def write_refusal(error: ServiceError) -> bytes:
    """Write the proxy's own answer. Only the caller's text goes out: a resolved address would be an oracle."""
    status = _REFUSAL_STATUS.get(error.code, 403)
    text = error.detail.encode() + b"\n"
    lines = [
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Length: %d" % len(text),
        b"Cache-Control: no-store",
        REFUSED_HEADER + b": " + error.code.value.encode(),
        b"Connection: close",
    ]
    if error.code is ErrorCode.UNAUTHENTICATED:
        lines.append(b'Proxy-Authenticate: Basic realm="job"')
    return _head(b"HTTP/1.1 %d %s" % (status, _REFUSAL_LINES[status]), lines) + text
