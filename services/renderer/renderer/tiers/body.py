"""Reading one response under caps: what came over the wire, what it unpacks to, and how the two compare."""

import zlib
from contextlib import aclosing
from dataclasses import dataclass

import httpx2

from contracts.errors import ErrorCode
from runtime.errors import ServiceError

_KNOWN = frozenset({"", "identity", "gzip", "x-gzip", "deflate", "br", "zstd"})
_RATIO_FROM = 1_000_000
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Caps:
    """Largest body in bytes once unpacked, and how many times its packed size it may be beyond the first megabyte.

    The densest honest pages (long tables) pack about 60 to 1; bombs begin at 1,000 to 1.
    """

    size: int = 10_000_000
    ratio: int = 200


async def read(response: httpx2.Response, caps: Caps) -> bytes:
    """Return the body unpacked. Raises `ServiceError` TARGET_TOO_LARGE, or TARGET_REFUSED for an unknown packing."""
    _check_packing(response.headers.get("content-encoding", ""))
    declared = response.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > caps.size:
        raise _too_large(caps)
    parts: list[bytes] = []
    size = 0
    async with aclosing(response.aiter_bytes()) as stream:
        async for part in stream:
            size += len(part)
            if size > caps.size or (size > _RATIO_FROM and size > caps.ratio * response.num_bytes_downloaded):
                raise _too_large(caps)
            parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def unpacked(data: bytes, caps: Caps) -> bytes:
    """Return a gzip file's content, and what is none as it is. Raises as `read` does."""
    if not data.startswith(_GZIP):
        return data
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        content = unpacking.decompress(data, caps.size + 1)
    except zlib.error as exc:
        raise _unreadable(f"gzip: {exc}") from exc
    if len(content) > caps.size or (len(content) > _RATIO_FROM and len(content) > caps.ratio * len(data)):
        raise _too_large(caps)
    if not unpacking.eof:
        raise _unreadable("gzip: cut short")
    return content


def _check_packing(header: str) -> None:
    unknown = [name for name in header.lower().split(",") if name.strip() not in _KNOWN] if header else []
    if unknown:
        raise _unreadable(f"content-encoding {header[:100]!r}")


def _unreadable(reason: str) -> ServiceError:
    detail = "The site's answer is packed in a way that cannot be read."
    return ServiceError(ErrorCode.TARGET_REFUSED, detail, reason=reason)


def _too_large(caps: Caps) -> ServiceError:
    return ServiceError(ErrorCode.TARGET_TOO_LARGE, f"The page is larger than {caps.size // 1_000_000} MB unpacked.")
