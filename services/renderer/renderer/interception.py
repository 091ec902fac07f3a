"""Requests that are held for a moment: to refuse them by type, to add the caller's headers, to answer a login.

Only what the rules name is held, and the HTTP cache stays on: what it has is not asked for again.
"""

from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from contracts.errors import ErrorCode
from contracts.visit import Credentials, Visit
from renderer.cdp import Message, Session
from runtime.errors import ServiceError

MAX_TRIES = 3
"""How often the credentials are given for one address before the login counts as failed."""

# Fetch.enable refuses everything for one type that it does not know, and it does not know all that the protocol lists:
# TextTrack, Manifest, Prefetch and SignedExchange among them.
_TYPES = {
    "image": ("Image",),
    "media": ("Media",),
    "font": ("Font",),
    "stylesheet": ("Stylesheet",),
    "script": ("Script",),
    "xhr": ("XHR", "Fetch", "EventSource"),
    "websocket": (),  # Chromium never holds one; see renderer.visiting
    "other": ("Other", "Ping", "CSPViolationReport"),
}


def origin(url: str) -> str:
    """Return scheme, host and port, the default port left out."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{host}" + ("" if parts.port in {None, default} else f":{parts.port}")


@dataclass(frozen=True)
class Rules:
    """What is held, and what becomes of it. Headers and credentials go to `origin` and nowhere else."""

    origin: str
    types: frozenset[str]
    headers: tuple[tuple[str, str], ...]
    auth: Credentials | None

    @classmethod
    def of(cls, visit: Visit, url: str) -> "Rules | None":
        """Return the rules of a visit; None when nothing needs to be held."""
        types = frozenset(kind for name in visit.block.types for kind in _TYPES[name])
        rules = cls(origin(url), types, tuple(visit.headers.items()), visit.auth)
        return rules if types or rules.headers or rules.auth else None

    @property
    def patterns(self) -> list[Message]:
        """Return what Fetch.enable is told to hold."""
        patterns: list[Message] = [{"urlPattern": "*", "resourceType": kind} for kind in sorted(self.types)]
        return [*patterns, {"urlPattern": f"{self.origin}/*"}] if self.headers or self.auth else patterns


class Interception:
    """The rules at work in one session."""

    def __init__(self, rules: Rules, session: Session, main_frame: str) -> None:
        """Nothing is held before `listen`. A login that fails in `main_frame` ends the session."""
        self._rules = rules
        self._session = session
        self._main_frame = main_frame
        self._tries: Counter[str] = Counter()

    def listen(self) -> Coroutine[Any, Any, Message]:
        """Return the command after which requests are held."""
        self._session.on("Fetch.requestPaused", self._paused)
        self._session.on("Fetch.authRequired", self._challenged)
        logins = self._rules.auth is not None
        return self._session.call("Fetch.enable", patterns=self._rules.patterns, handleAuthRequests=logins)

    def _paused(self, event: Message) -> None:
        held = event["requestId"]
        if event["resourceType"] in self._rules.types:
            self._session.post("Fetch.failRequest", requestId=held, errorReason="BlockedByClient")
        elif self._rules.headers and origin(event["request"]["url"]) == self._rules.origin:
            self._session.post("Fetch.continueRequest", requestId=held, headers=self._headers(event["request"]))
        else:
            self._session.post("Fetch.continueRequest", requestId=held)

    def _headers(self, request: Message) -> list[Message]:
        replaced = {name.lower() for name, _value in self._rules.headers}
        kept = [(name, value) for name, value in request["headers"].items() if name.lower() not in replaced]
        return [{"name": name, "value": value} for name, value in (*kept, *self._rules.headers)]

    def _challenged(self, event: Message) -> None:
        url, challenge = event["request"]["url"], event["authChallenge"]
        answer: Message = {"response": "CancelAuth"}
        if self._rules.auth and challenge["source"] == "Server" and origin(challenge["origin"]) == self._rules.origin:
            self._tries[url] += 1
            if self._tries[url] <= MAX_TRIES:
                credentials = self._rules.auth
                answer = {
                    "response": "ProvideCredentials",
                    "username": credentials.username,
                    "password": credentials.password.get_secret_value(),
                }
            elif event["resourceType"] == "Document" and event["frameId"] == self._main_frame:
                detail = f"The site refused the user name and password {MAX_TRIES} times."
                self._session.fail(ServiceError(ErrorCode.TARGET_AUTH, detail))
                return
        self._session.post("Fetch.continueWithAuth", requestId=event["requestId"], authChallengeResponse=answer)
