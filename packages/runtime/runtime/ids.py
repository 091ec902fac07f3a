"""Time-ordered identifiers."""

import uuid_utils


def new_id(prefix: str) -> str:
    """Return `<prefix>_<UUIDv7 hex>`: sorts by creation time, says nothing about volume."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"
