"""Where a page of a list ended, as customers carry it to the next one."""

import base64
import binascii
import re

from contracts.errors import ErrorCode, FieldError
from gateway.jobs.states import Kind
from runtime.errors import ServiceError


def sealed(job_id: str) -> str:
    """Return the cursor of the page that ended with this job."""
    return base64.urlsafe_b64encode(job_id.encode()).decode().rstrip("=")


def opened(cursor: str, kind: Kind) -> str:
    """Return the id that a cursor stands for. Raises `ServiceError(INVALID_REQUEST)` for one that we did not give."""
    return opened_as(cursor, kind.id_prefix)


def opened_as(cursor: str, prefix: str) -> str:
    """Do the same for ids that begin with `prefix`."""
    try:
        found = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        found = ""
    if not re.fullmatch(rf"{prefix}_[0-9a-f]{{32}}", found):
        text = "use the next_cursor of the page before, unchanged"
        raise ServiceError(
            ErrorCode.INVALID_REQUEST, f"cursor: {text}", errors=[FieldError(field="cursor", message=text)]
        )
    return found
