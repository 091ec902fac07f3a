"""Reading what was uploaded, line by line, as URLs with options of their own."""

import csv
import json
from collections.abc import Iterable, Iterator
from typing import IO

from pydantic import Field

from contracts.errors import ErrorCode, FieldError
from contracts.wire import PublicInput
from gateway.edge import bodies
from gateway.jobs.states import Document
from runtime.errors import ServiceError

MAX_LINE = 65_536
_NO_COLUMN = "The CSV has no column `url`: call the one with the addresses so, or put it first without a heading."
_MISSING = FieldError(field="file", message="has no column `url`")


class Entry(PublicInput):
    """One URL with options that go before those of the batch."""

    url: str = Field(max_length=65_536)
    options: Document = Field(default_factory=dict, description="as for a single one, without `url` and `wait`")


def lines(file: IO[bytes]) -> Iterator[str]:
    """Read a text file in UTF-8. Raises `ServiceError` (invalid_request) for a line that is none, or too long."""
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise ServiceError(ErrorCode.INVALID_REQUEST, f"Line {number} is longer than {MAX_LINE:,} bytes.")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise ServiceError(ErrorCode.INVALID_REQUEST, f"Line {number} is not text in UTF-8.") from error


def from_csv(text: Iterable[str]) -> Iterator[Entry]:
    """Read the column `url` where the first line names one, and the first column otherwise.

    Raises `ServiceError` (invalid_request) for what cannot be read, and for a table that names its columns, none `url`.
    """
    column: int | None = None
    try:
        for row in csv.reader(text):
            if column is None:
                names = [cell.strip().lower() for cell in row]
                column = names.index("url") if "url" in names else 0
                if "url" in names:
                    continue
                if _is_heading(names):
                    raise ServiceError(ErrorCode.INVALID_REQUEST, _NO_COLUMN, errors=[_MISSING])
            cell = row[column].strip() if column < len(row) else ""
            if cell:
                yield raw(cell)
    except csv.Error as error:
        raise ServiceError(ErrorCode.INVALID_REQUEST, f"The CSV cannot be read: {error}.") from error


def _is_heading(cells: list[str]) -> bool:
    """Tell several names from an address with notes behind it: one that is only mistyped has a dot in most cases."""
    return len(cells) > 1 and not {".", ":", "/"} & set(cells[0])


def from_ndjson(text: Iterable[str]) -> Iterator[Entry]:
    """Read a URL as a string, or an object with `url` and `options`, on each line. A broken line is an empty URL."""
    for line in text:
        if line.strip():
            yield _entry(line)


def _entry(line: str) -> Entry:
    try:
        found = None if bodies.too_deep(line.encode()) else json.loads(line)
    except ValueError:
        # A line of plain text may well be meant as a URL; what it is worth is judged later.
        found = None
    if isinstance(found, str):
        return raw(found)
    if isinstance(found, dict) and isinstance(found.get("url"), str):
        options = found.get("options") or {}
        return raw(found["url"], options if isinstance(options, dict) else {"options": options})
    return raw(line.strip())


def raw(url: str, options: Document | None = None) -> Entry:
    """Make an entry without a check: one bad line, with half a character perhaps, is judged later and stops nothing."""
    return Entry.model_construct(url=url, options=options or {})
