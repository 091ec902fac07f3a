"""Objects as files in a folder, reached through signed URLs that this service answers itself."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO
from urllib.parse import unquote, urlsplit

from contracts.errors import ErrorCode
from contracts.render import TransferSlot
from gateway.blobs.base import checked_key, folder_of_job, type_of
from gateway.blobs.signing import Method, Signer, folder_secret
from runtime.errors import ServiceError

MAX_BYTES = 32 * 1024 * 1024
"""Largest object: a 16,000 px page as JPEG is 4 to 8 MB."""

_FLUSH_BYTES = 1024 * 1024


@dataclass(frozen=True)
class FileBlobs:
    """A `BlobStore` in a folder."""

    root: Path
    signer: Signer
    base_url: str

    def upload_slot(self, key: str, lifetime: timedelta) -> TransferSlot:
        """Sign a URL under which `key` may be written once, with its own content type."""
        return TransferSlot(url=self._url("PUT", key, lifetime), method="PUT", headers={"content-type": type_of(key)})

    def download_slot(self, key: str, lifetime: timedelta) -> TransferSlot:
        """Sign a URL under which `key` may be read."""
        return TransferSlot(url=self._url("GET", key, lifetime), method="GET")

    def link(self, key: str, lifetime: timedelta) -> str:
        """Sign a path on this API under which `key` may be read: `base_url` is for our own services."""
        return self._path("GET", key, lifetime)

    def _url(self, method: Method, key: str, lifetime: timedelta) -> str:
        return self.base_url.rstrip("/") + self._path(method, key, lifetime)

    def _path(self, method: Method, key: str, lifetime: timedelta) -> str:
        query = self.signer.query(method, checked_key(key), type_of(key), lifetime.total_seconds())
        return f"/blobs/{key}?{query}"

    def path(self, key: str) -> Path:
        """Return the file that holds `key`. Raises `ServiceError(NOT_FOUND)` for a malformed key."""
        return self.root / checked_key(key)

    async def size(self, key: str) -> int | None:
        """Return an object's size in bytes, or None where there is none."""
        try:
            return (await asyncio.to_thread(self.path(key).stat)).st_size
        except FileNotFoundError:
            return None

    async def read(self, key: str) -> bytes:
        """Return an object. Raises `ServiceError(NOT_FOUND)`."""
        try:
            return await asyncio.to_thread(self.path(key).read_bytes)
        except FileNotFoundError as error:
            raise ServiceError(ErrorCode.NOT_FOUND, "There is no such object.", reason=key) from error

    async def remove_job(self, tenant_id: str, job_id: str) -> None:
        """Remove every object of a job; doing it twice is no error. Raises `ServiceError(STORAGE_FAILED)`."""
        try:
            await asyncio.to_thread(shutil.rmtree, self.root / folder_of_job(tenant_id, job_id))
        except FileNotFoundError:
            return
        except OSError as error:
            detail = "The objects could not be removed."
            raise ServiceError(ErrorCode.STORAGE_FAILED, detail, reason=repr(error)) from error

    async def jobs(self, after: str, limit: int) -> list[tuple[str, str]]:
        """Return the tenant and job of up to `limit` folders behind `after` (tenant/job), in the order of their names.

        Raises `ServiceError(STORAGE_FAILED)`.
        """
        try:
            return await asyncio.to_thread(_folders_behind, self.root, after, limit)
        except OSError as error:
            raise ServiceError(ErrorCode.STORAGE_FAILED, "The objects cannot be listed.", reason=repr(error)) from error

    async def write(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        """Store an object whole or not at all, once; return its bytes.

        Raises `ServiceError`: PAYLOAD_TOO_LARGE above `MAX_BYTES`, CONFLICT where the key is taken, STORAGE_FAILED.
        """
        path = self.path(key)
        try:
            with await asyncio.to_thread(_open_beside, path) as file:
                try:
                    written = await _pour(chunks, file)
                    await asyncio.to_thread(_publish, file, path)
                finally:
                    with suppress(FileNotFoundError):
                        await asyncio.to_thread(os.unlink, file.name)
        except FileExistsError as error:
            raise ServiceError(ErrorCode.CONFLICT, "This object was written already.", reason=key) from error
        except OSError as error:
            detail = "The object could not be stored."
            raise ServiceError(ErrorCode.STORAGE_FAILED, detail, reason=repr(error)) from error
        return written


def _folders_behind(root: Path, after: str, limit: int) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    place = tuple(after.split("/")) if after else ()
    for tenant in sorted(one.name for one in root.iterdir() if one.is_dir()):
        if (tenant,) < place[:1]:
            continue
        names = sorted(one.name for one in (root / tenant).iterdir() if one.is_dir())
        found += [(tenant, name) for name in names if (tenant, name) > place]
        if len(found) >= limit:
            break
    return found[:limit]


def _open_beside(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False)


async def _pour(chunks: AsyncIterator[bytes], file: IO[bytes]) -> int:
    written, waiting = 0, bytearray()
    async for chunk in chunks:
        written += len(chunk)
        if written > MAX_BYTES:
            raise ServiceError(ErrorCode.PAYLOAD_TOO_LARGE, f"An object may have at most {MAX_BYTES} bytes.")
        waiting += chunk
        if len(waiting) >= _FLUSH_BYTES:
            await asyncio.to_thread(file.write, bytes(waiting))
            waiting.clear()
    await asyncio.to_thread(file.write, bytes(waiting))
    return written


def _publish(file: IO[bytes], path: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    # A link and not a rename: it fails where the name exists, so a fenced worker cannot replace an object.
    os.link(file.name, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def folder_of(url: str) -> Path:
    """Return the folder of a `file:` URL. Raises `ValueError` for any other scheme."""
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc or not parts.path:
        raise ValueError(f"BLOBS_URL must be file:folder or file:///folder, and is {url!r}.")
    return Path(unquote(parts.path))


def open_files(url: str, base_url: str, secret: str) -> FileBlobs:
    """Open the store at a `file:` URL; without `secret`, the folder's own is used."""
    root = folder_of(url).absolute()
    root.mkdir(parents=True, exist_ok=True)
    return FileBlobs(root, Signer(secret.encode() or folder_secret(root)), base_url)
