"""The two clients. They differ in nothing but `await`."""

import asyncio
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2

from cro_analyzer.driving import AsyncConversation, Conversation, Terms
from cro_analyzer.errors import CroError
from cro_analyzer.flows import account, analyses, batches, captures
from cro_analyzer.methods import AsyncIterating, AsyncMethod, Iterating, Method
from cro_analyzer.models.analyses import Preset
from cro_analyzer.models.report import Analysis
from cro_analyzer.nouns import (
    Analyses,
    AsyncAnalyses,
    AsyncBatches,
    AsyncCaptures,
    AsyncKeys,
    AsyncWebhooks,
    Batches,
    Captures,
    Keys,
    Webhooks,
)
from cro_analyzer.release import RELEASE
from cro_analyzer.retries import RetryPolicy

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_TIMEOUT_S = 60.0

# Below the 5 s after which the service closes idle connections: the next request must not meet one that is closing.
_KEEPALIVE_S = 4.0


def _settings(api_key: str | None, base_url: str | None) -> dict[str, Any]:  # httpx2's keywords
    key = (os.environ.get("CRO_API_KEY", "") if api_key is None else api_key).strip()
    origin = (base_url or os.environ.get("CRO_API_URL") or DEFAULT_URL).strip().rstrip("/")
    parts = urlsplit(origin)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CroError(f"the API's address must begin with http:// or https://, and is {origin!r}")
    if not key.isascii() or not key.isprintable():
        raise CroError("the API key has characters that no key has: was it pasted whole, and nothing else?")
    headers = {"user-agent": f"cro-analyzer-python/{RELEASE}", "accept": "application/json"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    return {
        "base_url": origin,
        "headers": headers,
        "limits": httpx2.Limits(keepalive_expiry=_KEEPALIVE_S),
        # Artifacts may be kept elsewhere; the key does not go along to another origin.
        "follow_redirects": True,
    }


def _bytes(image: bytes | str | Path) -> bytes:
    return image if isinstance(image, bytes) else Path(image).read_bytes()


class Client:
    """A client that blocks. Use as a context manager, or `close` it. Threads may share it.

    `api_key` and `base_url` come from CRO_API_KEY and CRO_API_URL where they are missing; a service on this machine
    needs no key. `timeout_s`: longest silence of one request, what it asks to wait not counted.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retries: RetryPolicy | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """Connect to nothing yet. `transport` replaces the network. Raises `CroError` for what cannot be used."""
        http = httpx2.Client(transport=transport, **_settings(api_key, base_url))
        self._furnish(http, Terms(timeout_s, retries or RetryPolicy()))

    def _furnish(self, http: httpx2.Client, terms: Terms) -> None:
        self._http = http
        self._terms = terms
        self.analyses = Analyses(self.conversation)
        self.captures = Captures(self.conversation)
        self.batches = Batches(self.conversation)
        self.keys = Keys(self.conversation)
        self.webhooks = Webhooks(self.conversation)

    analyze = Method(analyses.analyze)
    capture = Method(captures.capture)
    fetch_batch = Iterating(batches.fetch_batch)
    tenant = Method(account.tenant)
    set_thresholds = Method(account.set_thresholds)
    usage = Method(account.usage)
    audit = Iterating(account.audit)

    def upload_image(
        self, image: bytes | str | Path, *, name: str = "", preset: Preset | None = None, timeout_s: float = 600
    ) -> Analysis:
        """Analyse a picture of a page (PNG, JPEG or WebP, 10 MB), given as bytes or as a file; return the report."""
        called = name or (image.name if isinstance(image, Path) else "")
        flow = analyses.analyze_image(_bytes(image), name=called, preset=preset, timeout_s=timeout_s)
        return self.conversation().run(flow)

    def conversation(self) -> Conversation:
        """Begin to run a flow: for extensions."""
        return Conversation(self._http, self._terms)

    def with_options(self, *, timeout_s: float | None = None, retries: RetryPolicy | None = None) -> "Client":
        """Return a client with other limits over the same connections: `client.with_options(timeout_s=5).usage()`."""
        other = object.__new__(Client)
        chosen = self._terms.timeout_s if timeout_s is None else timeout_s
        other._furnish(self._http, Terms(chosen, retries or self._terms.retries))
        return other

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """Close it at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()


class AsyncClient:
    """A client whose methods are awaited, over asyncio. Otherwise as `Client`."""

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retries: RetryPolicy | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Connect to nothing yet. `transport` replaces the network. Raises `CroError` for what cannot be used."""
        http = httpx2.AsyncClient(transport=transport, **_settings(api_key, base_url))
        self._furnish(http, Terms(timeout_s, retries or RetryPolicy()))

    def _furnish(self, http: httpx2.AsyncClient, terms: Terms) -> None:
        self._http = http
        self._terms = terms
        self.analyses = AsyncAnalyses(self.conversation)
        self.captures = AsyncCaptures(self.conversation)
        self.batches = AsyncBatches(self.conversation)
        self.keys = AsyncKeys(self.conversation)
        self.webhooks = AsyncWebhooks(self.conversation)

    analyze = AsyncMethod(analyses.analyze)
    capture = AsyncMethod(captures.capture)
    fetch_batch = AsyncIterating(batches.fetch_batch)
    tenant = AsyncMethod(account.tenant)
    set_thresholds = AsyncMethod(account.set_thresholds)
    usage = AsyncMethod(account.usage)
    audit = AsyncIterating(account.audit)

    async def upload_image(
        self, image: bytes | str | Path, *, name: str = "", preset: Preset | None = None, timeout_s: float = 600
    ) -> Analysis:
        """Analyse a picture of a page (PNG, JPEG or WebP, 10 MB), given as bytes or as a file; return the report."""
        called = name or (image.name if isinstance(image, Path) else "")
        flow = analyses.analyze_image(
            await asyncio.to_thread(_bytes, image), name=called, preset=preset, timeout_s=timeout_s
        )
        return await self.conversation().run(flow)

    def conversation(self) -> AsyncConversation:
        """Begin to run a flow: for extensions."""
        return AsyncConversation(self._http, self._terms)

    def with_options(self, *, timeout_s: float | None = None, retries: RetryPolicy | None = None) -> "AsyncClient":
        """Return a client with other limits over the same connections: `client.with_options(timeout_s=5).usage()`."""
        other = object.__new__(AsyncClient)
        chosen = self._terms.timeout_s if timeout_s is None else timeout_s
        other._furnish(self._http, Terms(chosen, retries or self._terms.retries))
        return other

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        """Close it at the end of the block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.aclose()
