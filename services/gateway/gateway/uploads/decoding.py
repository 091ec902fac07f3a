"""Having a picture decoded: in a process of its own that may neither grow nor go on for long."""

import asyncio
import json
import sys
from dataclasses import dataclass

import structlog

from contracts.errors import ErrorCode
from gateway.uploads.bounds import MAGIC, WALL_S
from gateway.uploads.form import MAX_FILE_BYTES
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

_AT_ONCE = 2
_IN_LINE = 16
_ENVIRONMENT = {"LANG": "C.UTF-8"}


@dataclass(frozen=True)
class Decoded:
    """A picture made anew, as JPEG."""

    data: bytes
    width: int
    height: int


def rejected(text: str, reason: str = "") -> ServiceError:
    """Say what is wrong with a picture."""
    return ServiceError(ErrorCode.IMAGE_REJECTED, f"The picture cannot be used: {text}.", reason=reason)


def kind_of(data: bytes) -> str:
    """Return PNG, JPEG or WEBP by the bytes themselves; what the sender calls it counts for nothing.

    Raises `ServiceError` (image_rejected).
    """
    if len(data) > MAX_FILE_BYTES:
        raise rejected(f"it has {len(data):,} bytes, and may have {MAX_FILE_BYTES:,}")
    for kind, (place, mark) in MAGIC.items():
        if data[place : place + len(mark)] == mark:
            return kind
    raise rejected("it is neither PNG nor JPEG nor WebP")


class Decoder:
    """Decodes two pictures at a time; what it costs is bounded whatever is sent."""

    def __init__(self) -> None:
        """Start with nobody in line."""
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._in_line = 0

    async def decode(self, data: bytes) -> Decoded:
        """Return the picture made anew. Raises `ServiceError`: image_rejected, or unavailable when the line is long."""
        kind = kind_of(data)
        if self._in_line >= _IN_LINE:
            raise ServiceError(ErrorCode.UNAVAILABLE, "Too many pictures are being read. Try again.", retry_after_s=2)
        self._in_line += 1
        try:
            async with self._places:
                return await _decoded(data, kind)
        finally:
            self._in_line -= 1


async def _decoded(data: bytes, kind: str) -> Decoded:
    command = (sys.executable, "-I", "-m", "gateway.uploads.decoder", kind)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=pipe, env=_ENVIRONMENT, cwd="/"
    )
    try:
        async with asyncio.timeout(WALL_S):
            out, err = await process.communicate(data)
    except TimeoutError as error:
        raise rejected("it takes too long to read") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return _read(process.returncode or 0, out, err)


def _read(status: int, out: bytes, err: bytes) -> Decoded:
    head, _, made = out.partition(b"\n")
    if status or not head:
        reason = f"decoder ended with {status}: {err[-200:].decode(errors='replace')}"
        log.warning("picture_killed_its_decoder", status=status)
        raise rejected("reading it takes more memory or time than a picture may", reason)
    told = json.loads(head)
    if "rejected" in told:
        raise rejected(told["rejected"], told.get("reason", ""))
    return Decoded(made, told["width"], told["height"])
