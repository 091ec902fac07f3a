"""What the Network events of one page say: the main document's answer, the cost of loading, and whether it is quiet."""

import time
from collections import Counter
from dataclasses import dataclass, field

from contracts.facts import Network, Resource
from renderer.cdp import Message, Session

MAX_LISTED = 20
_LASTING = frozenset({"EventSource", "WebSocket", "Ping", "Media", "Preflight", "CSPViolationReport"})
"""Kinds of request that may stay open for ever, or that no picture waits for: they do not count as noise."""


@dataclass
class _Request:
    url: str
    kind: str
    status: int = 0
    bytes: int = 0


@dataclass
class MainDocument:
    """The main frame's latest document request."""

    url: str = ""
    loader: str = ""
    status: int = 0
    redirects: int = 0
    error: str = ""
    refusal: str = ""
    headers: Message = field(default_factory=dict)


@dataclass
class NetworkLog:
    """Collects events of a page and of its subordinate targets (frames in processes of their own, workers)."""

    main_frame: str
    main: MainDocument = field(default_factory=MainDocument)
    _requests: dict[str, _Request] = field(default_factory=dict)
    _open: dict[str, _Request] = field(default_factory=dict)
    withheld: list[str] = field(default_factory=list)
    """What the caller wanted blocked: neither loading, nor missing, nor failed."""
    _failed: list[Resource] = field(default_factory=list)
    _changed: float = field(default_factory=time.monotonic)

    def listen(self, session: Session) -> None:
        """Collect what `session` reports."""
        session.on("Network.requestWillBeSent", self._sent)
        session.on("Network.responseReceived", self._received)
        session.on("Network.loadingFinished", self._finished)
        session.on("Network.loadingFailed", self._lost)

    def quiet_s(self) -> float:
        """Return for how long nothing has been loading; 0 while something is."""
        return 0.0 if self._open else time.monotonic() - self._changed

    def give_up(self) -> None:
        """Forget what is still being loaded: its load was stopped, and Chromium does not always say so."""
        self._open.clear()

    def pending(self, kind: str = "") -> list[str]:
        """Return what is being loaded (of that kind only), the oldest first."""
        return [request.url for request in self._open.values() if kind in ("", request.kind)][:MAX_LISTED]

    def failures(self) -> list[str]:
        """Return the addresses of what could not be had: refused, lost or answered with an error status."""
        return [failed.url for failed in self._failed]

    def facts(self, page_url: str) -> Network:
        """Sum it up."""
        sizes: Counter[str] = Counter()
        for request in self._requests.values():
            sizes[request.kind.lower()] += request.bytes
        secure = page_url.startswith("https:")
        insecure = [_resource(r) for r in self._requests.values() if secure and r.url.startswith("http:")]
        return Network(
            requests=len(self._requests),
            transferred_bytes=sum(sizes.values()),
            by_type=dict(sizes),
            failed=self._failed[:MAX_LISTED],
            insecure=insecure[:MAX_LISTED],
        )

    def _sent(self, event: Message) -> None:
        key, url = event["requestId"], event["request"]["url"]
        kind = event.get("type", "Other")
        if key == event["loaderId"] and event.get("frameId") == self.main_frame:
            self._document(event, url)
        if url.startswith(("data:", "blob:")):
            return
        request = self._requests[key] = _Request(url, kind)
        if kind not in _LASTING:
            self._open[key] = request
            self._changed = time.monotonic()

    def _document(self, event: Message, url: str) -> None:
        if "redirectResponse" in event:
            self.main.redirects += 1
            self.main.url = url
        else:
            # A document after the first is a hop as well: by a script or a meta tag.
            redirects = self.main.redirects + 1 if self.main.loader else 0
            self.main = MainDocument(url=url, loader=event["loaderId"], redirects=redirects)

    def _received(self, event: Message) -> None:
        response = event["response"]
        key = event["requestId"]
        if request := self._requests.get(key):
            request.status = response["status"]
            request.kind = event.get("type", request.kind)
            if response["status"] >= 400:  # noqa: PLR2004  # HTTP's own border
                self._failed.append(_resource(request))
        if key == self.main.loader:
            self.main.status, self.main.headers = response["status"], response["headers"]
            self.main.refusal = _header(response["headers"], "x-egress-refused")

    def _finished(self, event: Message) -> None:
        if request := self._close(event):
            request.bytes = int(event["encodedDataLength"])

    def _lost(self, event: Message) -> None:
        if event["requestId"] == self.main.loader:
            self.main.error = event["errorText"]
        request = self._close(event)
        if request and event.get("blockedReason") == "inspector":
            self.withheld.append(request.url)
            return
        if request and not event.get("canceled"):
            self._failed.append(_resource(request, event["errorText"]))

    def _close(self, event: Message) -> _Request | None:
        if self._open.pop(event["requestId"], None):
            self._changed = time.monotonic()
        return self._requests.get(event["requestId"])


def _resource(request: _Request, error: str = "") -> Resource:
    return Resource(
        url=request.url[:2_000],
        type=request.kind.lower(),
        status=request.status,
        transferred_bytes=request.bytes,
        error=error,
    )


def _header(headers: Message, name: str) -> str:
    return next((str(value) for key, value in headers.items() if key.lower() == name), "")
