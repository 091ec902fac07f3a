"""Objects in an S3 bucket, through boto3 in threads of its own."""

import base64
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError

from contracts.errors import ErrorCode
from contracts.render import TransferSlot
from gateway.blobs import failures
from gateway.blobs.address import Address
from gateway.blobs.base import MAX_BYTES, checked_key, folder_of_job, type_of
from gateway.blobs.cdn import Cdn
from gateway.blobs.delivery import full_type, guards
from gateway.blobs.threads import Threads
from runtime.errors import ServiceError

if TYPE_CHECKING:  # types_boto3 is a package of stubs: there is nothing to import at run time
    from types_boto3_s3 import S3Client

THREADS = 32
LONGEST_LINK = timedelta(minutes=15)
"""A leaked link is dead soon, and is minted anew with each reading."""

_LOOK = timedelta(seconds=5)
_MOVE = timedelta(seconds=30)
_SWEEP = timedelta(seconds=60)
_PAGE = 1_000

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class S3Blobs:
    """A `BlobStore` in a bucket. `client` reaches it from here, `public` signs for customers."""

    address: Address
    client: "S3Client"
    public: "S3Client"
    threads: Threads
    cdn: Cdn | None = None

    @property
    def longest_link(self) -> timedelta:
        """Longest life of a customer's link."""
        return LONGEST_LINK

    def upload_slot(self, key: str, lifetime: timedelta) -> TransferSlot:
        """Sign a URL under which `key` may be written once, with the headers that it will be handed out with."""
        handed_out = guards(type_of(checked_key(key)), key.rpartition("/")[2])
        headers = {
            "content-type": full_type(type_of(key)),
            "content-disposition": handed_out["Content-Disposition"],
            "cache-control": handed_out["Cache-Control"],
            "if-none-match": "*",
        }
        url = self.client.generate_presigned_url(
            "put_object",
            Params={
                **self._at(key),
                "ContentType": headers["content-type"],
                "ContentDisposition": headers["content-disposition"],
                "CacheControl": headers["cache-control"],
                "IfNoneMatch": headers["if-none-match"],
            },
            ExpiresIn=_seconds(lifetime),
        )
        return TransferSlot(url=url, method="PUT", headers=headers)

    def download_slot(self, key: str, lifetime: timedelta) -> TransferSlot:
        """Sign a URL under which `key` may be read."""
        params = self._at(checked_key(key))
        url = self.client.generate_presigned_url("get_object", Params=params, ExpiresIn=_seconds(lifetime))
        return TransferSlot(url=url, method="GET")

    def link(self, key: str, lifetime: timedelta) -> str:
        """Sign a whole URL for customers, good for `longest_link` at most: the distribution's where there is one."""
        life = min(lifetime, LONGEST_LINK)
        if self.cdn is not None:
            return self.cdn.link(self._name(checked_key(key)), life)
        headers = guards(type_of(checked_key(key)), key.rpartition("/")[2])
        params = {
            **self._at(key),
            "ResponseContentType": full_type(type_of(key)),
            "ResponseContentDisposition": headers["Content-Disposition"],
            "ResponseCacheControl": headers["Cache-Control"],
        }
        return self.public.generate_presigned_url("get_object", Params=params, ExpiresIn=_seconds(life))

    async def size(self, key: str) -> int | None:
        """Return an object's size in bytes, or None where there is none. Raises `ServiceError(STORAGE_FAILED)`."""
        bucket, name = self.address.bucket, self._name(checked_key(key))
        try:
            head = await self._ask(key, lambda: self.client.head_object(Bucket=bucket, Key=name), _LOOK)
        except ServiceError as error:
            if error.code is ErrorCode.NOT_FOUND:
                return None
            raise
        return head["ContentLength"]

    async def read(self, key: str) -> bytes:
        """Return an object. Raises `ServiceError`: NOT_FOUND, and STORAGE_FAILED where it does not arrive whole."""
        checked_key(key)
        return await self._ask(key, lambda: self._get(key), _MOVE)

    async def write(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        """Store an object whole or not at all, once; return its bytes.

        Raises `ServiceError`: PAYLOAD_TOO_LARGE above `MAX_BYTES`, CONFLICT where the key is taken, STORAGE_FAILED.
        """
        checked_key(key)
        with failures.translated(key):
            body = await _gathered(chunks)
        await self._ask(key, lambda: self._put(key, body), _MOVE)
        return len(body)

    async def remove_job(self, tenant_id: str, job_id: str) -> None:
        """Remove every object of a job; doing it twice is no error. Raises `ServiceError(STORAGE_FAILED)`."""
        folder = folder_of_job(tenant_id, job_id)
        await self._ask(folder, lambda: self._remove(self._name(folder)), _SWEEP)

    async def jobs(self, after: str, limit: int) -> list[tuple[str, str]]:
        """Return the tenant and job of up to `limit` folders behind `after` (tenant/job), in the order of the store.

        Raises `ServiceError(STORAGE_FAILED)`.
        """
        return await self._ask(after, lambda: self._folders_behind(after, limit), _SWEEP)

    async def alive(self) -> bool:
        """Whether the store answered when it was last asked; one that did not is asked again, now and then."""
        if self.threads.away:
            with suppress(ServiceError):
                await self._ask("", lambda: self.client.list_objects_v2(Bucket=self.address.bucket, MaxKeys=1), _LOOK)
        return not self.threads.away

    async def aclose(self) -> None:
        """Close every connection, and start nothing more."""
        self.threads.close()
        self.client.close()
        self.public.close()

    async def _ask(self, key: str, work: Callable[[], Answer], within: timedelta) -> Answer:
        with failures.translated(key):
            return await self.threads.run(work, within)

    def _name(self, key: str) -> str:
        return self.address.prefix + key

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self.address.bucket, "Key": self._name(key)}

    # What follows runs in threads.

    def _get(self, key: str) -> bytes:
        """Read an object; boto3 repeats a request, but not the reading of an answer that was cut off."""
        try:
            return self._got(key)
        except (IncompleteReadError, ResponseStreamingError):
            return self._got(key)

    def _got(self, key: str) -> bytes:
        answer = self.client.get_object(Bucket=self.address.bucket, Key=self._name(key), ChecksumMode="ENABLED")
        if answer["ContentLength"] > MAX_BYTES:
            answer["Body"].close()
            raise failures.BrokenStoreError(f"{key} has {answer['ContentLength']} bytes")
        return answer["Body"].read()

    def _put(self, key: str, body: bytes) -> None:
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        headers = guards(type_of(key), key.rpartition("/")[2])
        try:
            self.client.put_object(
                Bucket=self.address.bucket,
                Key=self._name(key),
                Body=body,
                ContentType=full_type(type_of(key)),
                ContentDisposition=headers["Content-Disposition"],
                CacheControl=headers["Cache-Control"],
                ChecksumSHA256=digest,
                IfNoneMatch="*",
            )
        except ClientError as error:
            # The first try may have been done although its answer was lost: then the second finds its own work.
            if not (failures.is_taken(error) and failures.was_repeated(error) and self._holds(key, digest)):
                raise

    def _holds(self, key: str, digest: str) -> bool:
        head = self.client.head_object(Bucket=self.address.bucket, Key=self._name(key), ChecksumMode="ENABLED")
        return head.get("ChecksumSHA256") == digest

    def _remove(self, folder: str) -> None:
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.address.bucket, Prefix=folder):
            keys = [{"Key": one["Key"]} for one in page.get("Contents", [])]
            if not keys:
                continue
            answer = self.client.delete_objects(Bucket=self.address.bucket, Delete={"Objects": keys, "Quiet": True})  # type: ignore[typeddict-item]
            if left := answer.get("Errors"):
                raise failures.BrokenStoreError(f"{len(left)} objects stay: {left[0].get('Code')}")

    def _folders_behind(self, after: str, limit: int) -> list[tuple[str, str]]:
        tenant, _, job = after.partition("/")
        found = [(tenant, name) for name in self._folders(f"{tenant}/", job, limit)] if tenant else []
        for other in self._folders("", tenant, _PAGE):
            if len(found) >= limit:
                break
            found += [(other, name) for name in self._folders(f"{other}/", "", limit - len(found))]
        return found[:limit]

    def _folders(self, under: str, behind: str, limit: int) -> Iterator[str]:
        """Give up to `limit` names of folders below `under` that come after `behind`."""
        prefix = self._name(under)
        # "0" is what follows "/": everything inside of `behind` is left out, too.
        start = f"{prefix}{behind}0" if behind else ""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.address.bucket,
            Prefix=prefix,
            Delimiter="/",
            StartAfter=start,
            PaginationConfig={"PageSize": _PAGE},
        )
        given = 0
        for page in pages:
            for one in page.get("CommonPrefixes", []):
                name = one["Prefix"].removeprefix(prefix).rstrip("/")
                if f"{name}/" <= f"{behind}/" and behind:
                    continue
                if given == limit:
                    return
                given += 1
                yield name


async def _gathered(chunks: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_BYTES:
            raise ServiceError(ErrorCode.PAYLOAD_TOO_LARGE, f"An object may have at most {MAX_BYTES} bytes.")
    return bytes(body)


def _seconds(lifetime: timedelta) -> int:
    return max(1, int(lifetime.total_seconds()))
