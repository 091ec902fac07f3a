"""URLs that allow one method on one object for some minutes, as S3's pre-signed URLs do."""

import hmac
import os
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Literal
from urllib.parse import urlencode

from contracts.errors import ErrorCode
from runtime.errors import ServiceError

Method = Literal["GET", "PUT"]
_SECRET_FILE = ".signing-secret"  # noqa: S105  # a file's name


@dataclass(frozen=True)
class Signer:
    """Signs and checks. Both sides need the same secret."""

    secret: bytes

    def query(self, method: Method, key: str, content_type: str, lifetime_s: float) -> str:
        """Return the query part that makes a URL valid for `lifetime_s`."""
        expires = int(time.time() + lifetime_s)
        return urlencode({"expires": expires, "sig": self._signature(method, key, content_type, expires)})

    def check(self, method: Method, key: str, content_type: str, expires: int, signature: str) -> None:
        """Raise `ServiceError(FORBIDDEN)` unless all of it is as it was signed, and still in time."""
        good = hmac.compare_digest(self._signature(method, key, content_type, expires).encode(), signature.encode())
        if not good or expires < time.time():
            reason = "expired" if good else "bad signature"
            raise ServiceError(ErrorCode.FORBIDDEN, "This URL is not valid, or not any more.", reason=reason)

    def _signature(self, method: Method, key: str, content_type: str, expires: int) -> str:
        message = "\n".join((method, key, content_type, str(expires)))
        return hmac.new(self.secret, message.encode(), sha256).hexdigest()


def folder_secret(folder: Path) -> bytes:
    """Return the folder's own secret, made at the first call; processes that share the folder agree on it."""
    file = folder / _SECRET_FILE
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        # The mode of such a file is 0600. Linked into place whole: a second process must not read half of it.
        with NamedTemporaryFile(dir=folder, prefix=".new-") as fresh:
            fresh.write(secrets.token_bytes(32))
            fresh.flush()
            os.fsync(fresh.fileno())
            with suppress(FileExistsError):
                os.link(fresh.name, file)
    return file.read_bytes()
