"""How a page is visited: what has to be set in the browser before the first request leaves.

Everything goes to the page and to the frames and workers that live in processes of their own, which wait for it.
"""

import asyncio
import json
import re
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from contracts.errors import ErrorCode, FieldError
from contracts.visit import Cookie, Visit
from renderer.cdp import Message, ProtocolError, Session
from renderer.interception import Interception, Rules, origin
from runtime.errors import ServiceError

Command = tuple[str, Message]

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_MAX_HEADERS = 16_384
"""Characters of all extra headers together: servers commonly refuse heads above 16 KiB."""

_NOT_YOURS = {
    "host": "It follows from the URL.",
    "content-length": "The browser writes it.",
    "connection": "The browser writes it.",
    "transfer-encoding": "The browser writes it.",
    "upgrade": "The browser writes it.",
    "cookie": "Use visit.cookies.",
    "user-agent": "Use visit.user_agent.",
    "accept-language": "Use visit.locale.",
}
_REDUCED = {"name": "prefers-reduced-motion", "value": "reduce"}
_REFUSED = {
    "Emulation.setTimezoneOverride": ("visit.timezone", "Invalid timezone", "This time zone is not known."),
    "Emulation.setLocaleOverride": ("visit.locale", "Invalid locale", "This locale is not known."),
    "Storage.setCookies": ("visit.cookies", "", "The browser refuses these cookies."),
}
# Chromium has no switch that keeps a WebSocket from opening. Pages know this exception: mixed content gives the same.
_NO_SOCKETS = """
(() => {
  const refused = %s.map((text) => new RegExp(text));
  globalThis.WebSocket = new Proxy(WebSocket, { construct(target, given, maker) {
    const url = String(given[0]);
    if (refused.some((pattern) => pattern.test(url))) throw new DOMException('Refused', 'SecurityError');
    return Reflect.construct(target, given, maker);
  } });
})()
"""


@dataclass(frozen=True)
class Guise:
    """A visit in the browser's own terms. Made by `guise`; the page puts it on before it navigates."""

    origin: str
    everywhere: tuple[Command, ...] = ()
    """For the page and for each of its frames and workers."""
    page_only: tuple[Command, ...] = ()
    browser: tuple[Command, ...] = ()
    """For the browser; each takes the id of the page's context."""
    rules: Rules | None = None
    script: str = ""
    """Runs before the page's own scripts, in every frame and worker."""
    media: tuple[Message, ...] = ()

    def put_on(
        self, session: Session, main_frame: str, browser: Session, context: str
    ) -> list[Coroutine[Any, Any, Message]]:
        """Return the commands that make the page's visitor; each raises `ServiceError` when it cannot be done."""
        commands = [_call(session, command) for command in (*self.everywhere, *self.page_only)]
        if self.rules:
            commands.append(Interception(self.rules, session, main_frame).listen())
        commands += [_call(browser, (method, {**p, "browserContextId": context})) for method, p in self.browser]
        if self.script:
            commands.append(session.call("Page.addScriptToEvaluateOnNewDocument", source=self.script))
        commands.append(_attach(session))
        return commands

    async def put_on_child(self, child: Session, agent: Message) -> None:
        """Make a frame or worker, which waits for it, see the same visitor, and let it begin."""
        told = [child.call("Emulation.setUserAgentOverride", **agent), _attach(child)]
        told += [child.call(method, **params) for method, params in self.everywhere]
        if self.rules:
            told.append(Interception(self.rules, child, "").listen())
        if self.script:
            told.append(child.call("Page.addScriptToEvaluateOnNewDocument", source=self.script))
            told.append(child.call("Runtime.evaluate", expression=self.script))
        # A worker knows few of these commands, and says so.
        await asyncio.gather(*told, return_exceptions=True)
        await child.call("Runtime.runIfWaitingForDebugger")


def check(visit: Visit) -> None:
    """Raise `ServiceError` (invalid_request) for what no browser would send."""
    for name, value in visit.headers.items():
        _check_header(name, value)
    if sum(len(name) + len(value) for name, value in visit.headers.items()) > _MAX_HEADERS:
        raise _invalid("visit.headers", f"All of them together may have {_MAX_HEADERS:,} characters.")
    if _UNPRINTABLE.search(visit.user_agent):
        raise _invalid("visit.user_agent", "Use printable ASCII only.")
    for index, cookie in enumerate(visit.cookies):
        if cookie.same_site == "none" and not cookie.secure:
            raise _invalid(f"visit.cookies.{index}.same_site", "Browsers take `none` for secure cookies only.")


