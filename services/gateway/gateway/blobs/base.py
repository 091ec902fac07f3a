"""What a blob store can do, and how its keys are made."""

import re
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Protocol

from contracts.errors import ErrorCode
from contracts.render import TransferSlot
from runtime.errors import ServiceError

TYPES = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "json": "application/json",
    "html": "text/html",
    "md": "text/markdown",
    "txt": "text/plain",
    "pdf": "application/pdf",
}
_PART = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ENDINGS = {content_type: ending for ending, content_type in TYPES.items()}
# No dot except before a known ending, so that no part of a key can mean a parent folder or a hidden file.
_KEY = re.compile(rf"[A-Za-z0-9_-]{{1,64}}(/[A-Za-z0-9_-]{{1,64}}){{1,5}}\.({'|'.join(TYPES)})")


def new_key(tenant_id: str, job_id: str, fence: int, content_type: str) -> str:
    """Make a key that nobody can guess, and that an older claim of the same job cannot share."""
    return f"{tenant_id}/{job_id}/{fence}/{secrets.token_hex(16)}.{_ENDINGS[content_type]}"


def checked_key(key: str) -> str:
    """Return `key` if it has the form of one. Raises `ServiceError(NOT_FOUND)`."""
    if not _KEY.fullmatch(key):
        raise ServiceError(ErrorCode.NOT_FOUND, "There is no such object.", reason="malformed key")
    return key


def type_of(key: str) -> str:
    """Return the content type that a key's ending stands for."""
    return TYPES[key.rpartition(".")[2]]


def folder_of_job(tenant_id: str, job_id: str) -> str:
    """Return what all keys of a job begin with. Raises `ServiceError(NOT_FOUND)` for what is no id."""
    if not _PART.fullmatch(tenant_id) or not _PART.fullmatch(job_id):
        raise ServiceError(ErrorCode.NOT_FOUND, "There is no such object.", reason="malformed id")
    return f"{tenant_id}/{job_id}/"


class BlobStore(Protocol):
    """Objects that are written once. Raises `ServiceError(STORAGE_FAILED)` when the store fails."""

    def upload_slot(self, key: str, lifetime: timedelta) -> TransferSlot:
        """Sign a URL under which `key` may be written once, with its own content type."""

    def download_slot(self, key: str, lifetime: timedelta) -> TransferSlot:
        """Sign a URL under which `key` may be read."""

    def link(self, key: str, lifetime: timedelta) -> str:
        """Sign a URL for customers: whole, or a path on this API where the store has no address of its own."""

    async def size(self, key: str) -> int | None:
        """Return an object's size in bytes, or None where there is none."""

    async def read(self, key: str) -> bytes:
        """Return an object. Raises `ServiceError(NOT_FOUND)`."""

    async def write(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        """Store an object whole or not at all, once; return its bytes. Raises `ServiceError`, CONFLICT among others."""

    async def jobs(self, after: str, limit: int) -> list[tuple[str, str]]:
        """Return tenant and job of up to `limit` folders behind `after` (tenant/job), in the order of their names."""

    async def remove_job(self, tenant_id: str, job_id: str) -> None:
        """Remove every object of a job; doing it twice is no error."""
