"""Where a single command finds an API: in a platform of its own, or at a service."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from contracts.errors import ErrorCode
from runtime.errors import ServiceError
from standalone import platform


@asynccontextmanager
async def api(server: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client of the service, or of a platform that is there for as long as this is open."""
    if server:
        async with _remote(server) as client:
            yield client
        return
    # In a folder that goes away: it must not take the jobs of a running server.
    with tempfile.TemporaryDirectory(prefix="cro-", ignore_cleanup_errors=True) as data:
        async with platform.running(platform.Profile(Path(data), slots=1, patience_s=10, drain_s=0)) as client:
            yield client


@asynccontextmanager
async def _remote(server: str) -> AsyncIterator[httpx2.AsyncClient]:
    key = os.environ.get("CRO_API_KEY", "").strip()
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        async with httpx2.AsyncClient(
            base_url=server, headers=headers, follow_redirects=True, timeout=None
        ) as client:  # the caller holds the budget
            yield client
    except httpx2.HTTPError as exc:
        text = f"{server} cannot be reached: --server or CRO_API_URL says where the service is."
        raise ServiceError(ErrorCode.UNAVAILABLE, text, reason=repr(exc)) from exc
