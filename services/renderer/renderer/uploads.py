"""Where artifacts go: to pre-signed URLs of named origins, or into the answer."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx2

from contracts.errors import ErrorCode, FieldError
from contracts.render import TransferSlot
from runtime.errors import ServiceError

_KEPT_S = 4.0


@dataclass(frozen=True)
class Upload:
    """One object on its way."""

    name: str
    slot: TransferSlot
    content_type: str
    data: bytes


class Uploads:
    """The client of the artifact store. It follows no redirect and knows no other origin than those named."""

    def __init__(self, origins: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        """`origins` is comma separated (`https://blobs.example`); `transport` replaces the network, and the list."""
        self._origins = {_origin(origin.strip()) for origin in origins.split(",") if origin.strip()}
        self._in_process = transport is not None
        # Hundreds of pages over plain HTTP are stored at once. Stores close what is idle for 5 s and more.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=_KEPT_S)
        self._http = httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False, limits=limits)

    async def __aenter__(self) -> Self:
        """Use as a context manager to close the connections."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._http.aclose()

    def check(self, slots: dict[str, TransferSlot]) -> None:
        """Raise `ServiceError` (invalid_request) for a slot outside the named origins: before any page is opened."""
        bad = [name for name, slot in slots.items() if not self._allowed(slot)]
        if bad:
            message = "This origin is not named in RENDERER_UPLOAD_ORIGINS."
            fields = [FieldError(field=f"uploads.{name}", message=message) for name in bad]
            raise ServiceError(ErrorCode.INVALID_REQUEST, f"{fields[0].field}: {message}", errors=fields)

    async def put(self, uploads: list[Upload], within: timedelta) -> None:
        """Store all, side by side. Raises `ServiceError` (storage_failed)."""
        try:
            async with asyncio.timeout(within.total_seconds()), asyncio.TaskGroup() as group:
                for upload in uploads:
                    group.create_task(self._put(upload))
        except TimeoutError as exc:
            raise _failed("timed out") from exc
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures

    async def _put(self, upload: Upload) -> None:
        headers = {"content-type": upload.content_type, **upload.slot.headers}
        try:
            answer = await self._http.request(
                upload.slot.method, upload.slot.url, content=upload.data, headers=headers, timeout=None
            )
        except httpx2.HTTPError as exc:
            raise _failed(repr(exc)) from exc
        if not answer.is_success:
            raise _failed(f"{upload.name}: the store answered {answer.status_code}")

    def _allowed(self, slot: TransferSlot) -> bool:
        return slot.method == "PUT" and (self._in_process or _origin(slot.url) in self._origins)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname or "", parts.port or default


def _failed(reason: str) -> ServiceError:
    return ServiceError(ErrorCode.STORAGE_FAILED, "The artifact store did not take a file.", reason=reason)
