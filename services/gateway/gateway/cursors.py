"""Where a page of a list ended, as customers carry it to the next one: opaque, signed, for one list of one owner."""

import base64
import binascii
import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Protocol, TypeVar

from contracts.errors import ErrorCode, FieldError
from gateway.wiring import Caller, Parts
from runtime.errors import ServiceError

_MAC_BYTES = 12


class Listed(Protocol):
    """What stands in a list."""

    @property
    def id(self) -> str:
        """By which the list is ordered."""
        ...


One = TypeVar("One", bound=Listed)


def paged(
    parts: Parts, caller: Caller, what: str, found: Sequence[One], limit: int
) -> tuple[Sequence[One], str | None]:
    """Return a page and the cursor of the next; `found` was read with one more than `limit`, to see whether it is."""
    shown = found[:limit]
    return shown, sealed(parts, caller, what, shown[-1].id) if len(found) > limit else None


def sealed(parts: Parts, caller: Caller, what: str, job_id: str) -> str:
    """Return the cursor of the page that ended with this job."""
    text = _mac(parts, caller, what, job_id) + job_id.encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def opened(parts: Parts, caller: Caller, what: str, cursor: str | None) -> str | None:
    """Return the id that a cursor stands for, None without one.

    Raises `ServiceError(INVALID_REQUEST)` for one that we did not give.
    """
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        mac, job_id = text[:_MAC_BYTES], text[_MAC_BYTES:].decode("ascii")
    except (binascii.Error, ValueError):
        mac, job_id = b"", ""
    if not hmac.compare_digest(mac, _mac(parts, caller, what, job_id)):
        raise unknown()
    return job_id


def unknown() -> ServiceError:
    """Say that we gave no such cursor."""
    message = "use the next_cursor of the page before, unchanged"
    errors = [FieldError(field="cursor", message=message)]
    return ServiceError(ErrorCode.INVALID_REQUEST, f"cursor: {message}", errors=errors)


def _mac(parts: Parts, caller: Caller, what: str, job_id: str) -> bytes:
    text = f"cursor\n{caller.tenant_id}\n{what}\n{job_id}"
    return hmac.new(parts.settings.signing_key, text.encode(), sha256).digest()[:_MAC_BYTES]
