"""The keys that callers show: checked, remembered for seconds, and their use noted in batches."""

import asyncio
import hmac
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog

from contracts.errors import ErrorCode
from gateway.access import store, token
from gateway.access.offenders import Offenders
from gateway.access.store import Credential
from gateway.auth import AccessSettings
from gateway.db import Database
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

_REMEMBERED = 10_000
_FLUSH_S = 10.0
_NO_KEY = "Send an API key as `Authorization: Bearer cro_live_…`."
_BAD_KEY = "The API key is not valid: it is mistyped, expired or revoked."


class Keyring:
    """Answers whose a key is. One per process."""

    def __init__(self, db: Database, settings: AccessSettings) -> None:
        """Begin with no key remembered."""
        self._db = db
        self._peppers = settings.peppers
        self._trust_s = settings.key_cache_seconds
        self._offenders = Offenders(settings.bad_keys_per_minute)
        self._good: OrderedDict[str, tuple[Credential, float]] = OrderedDict()
        self._used: set[str] = set()

    def digest(self, key: str) -> str:
        """Return what is stored of a key. Raises CONFLICT where no pepper is set."""
        if not self._peppers:
            raise ServiceError(
                ErrorCode.CONFLICT, "There are no API keys here: the operator has set no API_KEY_PEPPER."
            )
        return token.digest(self._peppers[0], key)

    async def credential(self, key: str, address: str) -> Credential:
        """Return whose key it is. Raises UNAUTHENTICATED, and RATE_LIMITED after many wrong keys from `address`."""
        if not key:
            raise ServiceError(ErrorCode.UNAUTHENTICATED, _NO_KEY)
        digests = [token.digest(pepper, key) for pepper in self._peppers]
        found = self._remembered(digests[0]) or await self._looked_up(key, digests, address)
        if found.tenant_disabled:
            raise ServiceError(ErrorCode.FORBIDDEN, "This account is disabled.")
        self._used.add(found.key_id)
        return found

    def _remembered(self, digest: str) -> Credential | None:
        found, until = self._good.get(digest, (None, 0.0))
        if found is None or time.monotonic() >= until or _expired(found):
            return None
        return found

    async def _looked_up(self, key: str, digests: list[str], address: str) -> Credential:
        if wait_s := self._offenders.wait_s(address):
            detail = "Too many wrong API keys came from this address."
            raise ServiceError(ErrorCode.RATE_LIMITED, detail, retry_after_s=wait_s)
        found: Credential | None = None
        if token.well_formed(key):
            async with self._db.read() as db:
                found = await store.find(db, digests)
        if found is None or not any(hmac.compare_digest(found.digest, digest) for digest in digests):
            self._offenders.note(address)
            raise ServiceError(ErrorCode.UNAUTHENTICATED, _BAD_KEY)
        if found.digest != digests[0]:
            async with self._db.begin() as db:
                await store.rehash(db, found.key_id, found.digest, digests[0])
        self._good[digests[0]] = (found, time.monotonic() + self._trust_s)
        while len(self._good) > _REMEMBERED:
            self._good.popitem(last=False)
        return found

    def forget(self, key_id: str) -> None:
        """Trust a key no longer: it was revoked, or its end was moved."""
        for digest in [digest for digest, (found, _) in self._good.items() if found.key_id == key_id]:
            del self._good[digest]

    def forget_tenant(self, tenant_id: str) -> None:
        """Look a tenant's keys up again: something about the account has changed."""
        for digest in [digest for digest, (found, _) in self._good.items() if found.tenant_id == tenant_id]:
            del self._good[digest]

    async def flush(self) -> None:
        """Write down which keys were used since the last time, in one statement."""
        used, self._used = self._used, set()
        if used:
            async with self._db.begin() as db:
                await store.touch(db, sorted(used))

    @asynccontextmanager
    async def flushing(self) -> AsyncIterator[None]:
        """Flush every ten seconds, and at the end."""
        task = asyncio.create_task(self._flush_for_ever())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._flush_once()

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_S)
            await self._flush_once()

    async def _flush_once(self) -> None:
        try:
            await self.flush()
        except ServiceError as error:
            # Only the time of a last use is lost.
            log.warning("key_use_not_noted", reason=error.reason)


def _expired(found: Credential) -> bool:
    return found.expires_at is not None and found.expires_at <= datetime.now(UTC)