def guise(visit: Visit, url: str) -> Guise | None:
    """Translate a visit of `url`; None when it is the usual one."""
    if visit == Visit():
        return None
    return Guise(
        origin=origin(url),
        everywhere=tuple(_everywhere(visit)),
        page_only=tuple(_page_only(visit)),
        browser=tuple(_browser(visit, url)),
        rules=Rules.of(visit, url),
        script=_socket_script(visit),
        media=tuple(_media(visit)),
    )


def calm(worn: Guise | None) -> list[Message]:
    """Return the media features with motion reduced, whatever else the visit asks for."""
    return [*(feature for feature in (worn.media if worn else ()) if feature != _REDUCED), _REDUCED]


def _everywhere(visit: Visit) -> list[Command]:
    commands: list[Command] = []
    if media := _media(visit):
        commands.append(("Emulation.setEmulatedMedia", {"features": media}))
    if visit.locale:
        commands.append(("Emulation.setLocaleOverride", {"locale": visit.locale}))
    if visit.timezone:
        commands.append(("Emulation.setTimezoneOverride", {"timezoneId": visit.timezone}))
    if visit.block.urls:
        commands += [("Network.enable", {}), ("Network.setBlockedURLs", {"urls": visit.block.urls})]
    return commands


def _page_only(visit: Visit) -> list[Command]:
    return [("Emulation.setGeolocationOverride", visit.geolocation.model_dump())] if visit.geolocation else []


def _browser(visit: Visit, url: str) -> list[Command]:
    commands: list[Command] = []
    if visit.geolocation:
        commands.append(("Browser.grantPermissions", {"origin": origin(url), "permissions": ["geolocation"]}))
    if visit.cookies:
        commands.append(("Storage.setCookies", {"cookies": [_cookie(cookie, url) for cookie in visit.cookies]}))
    return commands


def _media(visit: Visit) -> list[Message]:
    features: list[Message] = []
    if visit.color_scheme in {"light", "dark"}:
        features.append({"name": "prefers-color-scheme", "value": visit.color_scheme})
    return [*features, _REDUCED] if visit.reduced_motion else features


def _cookie(cookie: Cookie, url: str) -> Message:
    # A cookie of the page's own host alone is told by its URL, one of a domain by the domain.
    place = {"domain": cookie.domain} if cookie.domain else {"url": f"{origin(url)}/"}
    return {
        **place,
        "name": cookie.name,
        "value": cookie.value,
        "path": cookie.path,
        "secure": cookie.secure,
        "httpOnly": cookie.http_only,
        "sameSite": cookie.same_site.capitalize(),
    }


def _socket_script(visit: Visit) -> str:
    patterns = [".*"] if "websocket" in visit.block.types else []
    # Of the patterns, Chromium applies to sockets none.
    patterns += ["^" + ".*".join(map(re.escape, pattern.split("*"))) + "$" for pattern in visit.block.urls]
    return _NO_SOCKETS % json.dumps(patterns) if patterns else ""


async def _call(session: Session, command: Command) -> Message:
    method, params = command
    try:
        return await session.call(method, **params)
    except ProtocolError as exc:
        field, start, text = _REFUSED.get(method, ("", "", ""))
        if field and exc.message.startswith(start):
            raise _invalid(field, text) from exc
        raise


def _attach(session: Session) -> Coroutine[Any, Any, Message]:
    return session.call("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True)


def _check_header(name: str, value: str) -> None:
    lowered = name.lower()
    if not _NAME.fullmatch(name):
        raise _invalid("visit.headers", f"“{name[:40]}” is not a header's name.")
    if remedy := _NOT_YOURS.get(lowered):
        raise _invalid(f"visit.headers.{name}", f"This header cannot be set. {remedy}")
    if lowered.startswith(("proxy-", "sec-")):
        raise _invalid(f"visit.headers.{name}", "This header cannot be set: it belongs to the browser.")
    if _UNPRINTABLE.search(value):
        raise _invalid(f"visit.headers.{name}", "Use printable ASCII only.")


def _invalid(name: str, message: str) -> ServiceError:
    return ServiceError(
        ErrorCode.INVALID_REQUEST, f"{name}: {message}", errors=[FieldError(field=name, message=message)]
    )
