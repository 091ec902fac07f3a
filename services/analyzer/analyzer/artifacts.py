"""Reading the renderer's artifacts: inline or from the store, always checked against size and hash."""

import base64
import binascii
import hashlib
from datetime import timedelta
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx2

from contracts.analyze import AnalyzeRequest
from contracts.errors import ErrorCode
from contracts.render import Artifact, TransferSlot
from runtime.errors import ServiceError

_DEFAULT_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address as a browser compares them, or "" when it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.username is not None:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{port}")


class ArtifactReader:
    """Owns the connections to the artifact store. `transport` replaces the network."""

    def __init__(
        self, origins: frozenset[str], max_bytes: int, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        """Allow reads from `origins` alone, `max_bytes` each."""
        self._origins = frozenset(origin_of(origin) for origin in origins) - {""}
        self._max_bytes = max_bytes
        self._http = httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False)

    async def __aenter__(self) -> Self:
        """Use as a context manager to close the connections."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def read(self, request: AnalyzeRequest, name: str, budget: timedelta) -> bytes | None:
        """Return one artifact, or None when the render has none of this name. Raises `ServiceError` STORAGE_FAILED."""
        artifact = request.render.artifacts.get(name)
        if artifact is None:
            return None
        if artifact.data is not None:
            return self._checked(artifact, _decoded(artifact))
        slot = request.downloads.get(name)
        if slot is None:
            return None
        return self._checked(artifact, await self._fetch(name, slot, budget))

    def _checked(self, artifact: Artifact, content: bytes) -> bytes:
        if len(content) > self._max_bytes:
            raise ServiceError(ErrorCode.INVALID_REQUEST, f"Artifact {artifact.name} exceeds {self._max_bytes} bytes.")
        if hashlib.sha256(content).hexdigest() != artifact.sha256.casefold():
            raise ServiceError(ErrorCode.STORAGE_FAILED, f"Artifact {artifact.name} does not match its sha256.")
        return content

    async def _fetch(self, name: str, slot: TransferSlot, budget: timedelta) -> bytes:
        if slot.method != "GET" or origin_of(slot.url) not in self._origins:
            reason = f"{slot.method} {origin_of(slot.url)} is not in ANALYZER_DOWNLOAD_ORIGINS"
            raise ServiceError(ErrorCode.INVALID_REQUEST, f"downloads.{name} may not be opened.", reason=reason)
        try:
            return await self._streamed(name, slot, budget.total_seconds())
        except httpx2.TimeoutException as exc:
            raise ServiceError(ErrorCode.STORAGE_FAILED, f"Artifact {name} did not arrive in time.") from exc
        except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
            detail = f"Artifact {name} cannot be read."
            raise ServiceError(ErrorCode.STORAGE_FAILED, detail, reason=repr(exc)) from exc

    async def _streamed(self, name: str, slot: TransferSlot, seconds: float) -> bytes:
        content = bytearray()
        async with self._http.stream("GET", slot.url, headers=slot.headers, timeout=seconds) as response:
            if response.status_code != httpx2.codes.OK:
                reason = f"the store answered {response.status_code}"
                raise ServiceError(ErrorCode.STORAGE_FAILED, f"Artifact {name} cannot be read.", reason=reason)
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > self._max_bytes:
                    raise ServiceError(ErrorCode.INVALID_REQUEST, f"Artifact {name} exceeds {self._max_bytes} bytes.")
        return bytes(content)


def _decoded(artifact: Artifact) -> bytes:
    try:
        return base64.b64decode(artifact.data or "", validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ServiceError(ErrorCode.INVALID_REQUEST, f"Artifact {artifact.name} is not base64.") from exc
