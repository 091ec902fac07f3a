"""Handing out what came from somebody else's page: never sniffed, never run, never as a part of our own pages."""

from contracts.errors import ErrorCode
from gateway.blobs.base import TYPES
from runtime.errors import ServiceError

OPAQUE = "application/octet-stream"

_KNOWN = frozenset(TYPES.values())
_SHOWN = frozenset({"image/jpeg", "image/png", "image/webp", "application/json", "text/plain", "text/markdown"})
"""What a browser may show in place. All else (HTML, PDF, SVG) can hold scripts, and is only offered for saving."""

_SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def plain_type(content_type: str) -> str:
    """Return a content type without parameters; what we do not hand out as itself becomes a stream of bytes."""
    plain = content_type.partition(";")[0].strip().lower()
    return plain if plain in _KNOWN else OPAQUE


def full_type(content_type: str) -> str:
    """Return the header's value; all text of ours is UTF-8."""
    plain = plain_type(content_type)
    return f"{plain}; charset=utf-8" if plain.startswith("text/") else plain


def guards(content_type: str, file_name: str) -> dict[str, str]:
    """Return the headers that go with an object; `file_name` must be one of ours: letters, digits, dot, `_`, `-`."""
    if not file_name.replace(".", "").replace("_", "").replace("-", "").isalnum() or not file_name.isascii():
        raise ServiceError(ErrorCode.INTERNAL, "Something failed on our side.", reason=f"file name {file_name!r}")
    way = "inline" if plain_type(content_type) in _SHOWN else "attachment"
    return {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": _SANDBOX,
        "Content-Disposition": f'{way}; filename="{file_name}"',
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Cache-Control": "private, max-age=600, immutable",
    }
