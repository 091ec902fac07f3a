"""The cookies of one redirect chain: those the request brought and those the sites set on the way."""

import time
from collections.abc import Sequence
from http.cookiejar import Cookie as JarCookie
from http.cookiejar import DefaultCookiePolicy

import httpx2

from contracts.visit import Cookie

KEEP_NONE = DefaultCookiePolicy(allowed_domains=[])
"""For the jar of a client that serves many jobs: it must not carry cookies between them."""


class ChainCookies:
    """A jar that lives as long as one chain of redirects; made only when there is something to keep."""

    def __init__(self, given: Sequence[Cookie], host: str) -> None:
        """Hold `given`; those without a domain belong to `host`."""
        self._jar: httpx2.Cookies | None = None
        for cookie in given:
            self._open().jar.set_cookie(_for_jar(cookie, host))

    def keep(self, response: httpx2.Response) -> None:
        """Take what a redirect sets."""
        if "set-cookie" in response.headers:
            self._open().extract_cookies(response)

    def put(self, request: httpx2.Request) -> str:
        """Give `request` the cookies that its address gets; return them."""
        if self._jar is not None:
            self._jar.set_cookie_header(request)
        return request.headers.get("cookie", "")

    def _open(self) -> httpx2.Cookies:
        if self._jar is None:
            self._jar = httpx2.Cookies()
        return self._jar


def _for_jar(cookie: Cookie, host: str) -> JarCookie:
    domain = cookie.domain.lower()
    return JarCookie(
        version=0,
        name=cookie.name,
        value=cookie.value,
        port=None,
        port_specified=False,
        domain=f".{domain.lstrip('.')}" if domain else host,
        domain_specified=bool(domain),
        domain_initial_dot=bool(domain),
        path=cookie.path,
        path_specified=True,
        secure=cookie.secure,
        expires=int(time.time()) + 86_400,
        discard=True,
        comment=None,
        comment_url=None,
        rest={},
    )
