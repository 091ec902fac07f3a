"""The `Idempotency-Key` header, and what tells one request from another."""

import hmac
import json
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated

from fastapi import Header

from contracts.errors import ErrorCode, FieldError
from runtime.errors import ServiceError

MAX_LENGTH = 255

IdempotencyKey = Annotated[
    str | None,
    Header(
        description="a name of yours for this very request: sent again within 24 hours, it is answered as before and "
        "makes nothing new; with another body it is refused",
        examples=["8e03978e-40d5-43e8-bc93-6894a57f9324"],
    ),
]
_FORM = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True)
class Ticket:
    """One tenant's key, and the fingerprint of what came with it."""

    tenant_id: str
    key: str
    fingerprint: str


def ticket(header: str | None, tenant_id: str, operation: str, asked: object, secret: bytes) -> Ticket | None:
    """Return the ticket of a request, or None where it has no key. Raises `ServiceError` (invalid_request).

    `asked`: what is asked for, as JSON. How long a caller waits is no part of it. It may hold passwords: nobody can
    try them out on the fingerprint without `secret`.
    """
    if header is None:
        return None
    # The draft makes it a string in quotes; most clients send the bare text.
    key = header[1:-1] if len(header) > 1 and header[0] == header[-1] == '"' else header
    if not _FORM.fullmatch(key):
        text = f"1 to {MAX_LENGTH} visible ASCII characters"
        errors = [FieldError(field="idempotency-key", message=text)]
        raise ServiceError(ErrorCode.INVALID_REQUEST, f"Idempotency-Key: {text}", errors=errors)
    document = json.dumps([operation, asked], sort_keys=True, separators=(",", ":"))
    return Ticket(tenant_id, key, hmac.new(secret, document.encode("utf-8", "replace"), sha256).hexdigest())
