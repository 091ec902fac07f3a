"""What a request's head may bring: how long an address, how much header, and no NUL."""

from collections.abc import Iterable

from contracts.errors import ErrorCode
from runtime.errors import ServiceError

URL_BYTES = 8_192
HEADER_BYTES = 32_768
HEADER_LINES = 100


def check(path: bytes, query: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Raise `ServiceError` for a request head that no client of ours writes."""
    if b"%00" in path:
        # No id and no name holds one, and Postgres takes it in no comparison.
        raise ServiceError(ErrorCode.NOT_FOUND, "There is nothing at this address.")
    if b"%00" in query:
        raise ServiceError(ErrorCode.INVALID_REQUEST, "No parameter may hold the character U+0000.")
    if len(path) + len(query) > URL_BYTES:
        raise ServiceError(ErrorCode.URL_TOO_LONG, f"An address may have at most {URL_BYTES} bytes.")
    lengths = [len(name) + len(value) for name, value in headers]
    if len(lengths) > HEADER_LINES or sum(lengths) > HEADER_BYTES:
        detail = f"A request may have at most {HEADER_LINES} headers of {HEADER_BYTES} bytes together."
        raise ServiceError(ErrorCode.HEADERS_TOO_LARGE, detail)
